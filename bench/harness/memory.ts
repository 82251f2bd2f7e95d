// Memory and processor time of a server with all its processes, read from /proc.

import {
  descendants,
  type ProcessStat,
  pageBytes,
  parseKilobytes,
  readProc,
  readProcesses,
  ticksPerSecond,
} from './proc.ts'

/** Memory of a server with all its processes. */
export interface ServerMemory {
  /** Heap, stacks and memory that its processes share: what belongs to no file. */
  readonly ownBytes: number
  /** Everything resident, its program included; what its processes share counts once. */
  readonly residentBytes: number
}

/** The memory of these processes, each as /proc/PID/smaps_rollup tells it. */
export function memoryIn(rollups: readonly string[]): ServerMemory {
  const figures = rollups.map(parseKilobytes)
  const sum = (names: readonly string[]) =>
    figures.reduce((all, of) => names.reduce((some, name) => some + (of[name] ?? 0), all), 0)
  const shared = figures.map((of) => (of['Shared_Clean'] ?? 0) + (of['Shared_Dirty'] ?? 0))
  return {
    ownBytes: sum(['Pss_Anon', 'Pss_Shmem']),
    // Processes of one server share the same program and the same memory, so the most that any of
    // them shares is what there is.
    residentBytes: sum(['Private_Clean', 'Private_Dirty']) + Math.max(0, ...shared),
  }
}

export function serverMemory(root: number): ServerMemory {
  return memoryIn(processesOf(root).map(({ pid }) => readProc(`${pid}/smaps_rollup`)))
}

/** Cheap: no page is walked, so it may be asked again and again. */
export function residentBytes(root: number): number {
  return processesOf(root).reduce((sum, of) => sum + of.residentPages * pageBytes, 0)
}

/** Processor time, user's and system's, of a program and its children so far. */
export function cpuSeconds(root: number): number {
  return processesOf(root).reduce((sum, { cpuTicks }) => sum + cpuTicks, 0) / ticksPerSecond
}

function processesOf(root: number): ProcessStat[] {
  const all = readProcesses()
  const pids = [root, ...descendants(all.values(), root)]
  return pids.map((pid) => all.get(pid)).filter((of) => of !== undefined)
}
