// What a run has measured so far, phase by phase. Plain data: a run that fails half-way keeps what
// it has, and the figures are made from it.

import type { FloodReport } from '../../src/flood/flood-report.ts'
import type { GenReport } from '../../src/gen/gen-report.ts'
import type { Attempt } from '../../src/gen/search.ts'
import type { Prepared } from '../harness/comet.ts'
import type { Arrived, LatencySummary } from '../harness/flow.ts'
import type { Role } from './sampler.ts'

/** A stretch of the run, for the charts. */
export interface Phase {
  readonly name: string
  readonly fromSeconds: number
  readonly toSeconds: number
}

/** CPU seconds by role, and those of the machine. */
export type CpuSeconds = Readonly<Record<Role, number>> & { readonly machine: number }

/** One generator's run and what became of its messages. */
export interface Flow extends Attempt, Arrived {
  readonly address: 'to' | 'subject'
  readonly gen: GenReport
  /** Deliveries that the server says it gave up or skipped: never promised, but lost. */
  readonly givenUp: number
  readonly latency: LatencySummary
  readonly deliveriesPerSecond: number
  /** Of both the sending and what came after. */
  readonly cpuSeconds: CpuSeconds
  /** Why it counts as not held; null if it held. */
  readonly why: string | null
}

/** Bytes of proportional memory by role. */
export interface Memory extends Readonly<Record<Role, number>> {
  /**
   * Of them those that belong to no file. Pages of the executable cost each process less the more
   * processes run it, so growth is measured in these.
   */
  readonly anonymous: Readonly<Record<Role, number>>
}

/** What the machine has lost in memory since before the server started. */
export interface Taken {
  /** What is no longer free and no page cache. */
  readonly takenBytes: number
  /** Of it the kernel's. */
  readonly kernelBytes: number
  readonly pageCacheBytes: number
  /** The fall in free memory, page cache included. */
  readonly fallBytes: number
}

/** All streams open for a while without a message. */
export interface Silence {
  readonly seconds: number
  readonly openBefore: number
  readonly openAfter: number
  /** Streams that the server closed, or saw closed, meanwhile, by reason. */
  readonly closed: Readonly<Record<string, number>>
  readonly serverCores: number
  readonly floodCores: number
}

export type RunRecord = ReturnType<typeof newRecord>

export function newRecord() {
  return {
    prepared: null as Prepared | null,
    /** Was the page cache dropped before the start? Not every machine allows it. */
    cacheDropped: false,
    startSeconds: null as number | null,
    serverWorkers: 0,
    floodProcesses: 0,
    /** Of the server before the first stream. */
    emptyMemory: null as Memory | null,
    /** From before the flood was started until the server had all streams. */
    opening: null as { readonly seconds: number; readonly cpuSeconds: CpuSeconds } | null,
    /** With all streams open and silent. */
    held: null as ({ readonly open: number; readonly memory: Memory } & Taken) | null,
    silence: null as Silence | null,
    /** As the steady flow, before it: until every process has compiled what it runs. */
    warming: null as Flow | null,
    steady: null as Flow | null,
    /** Streams that the server had at the end of the steady flow. */
    openAfterSteady: null as number | null,
    subjectSearch: [] as Flow[],
    toSearch: [] as Flow[],
    flood: null as FloodReport | null,
    serverExitCode: null as number | null,
    phases: [] as Phase[],
    failure: null as string | null,
  }
}

/** Deliveries that the server promised in all, to be compared with what came. */
export function promised(record: RunRecord): number {
  return flowsOf(record).reduce((sum, { gen }) => sum + gen.delivered, 0)
}

/** Deliveries of which the server did not know in time whether they were made. */
export function unknownIn(record: RunRecord): number {
  return flowsOf(record).reduce((sum, { gen }) => sum + (gen.unknown ?? 0), 0)
}

export function flowsOf({ warming, steady, subjectSearch, toSearch }: RunRecord): Flow[] {
  return [warming, steady].filter((flow) => flow !== null).concat(subjectSearch, toSearch)
}
