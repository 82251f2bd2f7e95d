// Looks at the machine for the check before a run: limits, memory, addresses, settings. It judges
// nothing and changes nothing.

import { accessSync, constants, existsSync } from 'node:fs'
import { withTimeout } from '../../src/core/deadline.ts'
import { openFilesLimit } from '../../src/os/descriptors.ts'
import { diskFreeBytes } from '../harness/prepare.ts'
import { parseKilobytes, readProc, readText } from '../harness/proc.ts'
import { addressesFor, type Found } from './check.ts'

/** Milliseconds for a connection to this process itself. */
const CONNECT_MS_MAX = 10_000

/** Kernel settings that decide what a run can reach; kept with its result. */
const SETTINGS = [
  'net/ipv4/tcp_ehash_entries',
  'net/ipv4/tcp_mem',
  'net/ipv4/tcp_rmem',
  'net/ipv4/tcp_wmem',
  'net/ipv4/tcp_max_tw_buckets',
  'net/ipv4/tcp_max_orphans',
  'net/ipv4/ip_local_port_range',
  'net/core/somaxconn',
  'fs/file-max',
  'fs/nr_open',
  'vm/swappiness',
  'vm/min_free_kbytes',
] as const

export async function lookAtMachine(connections: number, keep: string | null): Promise<Found> {
  const hasProc = existsSync('/proc/meminfo')
  const limits = readProc('self/limits')
  return {
    hasProc,
    openFiles: openFilesLimit(),
    processesMax: numberIn(/^Max processes\s+(\d+)/m.exec(limits)?.[1]),
    pidMax: setting('kernel/pid_max'),
    memoryAvailableBytes: availableBytes(),
    diskFreeBytes: diskFreeBytes(keep),
    addressesMissing: hasProc ? unbindable(addressesFor(connections)) : [],
    somaxconn: setting('net/core/somaxconn'),
    tcpMemoryPagesMax: numberIn(readProc('sys/net/ipv4/tcp_mem').trim().split(/\s+/)[2]),
    fileMax: setting('fs/file-max'),
    filesOpen: setting('fs/file-nr') ?? 0,
    conntrackMax: hasProc ? await conntrackMax() : null,
    mayDropCaches: mayWrite('/proc/sys/vm/drop_caches'),
  }
}

/** The settings as they are, by their usual names. */
export function kernelSettings(): Record<string, string> {
  const entries = SETTINGS.map((path) => [
    path.replaceAll('/', '.'),
    readProc(`sys/${path}`).trim().replaceAll(/\s+/g, ' '),
  ])
  return Object.fromEntries(entries.filter(([, value]) => value !== '')) as Record<string, string>
}

function setting(path: string): number | null {
  return numberIn(readProc(`sys/${path}`).trim().split(/\s+/)[0])
}

function numberIn(text: string | undefined): number | null {
  return text === undefined || !/^\d+$/.test(text) ? null : Number(text)
}

/** What the machine has to give, or less if a control group allows less. */
function availableBytes(): number {
  const machine = parseKilobytes(readProc('meminfo'))['MemAvailable'] ?? 0
  const limits = [...readProc('self/cgroup').matchAll(/^\d+:(memory|):(\S*)$/gm)].flatMap(
    ([, controller, path]) => {
      const folder = `/sys/fs/cgroup${controller === 'memory' ? '/memory' : ''}${path}`
      const file = controller === 'memory' ? 'memory.limit_in_bytes' : 'memory.max'
      return numberIn(readText(`${folder}/${file}`).trim()) ?? []
    },
  )
  return Math.min(machine, ...limits)
}

function unbindable(addresses: readonly string[]): string[] {
  return addresses.filter((hostname) => {
    try {
      Bun.listen({ hostname, port: 0, socket: { data: () => undefined } }).stop(true)
      return false
    } catch {
      return true
    }
  })
}

/** A table may be allowed for but not used: it is in use if it has an entry while we are connected. */
async function conntrackMax(): Promise<number | null> {
  const max = setting('net/netfilter/nf_conntrack_max')
  if (max === null) return null
  const socket = { data: () => undefined }
  const listener = Bun.listen({ hostname: '127.0.0.1', port: 0, socket })
  try {
    const connecting = Bun.connect({ hostname: '127.0.0.1', port: listener.port, socket })
    const connection = await withTimeout('a connection', connecting, CONNECT_MS_MAX)
    const count = setting('net/netfilter/nf_conntrack_count')
    connection.terminate()
    return count === 0 ? null : max
  } finally {
    listener.stop(true)
  }
}

function mayWrite(path: string): boolean {
  try {
    accessSync(path, constants.W_OK)
    return true
  } catch {
    return false
  }
}
