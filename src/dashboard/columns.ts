// The figures that the dashboard keeps over time, and how samples of each are folded. Names carry
// their units; rates are per second, cores are seconds of CPU time per second.

import type { Fold, SampleColumns } from '../report/samples.ts'

export const COLUMNS = {
  streams: 'mean',
  users: 'mean',
  openedRate: 'mean',
  closedRate: 'mean',
  refusedRate: 'mean',
  limitedRate: 'mean',
  slowRate: 'mean',
  resumedRate: 'mean',
  lostGapRate: 'mean',
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
  tripP50Ms: 'mean',
  tripP99Ms: 'peak',
  busQueued: 'peak',
  busBehind: 'peak',
  busRefusedRate: 'mean',
  busGapRate: 'mean',
  redisBytes: 'mean',
} as const satisfies Record<string, Fold>

export type ColumnName = keyof typeof COLUMNS

export const COLUMN_NAMES = Object.keys(COLUMNS) as readonly ColumnName[]

/** One moment; a figure that is not available is null. */
export type Sample = Record<ColumnName, number | null>

export type Samples = SampleColumns<ColumnName>
