// The figures that are kept over time: one list of their names, and what becomes of each when several
// seconds are folded into one sample. Names carry their units; rates are a second, cores are seconds
// of processor time a second.

/** The mean of the seconds, or the largest of them, so that no bad second disappears in a mean. */
type Fold = 'mean' | 'peak'

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

/** One moment; a figure that is not to be had is null. */
export type Sample = Record<ColumnName, number | null>

/** Several moments: for each figure as many values as there are times, in milliseconds since 1970. */
export interface Samples {
  readonly times: readonly number[]
  readonly values: Readonly<Record<ColumnName, readonly (number | null)[]>>
}
