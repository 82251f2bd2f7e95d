// Reads this machine: kernel settings, memory, limits, addresses. What cannot be read, on another
// system or in a container, is unknown.

import { existsSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { openFilesLimit } from '../os/descriptors.ts'

/** Known without reading files. */
export interface ProcessFacts {
  /** Files that one process may have open. */
  readonly openFiles: number
  readonly cores: number
}

export interface MachineFacts extends ProcessFacts {
  readonly hasProc: boolean
  /** Kernel settings by their names for sysctl(8); unknown ones are missing. */
  readonly kernel: ReadonlyMap<string, readonly number[]>
  readonly availableBytes: number | null
  /** The limit of this process's control group; null if there is none. */
  readonly groupBytes: number | null
  readonly swapBytes: number | null
  /** IPv4 addresses of this machine without those of loopback. */
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

/** A kernel setting that is read. */
export type KernelKey = (typeof KEYS)[number]

/** @param root the folder with /proc and /sys */
export function readMachine(facts: ProcessFacts = processFacts(), root = ''): MachineFacts {
  const memory = kilobytesIn(textOf(`${root}/proc/meminfo`))
  return {
    ...facts,
    hasProc: existsSync(`${root}/proc/meminfo`),
    kernel: new Map(KEYS.flatMap((key) => settingIn(root, key))),
    availableBytes: memory.get('MemAvailable') ?? null,
    groupBytes: groupLimit(root),
    swapBytes: memory.get('SwapTotal') ?? null,
    addresses: addressesIn(textOf(`${root}/proc/net/fib_trie`)),
  }
}

function processFacts(): ProcessFacts {
  return { openFiles: openFilesLimit(), cores: availableParallelism() }
}

function settingIn(root: string, key: KernelKey): [KernelKey, number[]][] {
  const text = textOf(`${root}/proc/sys/${key.replaceAll('.', '/')}`)
  // Without a limit the kernel says 2^63 - 1, which no number here has to be exactly.
  const numbers = text.split(/\s+/).filter((word) => /^\d+$/.test(word))
  return numbers.length > 0 ? [[key, numbers.map(Number)]] : []
}

function kilobytesIn(meminfo: string): Map<string, number> {
  const lines = [...meminfo.matchAll(/^(\w+):\s+(\d+) kB$/gm)]
  return new Map(lines.map(([, name = '', value]) => [name, Number(value) * 1024]))
}

/**
 * The least of the limits of this process's control group and its parents, of either version. In a
 * container the paths may be those outside of it, while its own group is at the top.
 */
function groupLimit(root: string): number | null {
  const groups = textOf(`${root}/proc/self/cgroup`).matchAll(/^\d+:(memory|):(\/\S*)$/gm)
  const limits = [...groups].flatMap(([, controller, path = '']) => {
    const [folder, file] =
      controller === 'memory' ? ['memory', 'memory.limit_in_bytes'] : ['', 'memory.max']
    return withParents(path).flatMap((group) => {
      const text = textOf(`${root}/sys/fs/cgroup/${folder}${group}/${file}`).trim()
      // "max" in version 2, and in version 1 a number that is more than any memory.
      return /^\d{1,15}$/.test(text) ? Number(text) : []
    })
  })
  return limits.length > 0 ? Math.min(...limits) : null
}

/** `/a/b` as `/a/b`, `/a` and the top. */
function withParents(path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '' && part !== '..')
  return ['', ...parts.map((_, at) => `/${parts.slice(0, at + 1).join('/')}`)]
}

/** Counted in the table of routes, which has an address of this machine twice. */
function addressesIn(fibTrie: string): number | null {
  if (fibTrie === '') return null
  const found = fibTrie.matchAll(/\|-- (\d+\.\d+\.\d+\.\d+)\n\s+\/32 host LOCAL/g)
  const addresses = [...found].map(([, address = '']) => address)
  return new Set(addresses.filter((address) => !address.startsWith('127.'))).size
}

/**
 * The text of a file, or '' if it is missing or may not be read: both mean that nothing is known.
 */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}
