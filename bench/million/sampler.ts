// Looks at the machine and at the processes of a run once a second, and cheaply: what is measured
// must not be slowed by it. It starts and ends nothing.

import type { FloodSample } from '../../src/flood/sample.ts'
import {
  descendants,
  machineMemory,
  type ProcessStat,
  pageBytes,
  parseMachineCpu,
  parseSockets,
  readProc,
  readProcesses,
  readProportional,
  ticksPerSecond,
} from '../harness/proc.ts'
import type { Memory } from './record.ts'
import { ROLES, type Role, type Sample } from './sample.ts'

const EVERY_MS = 1_000

type ByRole = Record<Role, number>

/** The processes to look at, as far as they run. Their children are found. */
export interface Watched {
  server: number | null
  flood: number | null
  gen: number | null
}

/** Processor seconds since the start of the run. */
export interface Cpu {
  readonly byRole: Readonly<ByRole>
  readonly machine: number
}

interface Seen {
  role: Role
  ticks: number
  residentBytes: number
  /** Its proportional memory when that was read last, and its resident memory then. */
  pssBytes: number
  anonymousBytes: number
  pssAtResidentBytes: number
}

export class Sampler {
  readonly watched: Watched = { server: null, flood: null, gen: null }
  readonly samples: Sample[] = []
  /** Seconds in which the proportional memory of every process is read once. */
  pssEverySeconds = 15
  readonly #startedMs = performance.now()
  readonly #floodLines: () => readonly FloodSample[]
  readonly #seen = new Map<number, Seen>()
  /** Processes that run, and where in their list the next proportional memory is to be read. */
  #living: number[] = []
  #turn = 0
  /** What processes that have ended had used. */
  readonly #endedTicks: ByRole = newByRole()
  #baseline = machineMemory(readProc('meminfo'))
  #previous: { atMs: number; cpu: Cpu; stolen: number; line: FloodSample | undefined }
  #timer: ReturnType<typeof setInterval> | null = null

