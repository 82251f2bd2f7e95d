// What the machine must have for so many streams at both ends: what `comet doctor` knows, and what
// only this bench needs. Each item has what was found, what is wanted and why. It changes nothing.

import { existsSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { floodLimits } from '../../src/core/tool-limits.ts'
import { formatBytes, formatCount, formatQuantity } from '../../src/core/units.ts'
import { assess } from '../../src/doctor/assessment.ts'
import { type Demand, filesFor, processesFor } from '../../src/doctor/demand.ts'
import { type MachineFacts, readMachine } from '../../src/doctor/machine.ts'
import { defaultSources } from '../../src/flood/local-ends.ts'
import { mayDropCaches } from '../harness/machine.ts'
import { readProc } from '../harness/proc.ts'

export interface CheckItem {
  readonly name: string
  readonly found: string
  readonly wanted: string
  /** One line for the person who has to change it. */
  readonly why: string
  readonly ok: boolean
}

/** What was found on the machine besides what the doctor reads; null where it is not known. */
export interface Found {
  readonly machine: MachineFacts
  readonly processesMax: number | null
  readonly pidMax: number | null
  readonly diskFreeBytes: number
  /** Loopback addresses that are needed and cannot be bound. */
  readonly addressesMissing: readonly string[]
  readonly mayDropCaches: boolean
  /** May this process have files open beyond `fs.file-max`, as its children may? */
  readonly mayExceedFileMax: boolean
}

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

/** Text and database of the graph of friends, for one user, while it is loaded. */
const DISK_BYTES_PER_USER = 1_000
const THREADS_PER_PROCESS = 16
/** Processes and threads of everything else on the machine. */
const OTHER_TASKS = 500

/** @param folder where the graph of friends will be; null for a temporary one */
export function lookAtMachine(connections: number, folder: string | null): Found {
  const existing = folder !== null && existsSync(folder) ? folder : tmpdir()
  const { bavail, bsize } = statfsSync(existing)
  const machine = readMachine()
  return {
    machine,
    processesMax: numberIn(/^Max processes\s+(\d+)/m.exec(readProc('self/limits'))?.[1]),
    pidMax: numberIn(readProc('sys/kernel/pid_max').trim()),
    diskFreeBytes: bavail * bsize,
    addressesMissing: machine.hasProc ? unbindable(defaultSources('127.0.0.1', connections)) : [],
    mayDropCaches: mayDropCaches(),
    mayExceedFileMax: mayExceedFileMax(readProc('self/status')),
  }
}

/** Number of CAP_SYS_ADMIN in <linux/capability.h>, whose holders the kernel exempts. */
const CAP_SYS_ADMIN = 21n

/** Says /proc/PID/status that `fs.file-max` is no limit for the process? See proc(5). */
export function mayExceedFileMax(status: string): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1]
  return effective !== undefined && ((BigInt(`0x${effective}`) >> CAP_SYS_ADMIN) & 1n) === 1n
}

function numberIn(text: string | undefined): number | null {
  return text === undefined || !/^\d+$/.test(text) ? null : Number(text)
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

export function checkMachine(found: Found, connections: number): CheckItem[] {
  const { machine, addressesMissing } = found
  if (!machine.hasProc) {
    const why = 'memory, CPU time and limits are read from /proc'
    return [{ name: 'system', found: process.platform, wanted: 'Linux', why, ok: false }]
  }
  const demand: Demand = { connections, end: 'both', sources: null }
  const processes = processesFor(demand, Math.max(machine.openFiles, filesFor(demand)))
  const tasks = processes * THREADS_PER_PROCESS + OTHER_TASKS
  const disk = connections * DISK_BYTES_PER_USER
  return [
    ...assess(machine, demand).findings.map(({ setting, state, shown, want }) => {
      const { name, why } = setting
      const isExempt = name === 'fs.file-max' && found.mayExceedFileMax
      const ok = state !== 'short' || isExempt
      return {
        name,
        found: isExempt ? `${shown}, not for root` : shown,
        wanted: want.text,
        why,
        ok,
      }
    }),
    atLeast('processes and threads (ulimit -u)', found.processesMax, tasks, {
      why: `${formatQuantity(processes, 'process', 'processes')} of up to ${THREADS_PER_PROCESS} threads each`,
    }),
    atLeast('kernel.pid_max', found.pidMax, tasks, { why: 'each thread has a number, too' }),
    atLeast('disk free', found.diskFreeBytes, disk, {
      why: 'for the graph of friends as text and as database',
      format: formatBytes,
    }),
    {
      name: 'loopback addresses',
      found: addressesMissing.length === 0 ? 'all can be bound' : `not ${addressesMissing.join()}`,
      wanted: `${defaultSources('127.0.0.1', connections).length} from 127.0.1.1 on`,
      why: `comet flood opens ${formatCount(floodLimits.connectionsPerAddress)} streams from each`,
      ok: addressesMissing.length === 0,
    },
    {
      name: 'dropping the page cache',
      found: found.mayDropCaches ? 'allowed' : 'not allowed',
      wanted: 'either',
      why: 'growth of the page cache is deducted from the fall in free memory; less is more exact',
      ok: true,
    },
  ]
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
    // What is not known does not prevent a run.
    ok: found === null || found >= wanted,
  }
}

/** The check as lines for people; an item that is missing says why it is wanted. */
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

/** The settings as they are, by their names for sysctl(8). */
export function kernelSettings(): Record<string, string> {
  const entries = SETTINGS.map((path) => [
    path.replaceAll('/', '.'),
    readProc(`sys/${path}`).trim().replaceAll(/\s+/g, ' '),
  ])
  return Object.fromEntries(entries.filter(([, value]) => value !== '')) as Record<string, string>
}
