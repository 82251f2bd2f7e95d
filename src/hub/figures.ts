// The figures of the streams that one process holds, as they are gathered and added up. Plain data
// on its way between processes.

import { cpuSeconds } from '../core/loop.ts'
import type { CloseReason } from './sink.ts'
import type { StreamStore } from './store.ts'

/** Why a stream was refused: no room, the server stops, too many come a second, or from one place, or
 * the one who knows that did not answer. */
export type RefusalReason = 'full' | 'draining' | 'rate' | 'address' | 'busy'

export const NONE_REFUSED = {
  full: 0,
  draining: 0,
  rate: 0,
  address: 0,
  busy: 0,
} as const satisfies Record<RefusalReason, number>

/** What only ever grows. */
export interface StreamTotals {
  readonly opened: number
  readonly closed: Readonly<Record<CloseReason, number>>
  /** Streams that were refused. */
  readonly refused: Readonly<Record<RefusalReason, number>>
  /** Frames that waited in this process when their stream ended; not what the kernel had of it. */
  readonly undelivered: number
  /** Bytes that the kernel had taken for streams that were then cut as too slow, and that the client's
   * machine had not acknowledged. */
  readonly unacknowledgedBytes: number
  /** Streams cut as too slow of which these bytes are not known. */
  readonly unmeasured: number
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
export type Surroundings = Pick<
  StreamFigures,
  'limit' | 'refused' | 'full' | 'openFiles' | 'unacknowledgedBytes' | 'unmeasured'
>

export function streamFigures(store: StreamStore, surroundings: Surroundings): StreamFigures {
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
    cpuSeconds: cpuSeconds(),
  }
}

export const NO_TOTALS: StreamTotals = {
  opened: 0,
  closed: { client: 0, slow: 0, drained: 0 },
  refused: NONE_REFUSED,
  undelivered: 0,
  unacknowledgedBytes: 0,
  unmeasured: 0,
}

export function addTotals(one: StreamTotals, other: StreamTotals): StreamTotals {
  return {
    opened: one.opened + other.opened,
    closed: {
      client: one.closed.client + other.closed.client,
      slow: one.closed.slow + other.closed.slow,
      drained: one.closed.drained + other.closed.drained,
    },
    refused: {
      full: one.refused.full + other.refused.full,
      draining: one.refused.draining + other.refused.draining,
      rate: one.refused.rate + other.refused.rate,
      address: one.refused.address + other.refused.address,
      busy: one.refused.busy + other.refused.busy,
    },
    undelivered: one.undelivered + other.undelivered,
    unacknowledgedBytes: one.unacknowledgedBytes + other.unacknowledgedBytes,
    unmeasured: one.unmeasured + other.unmeasured,
  }
}

/** For whatever reason. */
export function allRefused(refused: StreamTotals['refused']): number {
  return Object.values(refused).reduce((sum, count) => sum + count, 0)
}
