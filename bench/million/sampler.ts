// Looks at the machine and at the processes of a run once a second, and cheaply: what is measured
// must not be slowed by it.

import type { FloodSample } from '../../src/flood/flood-report.ts'
import { tcpFigures } from '../../src/os/proc.ts'
import { columnsOf, type Folds, foldTo } from '../../src/report/samples.ts'
import {
  descendants,
  machineCpu,
  machineMemory,
  type ProcessStat,
  readProcesses,
  readProportional,
} from '../harness/proc.ts'
import type { CpuSeconds, Memory, Phase, Taken } from './record.ts'

const EVERY_MS = 1_000

/** Samples kept of the opening, which the pictures show, and of all that comes after it. */
const SAMPLES_OPENING = 240
const SAMPLES_AFTER = 420

/** The processes of a run by what they do. `bench` is this program itself. */
export const ROLES = ['serverParent', 'serverWorkers', 'flood', 'gen', 'bench'] as const
export type Role = (typeof ROLES)[number]

type ByRole<Unit extends string = ''> = Record<`${Role}${Unit}`, number>

/** One second of a run. */
export interface Sample
  extends ByRole<'Bytes'>,
    ByRole<'Cores'>,
    ReturnType<typeof floodedBetween>,
    Omit<Taken, 'fallBytes'> {
  /** Since the start of the run. */
  readonly seconds: number
  readonly tcpSockets: number
  readonly tcpBytes: number
  /** CPU time of the whole machine, and what its host took away. */
  readonly machineCores: number
  readonly stolenCores: number
}

const FOLDS: Folds<Sample> = {
  ...({ p50Ms: 'peak', p99Ms: 'peak', p999Ms: 'peak', maxMs: 'peak' } as const),
  ...({ opened: 'last', closed: 'last', failed: 'last', messages: 'last' } as const),
}

/** A bounded number of samples as one list a figure; the opening keeps more of its seconds. */
export function sampleColumns(samples: readonly Sample[], phases: readonly Phase[]) {
  const openUntil = phases.find(({ name }) => name === 'open')?.toSeconds ?? 0
  const opening = samples.filter(({ seconds }) => seconds <= openUntil)
  const after = samples.filter(({ seconds }) => seconds > openUntil)
  const kept = [...foldTo(opening, SAMPLES_OPENING, FOLDS), ...foldTo(after, SAMPLES_AFTER, FOLDS)]
  return columnsOf(kept, (value, name) => Number(value.toFixed(digitsOf(name))))
}

function digitsOf(name: string): number {
  if (name === 'seconds') return 1
  return name.endsWith('Cores') ? 3 : name.endsWith('Ms') ? 2 : 0
}

/** The processes to look at, as far as they run. Their children are found. */
export interface Watched {
  server: number | null
  flood: number | null
  gen: number | null
}

interface Seen {
  readonly role: Role
  cpuSeconds: number
  residentBytes: number
  /** Its proportional memory when that was read last, and its resident memory then. */
  pssBytes: number
  anonymousBytes: number
  residentBytesThen: number
}

export class Sampler {
  readonly watched: Watched = { server: null, flood: null, gen: null }
  readonly samples: Sample[] = []
  /** Seconds in which the proportional memory of every process is read once. */
  pssEverySeconds = 15
  /** The sampler reads the samples of the flood from here once there is a flood. */
  floodSamples: readonly FloodSample[] = []
  readonly #startedMs = performance.now()
  readonly #seen = new Map<number, Seen>()
  /** Processes that run, and where in their list the next proportional memory is read. */
  #living: number[] = []
  #turn = 0
  /** What processes that have ended had used. */
  readonly #endedSeconds = newByRole()
  #baseline = machineMemory()
  #previous = this.#moment()
  #timer: ReturnType<typeof setInterval> | null = null

