// What a run has measured so far, phase by phase. Plain data: a run that fails half-way keeps what
// it has, and the figures are made of it.

import type { FloodReport } from '../../src/flood/flood-report.ts'
import type { GenReport } from '../../src/gen/gen-report.ts'
import type { Attempt } from '../../src/gen/search.ts'
import type { LatencySummary } from '../harness/latency.ts'
import type { Role } from './sample.ts'

/** A stretch of the run, for the charts. */
export interface Phase {
  readonly name: string
  readonly fromSeconds: number
  readonly toSeconds: number
}

/** One generator's run and what became of its messages. */
export interface Flow extends Attempt {
  readonly address: 'to' | 'subject'
  readonly gen: GenReport
  /** Messages that the flood received meanwhile, until nothing came any more. */
  readonly received: number
  readonly duplicated: number
  readonly reordered: number
  readonly untracked: number
  /** Streams that ended meanwhile. */
  readonly closed: number
  /** Deliveries that the server itself says it gave up or did not try: never promised, but lost. */
  readonly givenUp: number
  readonly latency: LatencySummary
  readonly deliveriesPerSecond: number
  /** Processor time, of both the sending and what came after. */
  readonly cpuSeconds: Readonly<Record<Role, number>> & { readonly machine: number }
  /** Why it counts as not held; null if it held. */
  readonly why: string | null
}

/** Bytes of proportional memory by role. */
export interface Memory extends Readonly<Record<Role, number>> {
  /**
   * Of them those that belong to no file. Pages of the program cost each process less the more
   * processes run it, so growth is told by these.
   */
  readonly anonymous: Readonly<Record<Role, number>>
}

/** How the graph of friends came about. */
export interface Prepared {
  readonly users: number
  readonly subscriptions: number
  readonly generateSeconds: number
  readonly loadSeconds: number
}

export interface Opening {
  /** From before the flood was started until the server had all streams. */
  readonly seconds: number
  readonly cpuSeconds: Flow['cpuSeconds']
}

/** Memory with all streams open and nothing flowing. */
export interface Held {
  readonly open: number
  readonly memory: Memory
  readonly takenBytes: number
  readonly kernelBytes: number
  readonly pageCacheBytes: number
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

export interface RunRecord {
  prepared: Prepared | null
  /** Was the page cache dropped before the start? Not every machine lets one. */
  cacheDropped: boolean
  startSeconds: number | null
  serverWorkers: number
  floodProcesses: number
  /** Of the server before the first stream. */
  emptyMemory: Memory | null
  opening: Opening | null
  held: Held | null
  /** Cores that the server and the flood use while all streams are silent. */
  silence: Silence | null
  /** The same as the steady flow, before it: until every process has compiled what it needs. */
  warming: Flow | null
  steady: Flow | null
  /** Streams the server had at the end of the steady flow. */
  openAfterSteady: number | null
  subjectSearch: Flow[]
  toSearch: Flow[]
  flood: FloodReport | null
  serverExitCode: number | null
  phases: Phase[]
  failure: string | null
}

export function newRecord(): RunRecord {
  return {
    prepared: null,
    cacheDropped: false,
    startSeconds: null,
    serverWorkers: 0,
    floodProcesses: 0,
    emptyMemory: null,
    opening: null,
    held: null,
    silence: null,
    warming: null,
    steady: null,
    openAfterSteady: null,
    subjectSearch: [],
    toSearch: [],
    flood: null,
    serverExitCode: null,
    phases: [],
    failure: null,
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
