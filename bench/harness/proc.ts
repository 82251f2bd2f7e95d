// What /proc says of this machine and of processes: the texts read, and the numbers in them. It
// knows nothing of roles or phases; that is the sampler's.

import { readdirSync, readFileSync } from 'node:fs'

/** One process, from /proc/PID/stat. */
export interface ProcessStat {
  readonly pid: number
  readonly parentPid: number
  /** Processor time since its start, in ticks of {@link ticksPerSecond}. */
  readonly cpuTicks: number
  readonly residentPages: number
}

/** Reads a line of /proc/PID/stat; the name in it may hold blanks and brackets. */
export function parseProcessStat(text: string): ProcessStat | undefined {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const number = (at: number) => Number(fields[at])
  const stat = {
    pid: Number.parseInt(text, 10),
    parentPid: number(1),
    cpuTicks: number(11) + number(12),
    residentPages: number(21),
  }
  return Object.values(stat).every(Number.isFinite) ? stat : undefined
}

/** The figures of /proc/meminfo, or of smaps_rollup, in bytes. */
export function parseKilobytes(text: string): Record<string, number> {
  const figures: Record<string, number> = {}
  for (const [, name = '', value] of text.matchAll(/^([\w()]+):\s+(\d+) kB$/gm)) {
    figures[name] = Number(value) * 1024
  }
  return figures
}

/** What the machine's memory is taken by. */
export interface MachineMemory {
  readonly freeBytes: number
  /** Pages of files that no process maps. The kernel gives them back for the asking. */
  readonly pageCacheBytes: number
  /** The kernel's own: objects such as sockets, stacks of threads, tables of pages. */
  readonly kernelBytes: number
}

export function machineMemory(meminfo: string): MachineMemory {
  const figures = parseKilobytes(meminfo)
  const of = (name: string): number => figures[name] ?? 0
  return {
    freeBytes: of('MemFree'),
    // Shared memory is counted as cached but belongs to processes, and so do files that they map,
    // such as their own program.
    pageCacheBytes: of('Cached') + of('Buffers') - of('Shmem') - of('Mapped'),
    // All of the slab: sockets' inodes count as reclaimable, although open sockets pin them.
    kernelBytes: of('Slab') + of('KernelStack') + of('PageTables'),
  }
}

/** Processor time of the machine since its start, in ticks. */
export interface MachineCpu {
  readonly busyTicks: number
  /** Time that the machine's own host took away. */
  readonly stolenTicks: number
}

/** Reads the first line of /proc/stat. */
export function parseMachineCpu(text: string): MachineCpu {
  const line = /^cpu\s+(.*)$/m.exec(text)?.[1] ?? ''
  // user nice system idle iowait irq softirq steal; guests are in user already.
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line
    .split(' ')
    .map(Number)
  return { busyTicks: user + nice + system + irq + softirq, stolenTicks: steal }
}

export interface TcpSockets {
  readonly inUse: number
  readonly memoryPages: number
}

/** Reads /proc/net/sockstat. */
export function parseSockets(text: string): TcpSockets {
  const match = /^TCP: inuse (\d+) .*\bmem (\d+)/m.exec(text)
  return { inUse: Number(match?.[1] ?? 0), memoryPages: Number(match?.[2] ?? 0) }
}

/** All processes below one, itself left out. */
export function descendants(all: Iterable<ProcessStat>, root: number): Set<number> {
  const children = new Map<number, number[]>()
  for (const { pid, parentPid } of all) {
    const siblings = children.get(parentPid)
    if (siblings === undefined) children.set(parentPid, [pid])
    else siblings.push(pid)
  }
  const found = new Set<number>()
  const open = [root]
  for (let pid = open.pop(); pid !== undefined; pid = open.pop()) {
    for (const child of children.get(pid) ?? []) {
      if (found.has(child)) continue
      found.add(child)
      open.push(child)
    }
  }
  return found
}

/** A file of /proc, or '' if it is gone or not to be read: processes end while they are looked at. */
export function readProc(path: string): string {
  return readText(`/proc/${path}`)
}

/** A small file, or '' if it cannot be read. */
export function readText(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}

/** Every process there is. One small read each: 200 of them take a few milliseconds. */
export function readProcesses(): Map<number, ProcessStat> {
  const found = new Map<number, ProcessStat>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const stat = parseProcessStat(readProc(`${name}/stat`))
    if (stat !== undefined) found.set(stat.pid, stat)
  }
  return found
}

/** A process's proportional memory: pages shared with others count by their share. */
export interface Proportional {
  readonly bytes: number
  /** Of it what belongs to no file: heap and stacks, and not the program's own pages. */
  readonly anonymousBytes: number
}

/** The kernel walks all of the process's pages for it, which takes milliseconds. */
export function readProportional(pid: number): Proportional | undefined {
  const figures = parseKilobytes(readProc(`${pid}/smaps_rollup`))
  const [bytes, anonymousBytes] = [figures['Pss'], figures['Pss_Anon']]
  return bytes === undefined ? undefined : { bytes, anonymousBytes: anonymousBytes ?? bytes }
}

export const ticksPerSecond = fromGetconf('CLK_TCK', 100)
export const pageBytes = fromGetconf('PAGESIZE', 4_096)

function fromGetconf(name: string, usual: number): number {
  try {
    return Number(Bun.spawnSync(['getconf', name]).stdout.toString()) || usual
  } catch {
    return usual
  }
}
