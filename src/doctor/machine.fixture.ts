// A machine made of files in a folder of its own, with plenty of everything but what a test takes
// away. It also does what sysctl(8) and systemd would do with the files that the doctor prints.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname } from 'node:path'
import type { Demand } from './demand.ts'
import { type MachineFacts, type ProcessFacts, readMachine } from './machine.ts'

export const GIB = 1024 ** 3

/** Kernel settings by name, and other files by path; null is one that is not there. */
export type Files = Readonly<Record<string, string | null>>

const PLENTY: Files = {
  'fs.nr_open': '1048576',
  'fs.file-max': '9223372036854775807',
  'fs.file-nr': '1000\t0\t9223372036854775807',
  'net.core.somaxconn': '4096',
  'net.core.rmem_max': '212992',
  'net.core.wmem_max': '212992',
  'net.core.netdev_max_backlog': '1000',
  'net.ipv4.tcp_mem': '1500000\t2000000\t3000000',
  'net.ipv4.tcp_rmem': '4096\t131072\t6291456',
  'net.ipv4.tcp_wmem': '4096\t16384\t4194304',
  'net.ipv4.tcp_max_tw_buckets': '262144',
  'net.ipv4.ip_local_port_range': '32768\t60999',
  'vm.overcommit_memory': '0',
  'vm.swappiness': '60',
  'vm.min_free_kbytes': '67584',
  '/proc/meminfo': meminfo(100 * GIB),
  '/proc/self/cgroup': '0::/',
}

/** @param swapBytes of all swap */
export function meminfo(availableBytes: number, swapBytes = 0): string {
  return [
    'MemTotal:       999999999 kB',
    `MemAvailable:   ${availableBytes / 1024} kB`,
    `SwapTotal:      ${swapBytes / 1024} kB`,
    'HugePages_Total:       0',
  ].join('\n')
}

export function demand(connections: number, changed: Partial<Demand> = {}): Demand {
  return { connections, end: 'server', sources: null, ...changed }
}

export class FakeMachine implements Disposable {
  readonly root = mkdtempSync(`${tmpdir()}/comet-machine-`)
  #facts: ProcessFacts

  constructor(changed: Files = {}, facts: Partial<ProcessFacts> = {}) {
    this.#facts = { openFiles: 1_048_576, cores: 4, ...facts }
    for (const [name, text] of Object.entries({ ...PLENTY, ...changed })) {
      if (text !== null) this.#write(name, text)
    }
  }

  read(): MachineFacts {
    return readMachine(this.#facts, this.root)
  }

  /** As `sysctl --system` would; throws where it would complain. */
  applySysctl(file: string): void {
    for (const line of file.split('\n')) {
      if (line.startsWith('#')) continue
      const [, key = '', value = ''] = /^([a-z][\w.-]+) = (\d+(?: \d+)*)$/.exec(line) ?? []
      if (key === '') throw new Error(`no line of a sysctl file: ${line}`)
      this.#write(key, value.replaceAll(' ', '\t'))
    }
  }

  /** As a unit would be started with it; throws where systemd would complain. */
  applySystemd(file: string): void {
    const isOther = (line: string) => line.startsWith('#') || line.startsWith('Environment=')
    const lines = file.split('\n').filter((line) => !isOther(line))
    if (lines.shift() !== '[Service]') throw new Error('the limits are in no section')
    const limits = lines.map((line) => {
      const [, name = '', value = ''] = /^([A-Z]\w+)=(\d+|infinity)$/.exec(line) ?? []
      if (name === '') throw new Error(`no line of a unit: ${line}`)
      return [name, Number(value)] as const
    })
    const openFiles = new Map(limits).get('LimitNOFILE')
    // The kernel refuses a limit that is above this.
    const possible = this.read().kernel.get('fs.nr_open')?.[0] ?? Infinity
    if (openFiles !== undefined && openFiles <= possible)
      this.#facts = { ...this.#facts, openFiles }
  }

  #write(name: string, text: string): void {
    const path = name.startsWith('/') ? name : `/proc/sys/${name.replaceAll('.', '/')}`
    mkdirSync(dirname(this.root + path), { recursive: true })
    writeFileSync(this.root + path, `${text}\n`)
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true })
  }
}
