// Figures of the kernel: of the machine, its network devices and its TCP, and of one process. Read
// from /proc on request; null on other systems, and where /proc cannot be read.

import { readFileSync } from 'node:fs'
import { loadavg } from 'node:os'

export interface SystemFigures {
  /** CPU time since the machine started, of all cores together. */
  readonly userSeconds: number
  /** The kernel's, interrupts included; most of what a server of very many streams costs. */
  readonly systemSeconds: number
  /** Processes that run or are ready to run, averaged over about a minute. */
  readonly load: number
  readonly memoryBytes: number
  /** Memory that is available without swapping. */
  readonly memoryAvailableBytes: number
  /** The kernel's own tables, of which sockets are the largest part here. */
  readonly kernelBytes: number
}

export function systemFigures(): SystemFigures | null {
  const [stat, meminfo] = [read('/proc/stat'), read('/proc/meminfo')]
  if (stat === null || meminfo === null) return null
  const [load = 0] = loadavg()
  return { ...parseCpuTime(stat), ...parseMemory(meminfo), load }
}

/**
 * Ticks of a second in /proc/stat: the same for all programs on Linux, whatever the kernel's own.
 */
const TICKS_PER_SECOND = 100

/** The line `cpu  user nice system idle iowait irq softirq …`, the first of /proc/stat. */
export function parseCpuTime(text: string): Pick<SystemFigures, 'userSeconds' | 'systemSeconds'> {
  const line = text.slice(0, text.indexOf('\n'))
  const [user = 0, nice = 0, system = 0, , , interrupts = 0, softInterrupts = 0] = line
    .split(/\s+/)
    .slice(1)
    .map(Number)
  return {
    userSeconds: (user + nice) / TICKS_PER_SECOND,
    systemSeconds: (system + interrupts + softInterrupts) / TICKS_PER_SECOND,
  }
}

/** Lines of `MemTotal:       24689764 kB`. */
export function parseMemory(
  text: string,
): Pick<SystemFigures, 'memoryBytes' | 'memoryAvailableBytes' | 'kernelBytes'> {
  const bytesOf = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1] ?? 0) * 1024
  return {
    memoryBytes: bytesOf('MemTotal'),
    memoryAvailableBytes: bytesOf('MemAvailable'),
    kernelBytes: bytesOf('Slab') + bytesOf('KernelStack') + bytesOf('PageTables'),
  }
}

/** Counted since the devices were added. */
export interface Traffic {
  readonly receivedBytes: number
  readonly sentBytes: number
  readonly receivedPackets: number
  readonly sentPackets: number
}

export interface NetworkFigures {
  /** Of all devices that connect to other machines. */
  readonly outside: Traffic
  /** Within this machine, where each byte that is sent is received too. */
  readonly loopback: Traffic
}

export function networkFigures(): NetworkFigures | null {
  const text = read('/proc/net/dev')
  return text === null ? null : parseNetworkDevices(text)
}

const NO_TRAFFIC: Traffic = { receivedBytes: 0, sentBytes: 0, receivedPackets: 0, sentPackets: 0 }

/** Devices that repeat what another one carries: bridges, and the ends of containers. */
const IS_REPEATING = /^(veth|docker|br-|virbr|ifb)/

/** Lines of `eth0: 699615960 26382 0 0 0 0 0 0 1949823 19463 0 …`, below two of words. */
export function parseNetworkDevices(text: string): NetworkFigures {
  let [outside, loopback] = [NO_TRAFFIC, NO_TRAFFIC]
  for (const [, device = '', rest = ''] of text.matchAll(/^\s*([^\s:]+):(.*)$/gm)) {
    const [receivedBytes = 0, receivedPackets = 0, , , , , , , sentBytes = 0, sentPackets = 0] =
      rest.trim().split(/\s+/).map(Number)
    const traffic = { receivedBytes, sentBytes, receivedPackets, sentPackets }
    if (device === 'lo') loopback = addTraffic(loopback, traffic)
    else if (!IS_REPEATING.test(device)) outside = addTraffic(outside, traffic)
  }
  return { outside, loopback }
}

function addTraffic(one: Traffic, other: Traffic): Traffic {
  return {
    receivedBytes: one.receivedBytes + other.receivedBytes,
    sentBytes: one.sentBytes + other.sentBytes,
    receivedPackets: one.receivedPackets + other.receivedPackets,
    sentPackets: one.sentPackets + other.sentPackets,
  }
}

/** The TCP of this machine; in a container, sockets in use and in TIME_WAIT are the container's. */
export interface TcpFigures {
  /** Bytes in the buffers of all sockets, without the sockets themselves. */
  readonly memoryBytes: number
  /** Bytes at which the kernel allocates no more. */
  readonly memoryLimitBytes: number | null
  readonly socketsInUse: number
  /** Sockets that no process has open, and that still have bytes to send. */
  readonly socketsOrphaned: number
  readonly socketsInTimeWait: number
}

/** Of both versions of IP. */
export function tcpFigures(): TcpFigures | null {
  const text = read('/proc/net/sockstat')
  const pageBytes = pageSize()
  if (text === null || pageBytes === null) return null
  const { TCP: tcp } = parseSockstat(text)
  const { TCP6: six } = parseSockstat(read('/proc/net/sockstat6') ?? '')
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

type Counts = Record<string, number>

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

/**
 * Bytes of a process's memory that belong to no file and are shared with no other process. Most of
 * what is resident besides is the executable, which all processes of a server share.
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
export function pageSize(): number | null {
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
    // Another system than Linux, a process that has ended, or one that this one may not read.
    return null
  }
}
