// What memory the kernel counts, of a process and of all TCP connections, read when somebody asks.
// Nothing of it is to be had outside Linux; what is missing is null, and never an error.

import { readFileSync } from 'node:fs'

/** The TCP of this machine; in a container, sockets in use and in TIME_WAIT are the container's. */
export interface TcpFigures {
  /** Bytes in the buffers of all sockets; the sockets themselves are not in it. */
  readonly memoryBytes: number
  /** Bytes at which the kernel gives none any more. */
  readonly memoryLimitBytes: number | null
  readonly socketsInUse: number
  /** Sockets that no process holds, and that still have bytes to send. */
  readonly socketsOrphaned: number
  readonly socketsInTimeWait: number
}

/** The kernel's own figures of TCP, of both versions of IP; null where it tells none. */
export function tcpFigures(): TcpFigures | null {
  const text = read('/proc/net/sockstat')
  const pageBytes = pageSize()
  if (text === null || pageBytes === null) return null
  const figures = parseSockstat(text)
  const { TCP6: six } = parseSockstat(read('/proc/net/sockstat6') ?? '')
  const tcp = figures['TCP']
  if (tcp === undefined) return null
  // Three numbers of pages: low, pressure and high.
  const high = read('/proc/sys/net/ipv4/tcp_mem')?.trim().split(/\s+/)[2]
  return {
    memoryBytes: (tcp['mem'] ?? 0) * pageBytes,
    memoryLimitBytes: high === undefined ? null : Number(high) * pageBytes,
    socketsInUse: (tcp['inuse'] ?? 0) + (six?.['inuse'] ?? 0),
    socketsOrphaned: tcp['orphan'] ?? 0,
    socketsInTimeWait: tcp['tw'] ?? 0,
  }
}

/** Lines of `TCP: inuse 6 orphan 0 tw 2964`, by protocol and name. */
export function parseSockstat(text: string): Partial<Record<string, Partial<Counts>>> {
  const lines = text.trim().split('\n')
  return Object.fromEntries(
    lines.map((line) => {
      const [protocol = '', rest = ''] = line.split(': ')
      const pairs = rest.matchAll(/(\w+) (\d+)/g)
      return [
        protocol,
        Object.fromEntries([...pairs].map(([, name, count]) => [name, +`${count}`])),
      ]
    }),
  )
}

type Counts = Record<string, number>

/**
 * Bytes of a process's memory that belong to no file and are nobody else's. What is resident besides
 * is mostly the executable, which all processes of a server share.
 */
export function anonymousBytes(pid: number): number | null {
  const text = read(`/proc/${pid}/statm`)
  const pageBytes = pageSize()
  if (text === null || pageBytes === null) return null
  const [, resident = 0, shared = 0] = text.split(' ').map(Number)
  return (resident - shared) * pageBytes
}

let pageBytes: number | null | undefined

/** Bytes of a page: an entry of the table that the kernel gives every process (getauxval(3)). */
function pageSize(): number | null {
  pageBytes ??= findPageSize()
  return pageBytes
}

const AT_PAGESZ = 6n

function findPageSize(): number | null {
  const bytes = readBytes('/proc/self/auxv')
  if (bytes === null) return null
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let at = 0; at + 16 <= bytes.length; at += 16) {
    if (view.getBigUint64(at, true) === AT_PAGESZ) return Number(view.getBigUint64(at + 8, true))
  }
  return null
}

function read(path: string): string | null {
  return readBytes(path)?.toString('utf8') ?? null
}

function readBytes(path: string): Buffer | null {
  try {
    return readFileSync(path)
  } catch {
    // Another system than Linux, a process that has ended, or one that may not be looked at.
    return null
  }
}