  get seconds(): number {
    return (performance.now() - this.#startedMs) / 1000
  }

  /** From now on: memory counts as taken from here, and each second is noted. */
  start(): void {
    this.#baseline = machineMemory()
    this.#timer = setInterval(() => this.samples.push(this.#sample()), EVERY_MS)
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
  }

  /** CPU time since the start of the run, looked up now. */
  cpu(): CpuSeconds {
    this.#look()
    const byRole = { ...this.#endedSeconds }
    for (const { role, cpuSeconds } of this.#seen.values()) byRole[role] += cpuSeconds
    return { ...byRole, machine: machineCpu().busySeconds }
  }

  /** Reads the proportional memory of every process anew, and yields in between. */
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

  /** Memory taken from the machine since the start. */
  taken(): Taken {
    const now = machineMemory()
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

  #moment() {
    // The look takes long while many processes start, and what it counts is of its end.
    const cpu = this.cpu()
    return {
      atMs: performance.now(),
      cpu,
      stolenSeconds: machineCpu().stolenSeconds,
      flooded: this.floodSamples.at(-1),
    }
  }

  #sample(): Sample {
    const before = this.#previous
    const now = this.#moment()
    this.#previous = now
    this.#readSomePss()
    const seconds = (now.atMs - before.atMs) / 1000
    const memory = this.#memoryNow()
    const roles = ROLES.flatMap((role) => [
      [`${role}Bytes`, memory[role]],
      [`${role}Cores`, (now.cpu[role] - before.cpu[role]) / seconds],
    ])
    const { takenBytes, kernelBytes, pageCacheBytes } = this.taken()
    const tcp = tcpFigures()
    return {
      seconds: (now.atMs - this.#startedMs) / 1000,
      ...floodedBetween(before.flooded, now.flooded),
      takenBytes,
      kernelBytes,
      pageCacheBytes,
      tcpSockets: tcp?.socketsInUse ?? 0,
      tcpBytes: tcp?.memoryBytes ?? 0,
      machineCores: (now.cpu.machine - before.cpu.machine) / seconds,
      stolenCores: (now.stolenSeconds - before.stolenSeconds) / seconds,
      ...(Object.fromEntries(roles) as ByRole<'Bytes'> & ByRole<'Cores'>),
    }
  }

  #look(): void {
    const processes = readProcesses()
    const roles = this.#rolesOf(processes)
    for (const [pid, role] of roles) {
      const stat = processes.get(pid)
      if (stat === undefined) continue
      const { cpuSeconds, residentBytes } = stat
      const seen = this.#seen.get(pid)
      if (seen !== undefined) {
        Object.assign(seen, { cpuSeconds, residentBytes })
        continue
      }
      const unread = {
        pssBytes: residentBytes,
        anonymousBytes: 0,
        residentBytesThen: residentBytes,
      }
      this.#seen.set(pid, { role, cpuSeconds, residentBytes, ...unread })
      this.#readPss(pid)
    }
    for (const [pid, { role, cpuSeconds }] of this.#seen) {
      if (roles.has(pid)) continue
      this.#endedSeconds[role] += cpuSeconds
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

  /** Walking the pages of a process takes milliseconds, so each second only some are read. */
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
    seen.residentBytesThen = seen.residentBytes
  }

  /** What a process has grown by since it was read is its own: what it shares was there before. */
  #memoryNow(): ByRole {
    const sum = newByRole()
    for (const { role, pssBytes, residentBytes, residentBytesThen } of this.#seen.values()) {
      sum[role] += Math.max(0, pssBytes + residentBytes - residentBytesThen)
    }
    return sum
  }
}

/**
 * What the flood has seen since the sample before; rates by its own clock. Null in a second of
 * which it has said nothing yet.
 */
function floodedBetween(before: FloodSample | undefined, now: FloodSample | undefined) {
  const connections = now?.connections ?? { opened: 0, closed: 0, failed: 0 }
  const messages = now?.received.messages ?? 0
  const seconds = (now?.seconds ?? 0) - (before?.seconds ?? 0)
  const isNew = seconds > 0
  const rate = (count: number) => (isNew ? count / seconds : null)
  const nothing = { p50Ms: null, p99Ms: null, p999Ms: null, maxMs: null }
  return {
    ...connections,
    openedPerSecond: rate(connections.opened - (before?.connections.opened ?? 0)),
    messages,
    messagesPerSecond: rate(messages - (before?.received.messages ?? 0)),
    ...(isNew && now !== undefined ? now.latency : nothing),
  }
}

function newByRole(): ByRole {
  return { serverParent: 0, serverWorkers: 0, flood: 0, gen: 0, bench: 0 }
}
