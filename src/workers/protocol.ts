// The records between parent and worker. Both are the same executable, so there are no versions,
// and neither checks the other's bytes.

import type { Address } from '../core/address.ts'
import type { HistogramFigures } from '../core/histogram.ts'
import type { Result } from '../core/result.ts'
import type { StreamFigures } from '../hub/figures.ts'
import type { ServerConfig } from '../hub/settings.ts'

/** From the parent. A request is a number and JSON, and is replied to by that number. */
export const TO_WORKER = {
  /** JSON, {@link WorkerStart}: hold streams. */
  start: 1,
  /** Number of users, the users, the frame's bytes: hand the frame to these users' streams. */
  deliver: 2,
  /** Request, null: {@link WorkerReport}. */
  figures: 3,
  /** Request, a user: `UserPresence`. */
  presence: 4,
  /** JSON, a `DrainPace`: end all streams properly, evenly, and then the process. */
  drain: 5,
  /** JSON, `ServerConfig`: these settings are current. */
  settings: 6,
} as const

/** From the worker. */
export const TO_PARENT = {
  /** JSON, {@link WorkerStarted}: the port is open, or why not. */
  started: 1,
  /** Users, one a stream that was opened. */
  opened: 2,
  /** Users, one a stream that was closed, each after it was opened. */
  closed: 3,
  /**
   * Bytes of all frames that are acknowledged, then one number a frame: how many streams took it.
   */
  ack: 4,
  /** JSON, {@link WorkerReport}: a sign of life. */
  figures: 5,
  /** JSON, {@link Drained}. */
  drained: 6,
  /** Request, a network or null: `LimiterDecision`. */
  acquire: 7,
  /** JSON, a network: a stream from there that was admitted has ended. */
  release: 8,
  /** Request, null: have the keys of tokens fetched again; the reply comes after new settings. */
  refreshKeys: 9,
} as const

/** What a worker starts with. */
export interface WorkerStart {
  readonly number: number
  /** Are there more workers than cores? */
  readonly sharesCores: boolean
  /** Are there very many more? */
  readonly isOfCrowd: boolean
  /** Those of the public port, with the ports that the parent found free. */
  readonly addresses: readonly Address[]
  /** With its share of `streamsMax`, and without secrets. */
  readonly config: ServerConfig
}

/** What a worker reports of itself. */
export interface WorkerReport extends StreamFigures {
  /** How late its loop was, in seconds. */
  readonly loopLag: HistogramFigures
  /** Lines of its log that could not be written. */
  readonly logLinesDropped: number
}

export type WorkerStarted = Result<WorkerReport>

export interface Drained {
  /** Were there clients that had to be cut? */
  readonly cut: boolean
}
