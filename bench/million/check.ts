// What the machine must have for so many streams at both ends: each thing with what was found, what
// it should be, and why. Pure: machine.ts looks. It changes nothing.

import { streamLimits } from '../../src/core/limits.ts'
import { formatBytes, formatCount } from '../../src/core/units.ts'

/** What was found on the machine; null where it cannot be told. */
export interface Found {
  readonly hasProc: boolean
  readonly openFiles: number
  readonly processesMax: number | null
  readonly pidMax: number | null
  readonly memoryAvailableBytes: number
  readonly diskFreeBytes: number
  /** Of the loopback addresses that are needed, those that cannot be bound. */
  readonly addressesMissing: readonly string[]
  readonly somaxconn: number | null
  readonly tcpMemoryPagesMax: number | null
  readonly fileMax: number | null
  readonly filesOpen: number
  /** Does the kernel keep a table of connections, and how large may it be? */
  readonly conntrackMax: number | null
  readonly mayDropCaches: boolean
}

export interface CheckItem {
  readonly name: string
  readonly found: string
  readonly wanted: string
  /** One line for the person who has to change it. */
  readonly why: string
  readonly ok: boolean
}

/** Of memory for one stream, both ends, kernel and processes, with messages flowing. */
const BYTES_PER_STREAM = 14_500
const BYTES_BESIDES = 1024 ** 3
/** Text and database of the graph of friends, for one user, while it is loaded. */
const DISK_BYTES_PER_USER = 1_000
/** Processes of each end that are reasonable; each has memory of its own. */
const PROCESSES_MAX = 128
/** Open files that each process keeps from its streams at most. */
const FILES_RESERVED = 1_100
const THREADS_PER_PROCESS = 16
/** As many sockets as are open at once beside those of streams. */
const FILES_BESIDES = 10_000
/** Connections that Bun lets wait to be accepted, on one listening socket. */
const BACKLOG = 512

export function checkMachine(found: Found, connections: number): CheckItem[] {
  if (!found.hasProc) {
    const why = 'memory, processor time and limits are read from /proc'
    return [{ name: 'system', found: process.platform, wanted: 'Linux', why, ok: false }]
  }
  return [
    ...processItems(found, connections),
    ...roomItems(found, connections),
    ...networkItems(found, connections),
    {
      name: 'dropping the page cache',
      found: found.mayDropCaches ? 'allowed' : 'not allowed',
      wanted: 'either',
      why: 'what the page cache grows by is taken off from the fall in free memory; less is more exact',
      ok: true,
    },
  ]
}

/** Processes of one end that this open-files limit makes necessary. */
function processesFor(connections: number, openFiles: number): number {
  return Math.ceil(connections / Math.max(1, openFiles - FILES_RESERVED))
}

function processItems(found: Found, connections: number): CheckItem[] {
  const filesMin = FILES_RESERVED + Math.ceil(connections / PROCESSES_MAX)
  const processes = 2 * processesFor(connections, Math.max(filesMin, found.openFiles))
  const tasks = processes * THREADS_PER_PROCESS + 500
  return [
    atLeast('open files of a process (ulimit -n)', found.openFiles, filesMin, {
      why: `a stream is an open file; with fewer it takes more than ${PROCESSES_MAX} processes an end`,
    }),
    atLeast('processes and threads (ulimit -u)', found.processesMax, tasks, {
      why: `${processes} processes of up to ${THREADS_PER_PROCESS} threads each`,
    }),
    atLeast('kernel.pid_max', found.pidMax, tasks, { why: 'each thread has a number, too' }),
  ]
}

function roomItems(found: Found, connections: number): CheckItem[] {
  const memory = connections * BYTES_PER_STREAM + BYTES_BESIDES
  return [
    atLeast('memory available', found.memoryAvailableBytes, memory, {
      why: `${formatCount(BYTES_PER_STREAM)} bytes a stream for both ends and the kernel, and 1 GiB`,
      format: formatBytes,
    }),
    atLeast('disk free', found.diskFreeBytes, connections * DISK_BYTES_PER_USER, {
      why: 'for the graph of friends as text and as database',
      format: formatBytes,
    }),
    atLeast(
      'fs.file-max, less what is open',
      found.fileMax === null ? null : found.fileMax - found.filesOpen,
      2 * connections + FILES_BESIDES,
      { why: 'both ends of each connection are open files on this machine' },
    ),
  ]
}

function networkItems(found: Found, connections: number): CheckItem[] {
  const { addressesMissing, conntrackMax } = found
  // A page for every tenth: streams that are silent need none, and few are busy at once.
  const tcpPages = Math.ceil(connections / 10) + 25_600
  return [
    {
      name: 'loopback addresses',
      found: addressesMissing.length === 0 ? 'all can be bound' : `not ${addressesMissing.join()}`,
      wanted: `${addressesFor(connections).length} from 127.0.1.1 on`,
      why: 'one address has 55,000 ports to connect from, and 40,000 of each are used',
      ok: addressesMissing.length === 0,
    },
    atLeast('net.core.somaxconn', found.somaxconn, BACKLOG, {
      why: 'connections that wait to be accepted; beyond it the kernel tries again only after 1 s',
    }),
    atLeast('net.ipv4.tcp_mem, largest, in pages', found.tcpMemoryPagesMax, tcpPages, {
      why: 'what all sockets may hold on their way; at the limit the kernel drops and slows down',
    }),
    {
      name: 'connection tracking',
      found: conntrackMax === null ? 'off' : formatCount(conntrackMax),
      wanted: `off, or at least ${formatCount(2 * connections)}`,
      why: 'a firewall that keeps a table of connections refuses new ones when it is full',
      ok: conntrackMax === null || conntrackMax >= 2 * connections,
    },
    {
      name: 'net.ipv4.ip_local_port_range',
      found: 'any',
      wanted: 'any',
      why: 'local ports are bound explicitly, so that the range does not limit them',
      ok: true,
    },
    {
      name: 'highest user id',
      found: formatCount(Math.max(connections, streamLimits.userIdMaxDefault)),
      wanted: formatCount(connections),
      why: 'one stream a user; the server is started with --max-users where it takes more',
      ok: true,
    },
  ]
}

/** Where `comet flood` connects from, by itself. */
export function addressesFor(connections: number): string[] {
  const count = Math.max(1, Math.ceil(connections / 40_000))
  return Array.from({ length: count }, (_, at) => {
    const host = 257 + at
    return `127.0.${host >> 8}.${host & 255}`
  })
}

function atLeast(
  name: string,
  found: number | null,
  wanted: number,
  { why, format = formatCount }: { why: string; format?: (value: number) => string },
): CheckItem {
  return {
    name,
    found: found === null ? 'unknown' : format(found),
    wanted: `at least ${format(wanted)}`,
    why,
    // What cannot be told does not keep anybody from trying.
    ok: found === null || found >= wanted,
  }
}

/** The check as lines for people; what is missing says why it is wanted. */
export function checkTable(items: readonly CheckItem[]): string {
  const width = (pick: (of: CheckItem) => string) => Math.max(...items.map((of) => pick(of).length))
  const [names, founds] = [width((of) => of.name), width((of) => of.found)]
  const lines = items.map((of) => {
    const mark = of.ok ? 'ok     ' : 'MISSING'
    const why = of.ok ? '' : `\n          ${of.why}`
    return `  ${mark} ${of.name.padEnd(names)}  ${of.found.padStart(founds)}  ${of.wanted}${why}`
  })
  return lines.join('\n')
}