  constructor(floodLines: () => readonly FloodSample[]) {
    this.#floodLines = floodLines
    this.#previous = {
      atMs: this.#startedMs,
      cpu: this.cpu(),
      stolen: stolenSeconds(),
      line: undefined,
    }
  }

  get seconds(): number {
    return (performance.now() - this.#startedMs) / 1000
  }

  /** From now on: memory counts as taken from here, and each second is noted. */
  start(): void {
    this.#baseline = machineMemory(readProc('meminfo'))
    this.#timer = setInterval(() => this.samples.push(this.#sample()), EVERY_MS)
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
  }

  /** Looks at all processes now. */
  cpu(): Cpu {
    this.#look()
    const byRole = newByRole()
    for (const role of ROLES) byRole[role] = this.#endedTicks[role] / ticksPerSecond
    for (const { role, ticks } of this.#seen.values()) byRole[role] += ticks / ticksPerSecond
    return { byRole, machine: parseMachineCpu(readProc('stat')).busyTicks / ticksPerSecond }
  }

  /** Reads the proportional memory of every process anew, letting others have their turns. */
  async memory(): Promise<Memory> {
    this.#look()
    for (const pid of this.#living) {
      this.#readPss(pid)
      await Bun.sleep(1)
    }
    const anonymous = newByRole()
    for (const { role, anonymousBytes } of this.#seen.values()) anonymous[role] += anonymousBytes
    return { ...this.#memoryNow(), anonymous }
  }

  /** Memory taken from the machine since the start: what is no longer free and no page cache. */
  taken(): { takenBytes: number; kernelBytes: number; pageCacheBytes: number; fallBytes: number } {
    const now = machineMemory(readProc('meminfo'))
    const fallBytes = this.#baseline.freeBytes - now.freeBytes
    const pageCacheBytes = now.pageCacheBytes - this.#baseline.pageCacheBytes
    return {
      takenBytes: fallBytes - pageCacheBytes,
      kernelBytes: now.kernelBytes - this.#baseline.kernelBytes,
      pageCacheBytes,
      fallBytes,
    }
  }

  processes(role: Role): number {
    return this.#living.filter((pid) => this.#seen.get(pid)?.role === role).length
  }

  #sample(): Sample {
    const before = this.#previous
    const line = this.#floodLines().at(-1)
    const now = { atMs: performance.now(), cpu: this.cpu(), stolen: stolenSeconds(), line }
    this.#previous = now
    this.#readSomePss()
    const seconds = (now.atMs - before.atMs) / 1000
    const cores = (used: (cpu: Cpu) => number) => (used(now.cpu) - used(before.cpu)) / seconds
    const memory = this.#memoryNow()
    const roles = ROLES.flatMap((role) => [
      [`${role}Bytes`, memory[role]],
      [`${role}Cores`, cores((cpu) => cpu.byRole[role])],
    ])
    const { takenBytes, kernelBytes, pageCacheBytes } = this.taken()
    const sockets = parseSockets(readProc('net/sockstat'))
    return {
      seconds: (now.atMs - this.#startedMs) / 1000,
      ...fromFlood(before.line, line),
      takenBytes,
      kernelBytes,
      pageCacheBytes,
      tcpSockets: sockets.inUse,
      tcpBytes: sockets.memoryPages * pageBytes,
      machineCores: cores((cpu) => cpu.machine),
      stolenCores: (now.stolen - before.stolen) / seconds,
      ...(Object.fromEntries(roles) as Pick<Sample, `${Role}Bytes` | `${Role}Cores`>),
    }
  }

  #look(): void {
    const processes = readProcesses()
    const roles = this.#rolesOf(processes)
    for (const [pid, role] of roles) {
      const stat = processes.get(pid)
      if (stat === undefined) continue
      const residentBytes = stat.residentPages * pageBytes
      const seen = this.#seen.get(pid)
      if (seen !== undefined) {
        seen.ticks = stat.cpuTicks
        seen.residentBytes = residentBytes
        continue
      }
      const fresh = { role, ticks: stat.cpuTicks, residentBytes }
      this.#seen.set(pid, {
        ...fresh,
        pssBytes: residentBytes,
        anonymousBytes: 0,
        pssAtResidentBytes: residentBytes,
      })
      this.#readPss(pid)
    }
    for (const [pid, { role, ticks }] of this.#seen) {
      if (roles.has(pid)) continue
      this.#endedTicks[role] += ticks
      this.#seen.delete(pid)
    }
    this.#living = [...roles.keys()]
  }

  #rolesOf(processes: ReadonlyMap<number, ProcessStat>): Map<number, Role> {
    const roles = new Map<number, Role>([[process.pid, 'bench']])
    const { server, flood, gen } = this.watched
    for (const [root, own, below] of [
      [server, 'serverParent', 'serverWorkers'],
      [flood, 'flood', 'flood'],
      [gen, 'gen', 'gen'],
    ] as const) {
      if (root === null || !processes.has(root)) continue
      roles.set(root, own)
      for (const pid of descendants(processes.values(), root)) roles.set(pid, below)
    }
    return roles
  }

  /** Walking a process's pages takes milliseconds, so each second only some are read. */
  #readSomePss(): void {
    const count = Math.ceil(this.#living.length / this.pssEverySeconds)
    for (let read = 0; read < count; read++) {
      const pid = this.#living[this.#turn++ % this.#living.length]
      if (pid !== undefined) this.#readPss(pid)
    }
  }

  #readPss(pid: number): void {
    const seen = this.#seen.get(pid)
    const read = readProportional(pid)
    if (seen === undefined || read === undefined) return
    seen.pssBytes = read.bytes
    seen.anonymousBytes = read.anonymousBytes
    seen.pssAtResidentBytes = seen.residentBytes
  }

  /** What a process has grown by since it was read is its own: what it shares was there before. */
  #memoryNow(): ByRole {
    const sum = newByRole()
    for (const { role, pssBytes, residentBytes, pssAtResidentBytes } of this.#seen.values()) {
      sum[role] += Math.max(0, pssBytes + residentBytes - pssAtResidentBytes)
    }
    return sum
  }
}

type FromFlood = Pick<
  Sample,
  | 'opened'
  | 'closed'
  | 'failed'
  | 'openedPerSecond'
  | 'messages'
  | 'messagesPerSecond'
  | 'p50Ms'
  | 'p99Ms'
  | 'p999Ms'
  | 'maxMs'
>

/** The flood's figures since the line of the sample before; rates by its own clock. */
function fromFlood(before: FloodSample | undefined, line: FloodSample | undefined): FromFlood {
  const connections = line?.connections ?? { opened: 0, closed: 0, failed: 0 }
  const { p50Ms = null, p99Ms = null, p999Ms = null, maxMs = null } = line?.latency ?? {}
  const messages = line?.received.messages ?? 0
  const seconds = (line?.seconds ?? 0) - (before?.seconds ?? 0)
  const fresh = seconds > 0
  const rate = (count: number) => (fresh ? count / seconds : null)
  return {
    ...connections,
    openedPerSecond: rate(connections.opened - (before?.connections.opened ?? 0)),
    messages,
    messagesPerSecond: rate(messages - (before?.received.messages ?? 0)),
    p50Ms: fresh ? p50Ms : null,
    p99Ms: fresh ? p99Ms : null,
    p999Ms: fresh ? p999Ms : null,
    maxMs: fresh ? maxMs : null,
  }
}

function stolenSeconds(): number {
  return parseMachineCpu(readProc('stat')).stolenTicks / ticksPerSecond
}

function newByRole(): ByRole {
  return { serverParent: 0, serverWorkers: 0, flood: 0, gen: 0, bench: 0 }
}
