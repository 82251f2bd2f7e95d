// What this machine says of itself: kernel settings, memory, limits, addresses. It reads, and neither
// judges nor changes anything; what cannot be read is not known, on another system or in a container.

import { existsSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { openFilesLimit } from '../os/descriptors.ts'

/** What a process knows of itself without reading files. */
export interface Own {
  /** Files that one process may have open. */
  readonly openFiles: number
  readonly cores: number
}

export interface Readings extends Own {
  readonly hasProc: boolean
  /** Kernel settings by their names for sysctl(8); what is not known here is missing. */
  readonly kernel: ReadonlyMap<string, readonly number[]>
  /** Memory that is to be had now. */
  readonly availableBytes: number | null
  /** What the control group of this process may have at most; null without such a limit. */
  readonly groupBytes: number | null
  readonly swapBytes: number | null
  /** IPv4 addresses of this machine besides those of loopback. */
  readonly addresses: number | null
}

const KEYS = [
  'fs.nr_open',
  'fs.file-max',
  'fs.file-nr',
  'net.core.somaxconn',
  'net.core.rmem_max',
  'net.core.wmem_max',
  'net.core.netdev_max_backlog',
  'net.ipv4.tcp_mem',
  'net.ipv4.tcp_rmem',
  'net.ipv4.tcp_wmem',
  'net.ipv4.tcp_max_tw_buckets',
  'net.ipv4.ip_local_port_range',
  'net.netfilter.nf_conntrack_max',
  'net.netfilter.nf_conntrack_count',
  'vm.overcommit_memory',
  'vm.swappiness',
  'vm.min_free_kbytes',
] as const

/** A kernel setting that is read; there are no others in the table. */
export type Key = (typeof KEYS)[number]

/** @param root the folder that /proc and /sys lie in */
export function readMachine(own: Own = ownFacts(), root = ''): Readings {
  const memory = kilobytesIn(textOf(`${root}/proc/meminfo`))
  return {
    ...own,
    hasProc: existsSync(`${root}/proc/meminfo`),
    kernel: new Map(KEYS.flatMap((key) => settingIn(root, key))),
    availableBytes: memory.get('MemAvailable') ?? null,
    groupBytes: groupLimit(root),
    swapBytes: memory.get('SwapTotal') ?? null,
    addresses: addressesIn(textOf(`${root}/proc/net/fib_trie`)),
  }
}

function ownFacts(): Own {
  return { openFiles: openFilesLimit(), cores: availableParallelism() }
}

function settingIn(root: string, key: Key): [Key, number[]][] {
  const text = textOf(`${root}/proc/sys/${key.replaceAll('.', '/')}`)
  // A kernel without a limit says 2^63 - 1, of which no number here is to be the exact one.
  const numbers = text.split(/\s+/).filter((word) => /^\d+$/.test(word))
  return numbers.length > 0 ? [[key, numbers.map(Number)]] : []
}

function kilobytesIn(meminfo: string): Map<string, number> {
  const lines = [...meminfo.matchAll(/^(\w+):\s+(\d+) kB$/gm)]
  return new Map(lines.map(([, name = '', value]) => [name, Number(value) * 1024]))
}

/**
 * The least of the limits of this process's control group and of those around it, of either version.
 * In a container the paths may be those outside of it, while its own group lies at the top.
 */
function groupLimit(root: string): number | null {
  const groups = textOf(`${root}/proc/self/cgroup`).matchAll(/^\d+:(memory|):(\/\S*)$/gm)
  const limits = [...groups].flatMap(([, controller, path = '']) => {
    const [folder, file] =
      controller === 'memory' ? ['memory', 'memory.limit_in_bytes'] : ['', 'memory.max']
    return withThoseAround(path).flatMap((group) => {
      const text = textOf(`${root}/sys/fs/cgroup/${folder}${group}/${file}`).trim()
      // "max" in version 2, and in version 1 a number that is more than any memory.
      return /^\d{1,15}$/.test(text) ? Number(text) : []
    })
  })
  return limits.length > 0 ? Math.min(...limits) : null
}

/** `/a/b` as `/a/b`, `/a` and the top. */
function withThoseAround(path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '' && part !== '..')
  return ['', ...parts.map((_, at) => `/${parts.slice(0, at + 1).join('/')}`)]
}

/** Of the table of routes, which names an address of this machine twice. */
function addressesIn(fibTrie: string): number | null {
  if (fibTrie === '') return null
  const found = fibTrie.matchAll(/\|-- (\d+\.\d+\.\d+\.\d+)\n\s+\/32 host LOCAL/g)
  const addresses = [...found].map(([, address = '']) => address)
  return new Set(addresses.filter((address) => !address.startsWith('127.'))).size
}

/** A small file, or '' if it is not there or kept from us: both mean that nothing is known. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}
