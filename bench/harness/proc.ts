// Memory, CPU time and processes, read from /proc of Linux. Which process plays which role is
// decided elsewhere.

import { readdirSync, readFileSync } from 'node:fs'
import { pageSize } from '../../src/os/proc.ts'

/** Ticks of a second in /proc: the same for all programs on Linux, whatever the kernel uses. */
const TICKS_PER_SECOND = 100
const PAGE_BYTES = pageSize() ?? 4_096

/** One process, from /proc/PID/stat. */
export interface ProcessStat {
  readonly pid: number
  readonly parentPid: number
  /** CPU time since its start, user's and system's. */
  readonly cpuSeconds: number
  readonly residentBytes: number
}

/** Reads a line of /proc/PID/stat; the name in it may hold blanks and brackets. */
export function parseProcessStat(text: string): ProcessStat | undefined {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const number = (at: number) => Number(fields[at])
  const stat = {
    pid: Number.parseInt(text, 10),
    parentPid: number(1),
    cpuSeconds: (number(11) + number(12)) / TICKS_PER_SECOND,
    residentBytes: number(21) * PAGE_BYTES,
  }
  return Object.values(stat).every(Number.isFinite) ? stat : undefined
}

/** Every process there is. One small read each: 200 of them take a few milliseconds. */
export function readProcesses(): Map<number, ProcessStat> {
  const found = new Map<number, ProcessStat>()
  for (const name of processNames()) {
    const stat = parseProcessStat(readProc(`${name}/stat`))
    if (stat !== undefined) found.set(stat.pid, stat)
  }
  return found
}

function processNames(): string[] {
  return namesIn('/proc').filter((name) => /^\d+$/.test(name))
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    // Another system than Linux, or a process that has ended.
    return []
  }
}

/** All processes below one, itself left out. */
export function descendants(all: Iterable<ProcessStat>, root: number): Set<number> {
  const children = Map.groupBy(all, ({ parentPid }) => parentPid)
  const found = new Set<number>()
  const open = [root]
  for (let pid = open.pop(); pid !== undefined; pid = open.pop()) {
    for (const child of children.get(pid) ?? []) {
      if (found.has(child.pid)) continue
      found.add(child.pid)
      open.push(child.pid)
    }
  }
  return found
}

function processesOf(root: number): ProcessStat[] {
  const all = readProcesses()
  const pids = [root, ...descendants(all.values(), root)]
  return pids.map((pid) => all.get(pid)).filter((of) => of !== undefined)
}

/** CPU time of a program and its children so far. */
export function cpuSeconds(root: number): number {
  return processesOf(root).reduce((sum, of) => sum + of.cpuSeconds, 0)
}

/** Open files of a program and its children. */
export function openFiles(root: number): number {
  return processesOf(root).reduce((sum, { pid }) => sum + namesIn(`/proc/${pid}/fd`).length, 0)
}

/** Resident memory of a program and its children. Cheap: no page is walked. */
export function residentBytes(root: number): number {
  return processesOf(root).reduce((sum, of) => sum + of.residentBytes, 0)
}

/** Memory of a program with all its processes. */
export interface ProgramMemory {
  /** Heap, stacks and memory that its processes share: what belongs to no file. */
  readonly ownBytes: number
  /** Everything resident, its executable included; what its processes share counts once. */
  readonly residentBytes: number
}

export function programMemory(root: number): ProgramMemory {
  return memoryIn(processesOf(root).map(({ pid }) => readProc(`${pid}/smaps_rollup`)))
}

/** The memory of these processes, each as /proc/PID/smaps_rollup has it. */
export function memoryIn(rollups: readonly string[]): ProgramMemory {
  const figures = rollups.map(parseKilobytes)
  const sum = (names: readonly string[]) =>
    figures.reduce((all, of) => names.reduce((some, name) => some + (of[name] ?? 0), all), 0)
  const shared = figures.map((of) => (of['Shared_Clean'] ?? 0) + (of['Shared_Dirty'] ?? 0))
  return {
    ownBytes: sum(['Pss_Anon', 'Pss_Shmem']),
    // Processes of one program share the same executable and the same memory, so the most that any
    // of them shares is what there is.
    residentBytes: sum(['Private_Clean', 'Private_Dirty']) + Math.max(0, ...shared),
  }
}

/** Proportional memory of one process: pages shared with others count by their share. */
export interface Proportional {
  readonly bytes: number
  /** Of it what belongs to no file: heap and stacks, without the pages of the executable. */
  readonly anonymousBytes: number
}

/** The kernel walks all pages of the process for it, which takes milliseconds. */
export function readProportional(pid: number): Proportional | undefined {
  const figures = parseKilobytes(readProc(`${pid}/smaps_rollup`))
  const [bytes, anonymousBytes] = [figures['Pss'], figures['Pss_Anon']]
  return bytes === undefined ? undefined : { bytes, anonymousBytes: anonymousBytes ?? bytes }
}

/** The figures of /proc/meminfo, or of smaps_rollup, in bytes. */
export function parseKilobytes(text: string): Record<string, number> {
  const pairs = text.matchAll(/^([\w()]+):\s+(\d+) kB$/gm)
  return Object.fromEntries([...pairs].map(([, name = '', value]) => [name, Number(value) * 1024]))
}

/** What the memory of the machine is used for. */
export interface MachineMemory {
  readonly freeBytes: number
  /** Pages of files that no process maps. The kernel frees them when memory is needed. */
  readonly pageCacheBytes: number
  /** Of the kernel: objects such as sockets, stacks of threads, page tables. */
  readonly kernelBytes: number
}

export function machineMemory(meminfo = readProc('meminfo')): MachineMemory {
  const figures = parseKilobytes(meminfo)
  const of = (name: string): number => figures[name] ?? 0
  return {
    freeBytes: of('MemFree'),
    // Shared memory is counted as cached but belongs to processes, and so do files that they map,
    // such as their own executable.
    pageCacheBytes: of('Cached') + of('Buffers') - of('Shmem') - of('Mapped'),
    // All of the slab: inodes of sockets count as reclaimable, although open sockets pin them.
    kernelBytes: of('Slab') + of('KernelStack') + of('PageTables'),
  }
}

/** CPU time of the machine since its start, of all cores together. */
export interface MachineCpu {
  readonly busySeconds: number
  /** That the host of a virtual machine took away. */
  readonly stolenSeconds: number
}

export function machineCpu(text = readProc('stat')): MachineCpu {
  const line = /^cpu\s+(.*)$/m.exec(text)?.[1] ?? ''
  // user nice system idle iowait irq softirq steal; guests are in user already.
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line
    .split(' ')
    .map(Number)
  const busyTicks = user + nice + system + irq + softirq
  return { busySeconds: busyTicks / TICKS_PER_SECOND, stolenSeconds: steal / TICKS_PER_SECOND }
}

/** A file of /proc, or '' if it is gone or not readable: processes end while we look at them. */
export function readProc(path: string): string {
  try {
    return readFileSync(`/proc/${path}`, 'latin1')
  } catch {
    return ''
  }
}
