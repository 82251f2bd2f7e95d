// The figures of the streams that one process holds, as they are gathered and added up. Plain data
// on its way between processes.

import type { CloseReason } from './sink.ts'
import type { StreamStore } from './store.ts'

/** What only ever grows. */
export interface StreamTotals {
  readonly opened: number
  readonly closed: Readonly<Record<CloseReason, number>>
  /** Streams that were refused. */
  readonly refused: number
  /** Frames that still waited when their stream ended. */
  readonly undelivered: number
}

export interface StreamFigures extends StreamTotals {
  readonly open: number
  readonly limit: number
  readonly users: number
  readonly queuedBytes: number
  readonly full: boolean
  readonly pid: number
  readonly residentBytes: number
  readonly cpuSeconds: number
  readonly openFiles: number
}

/** What a store does not know of itself. */
export type Surroundings = Pick<StreamFigures, 'limit' | 'refused' | 'full' | 'openFiles'>

export function streamFigures(store: StreamStore, surroundings: Surroundings): StreamFigures {
  const cpu = process.cpuUsage()
  return {
    ...surroundings,
    open: store.open,
    users: store.users,
    opened: store.opened,
    closed: { ...store.closed },
    undelivered: store.undelivered,
    queuedBytes: store.queuedBytes,
    pid: process.pid,
    residentBytes: process.memoryUsage.rss(),
    cpuSeconds: (cpu.user + cpu.system) / 1e6,
  }
}

export const NO_TOTALS: StreamTotals = {
  opened: 0,
  closed: { client: 0, slow: 0, drained: 0 },
  refused: 0,
  undelivered: 0,
}

export function addTotals(one: StreamTotals, other: StreamTotals): StreamTotals {
  return {
    opened: one.opened + other.opened,
    closed: {
      client: one.closed.client + other.closed.client,
      slow: one.closed.slow + other.closed.slow,
      drained: one.closed.drained + other.closed.drained,
    },
    refused: one.refused + other.refused,
    undelivered: one.undelivered + other.undelivered,
  }
}
