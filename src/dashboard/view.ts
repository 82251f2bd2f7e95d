// What the page gets from the server: the figures that are kept over time, and the state of the server.
// The page's script, in the browser, imports it too: it imports types only.

import type { NodeFigures } from '../erlang/node-figures.ts'
import type { WorkerFigures } from '../hub/figures.ts'
import type { Fold, SampleColumns } from '../report/samples.ts'
import type { Use } from './processes.ts'

/** Names carry their units; rates are per second, cores are seconds of CPU time per second. */
export const COLUMNS = {
  streams: 'mean',
  users: 'mean',
  openedRate: 'mean',
  closedRate: 'mean',
  refusedRate: 'mean',
  limitedRate: 'mean',
  slowRate: 'mean',
  messageRate: 'mean',
  deliveryRate: 'mean',
  droppedRate: 'mean',
  rejectedRate: 'mean',
  skippedRate: 'mean',
  undeliveredRate: 'mean',
  deliveryP50Ms: 'mean',
  deliveryP99Ms: 'peak',
  loopLateMs: 'peak',
  restartRate: 'mean',
  parentCores: 'mean',
  workersCores: 'mean',
  busiestCores: 'peak',
  userCores: 'mean',
  systemCores: 'mean',
  load: 'mean',
  parentBytes: 'mean',
  workersBytes: 'mean',
  queuedBytes: 'peak',
  tcpBytes: 'mean',
  kernelBytes: 'mean',
  receivedBytesRate: 'mean',
  sentBytesRate: 'mean',
  loopbackBytesRate: 'mean',
  receivedPacketRate: 'mean',
  sentPacketRate: 'mean',
  loopbackPacketRate: 'mean',
} as const satisfies Record<string, Fold>

export type ColumnName = keyof typeof COLUMNS

export const COLUMN_NAMES = Object.keys(COLUMNS) as readonly ColumnName[]

/** One moment; a figure that is not available is null. */
export type Sample = Record<ColumnName, number | null>

export type Samples = SampleColumns<ColumnName>

export interface Warning {
  readonly code: string
  /** What is wrong, with figures. */
  readonly text: string
  /** What to do, in a sentence. */
  readonly advice: string
}

type WorkerState = Pick<
  WorkerFigures,
  'number' | 'state' | 'pid' | 'restarts' | 'unackedBytes' | 'silentMs'
>

export interface WorkerRow extends WorkerState, Use {
  readonly open: number
  readonly limit: number
  readonly queuedBytes: number
}

/** The server now. */
export interface Now {
  /** Another number is another start of the server. */
  readonly startedMs: number
  readonly timeMs: number
  readonly version: string
  readonly state: string
  readonly uptimeSeconds: number
  readonly limit: number
  readonly pid: number
  readonly openFiles: number
  readonly openFilesLimit: number
  readonly subscriptions: number
  readonly socketsInUse: number | null
  readonly memoryBytes: number | null
  readonly memoryAvailableBytes: number | null
  readonly totals: Readonly<Record<'messages' | 'deliveries', number>>
  readonly warnings: readonly Warning[]
  readonly workers: readonly WorkerRow[]
  readonly erlang: NodeFigures | null
}

/** The answer of `/dashboard/live`: now, and the samples that are newer than the time asked for. */
export interface Live {
  readonly now: Now
  readonly seconds: Samples
  readonly tens: Samples
}
