// What parent and worker say to each other. Both are the same executable, so there are no versions,
// and neither has to doubt the other's bytes.

import type { Address } from '../core/address.ts'
import type { HistogramFigures } from '../core/histogram.ts'
import type { StreamFigures } from '../hub/figures.ts'
import type { StreamRules } from '../hub/rules.ts'

/** From the parent. */
export const TO_WORKER = {
  /** JSON, {@link WorkerStart}: hold streams. */
  start: 1,
  /** Number of users, the users, the frame's bytes: hand the frame to these users' streams. */
  deliver: 2,
  /** A request's number, from 1 on: answer with figures. */
  ask: 3,
  /** A request's number and a user: answer with the user's presence. */
  presence: 4,
  /** JSON, a `Pace`: end all streams properly, evenly, and then the process. */
  drain: 5,
  /** JSON, {@link StreamRules}: these hold from now on. */
  change: 6,
  /** A request's number, then JSON, a `Verdict`: may the stream be opened? */
  verdict: 7,
} as const

/** From the worker. */
export const TO_PARENT = {
  /** JSON, {@link WorkerStarted}: the port is open, or why not. */
  started: 1,
  /** Users, one a stream that has come. */
  came: 2,
  /** Users, one a stream that has gone, each after it came. */
  left: 3,
  /** Bytes of all that is answered for, then one number a frame: how many streams took it. */
  took: 4,
  /** A request's number or 0, then JSON, {@link WorkerReport}: an answer, or a sign of life. */
  figures: 5,
  /** JSON, {@link PresenceAnswer}. */
  presence: 6,
  /** JSON, {@link Drained}. */
  drained: 7,
  /** A request's number, then JSON, a network or null: may a stream from there be opened? */
  knock: 8,
  /** JSON, a network: a stream from there, which may have been opened, is over. */
  parted: 9,
} as const

/** What a worker is told when it starts. */
export interface WorkerStart {
  readonly number: number
  /** Are there more workers than cores? */
  readonly sharesCores: boolean
  /** Those of the public port. */
  readonly addresses: readonly Address[]
  readonly streamsMax: number | null
  readonly rules: StreamRules
  readonly headTimeoutMs: number
  readonly keepaliveMs: number
}

/** What a worker tells of itself. */
export interface WorkerReport extends StreamFigures {
  /** How late its loop was, in seconds. */
  readonly loopLag: HistogramFigures
  /** Lines of its log that could not be written. */
  readonly logLinesDropped: number
}

export type WorkerStarted = { readonly figures: WorkerReport } | { readonly why: string }

export interface PresenceAnswer {
  readonly request: number
  readonly connections: number
  readonly sinceMs: number | null
}

export interface Drained {
  /** Were there clients that had to be cut? */
  readonly cut: boolean
}
