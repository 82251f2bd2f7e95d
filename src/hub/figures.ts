// The figures of streams as they travel between processes and to the control port: plain data,
// added up.

import { addHistograms, emptyHistogram, type HistogramFigures } from '../core/histogram.ts'
import { cpuSeconds, LAG_BOUNDS_SECONDS } from '../core/loop.ts'
import {
  addCounts,
  CLOSES,
  type CloseCounts,
  REFUSALS,
  type RefusalCounts,
  zeroCounts,
} from './refusals.ts'
import type { StreamStore } from './store.ts'

/** What only ever grows. */
export interface StreamTotals {
  readonly opened: number
  readonly closed: CloseCounts
  readonly refused: RefusalCounts
  /** Heartbeats sent. */
  readonly beats: number
  /** Frames that waited in this process when their stream ended; not what the kernel had of it. */
  readonly undelivered: number
  /**
   * Bytes that the kernel had taken for streams that were then cut as too slow, and that the
   * client's machine had not acknowledged.
   */
  readonly unacknowledgedBytes: number
  /** Streams cut as too slow whose bytes could not be measured. */
  readonly unmeasured: number
}

/** What carries the bytes of a process's streams. */
export interface WireFigures {
  readonly kind: 'descriptor' | 'socket'
  /** Why it is no descriptor; null if it is one. */
  readonly reason: string | null
}

/** The streams of one process. */
export interface StreamFigures extends StreamTotals {
  readonly wire: WireFigures
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

/** What the store cannot count. */
export type PortFigures = Pick<
  StreamFigures,
  'wire' | 'limit' | 'refused' | 'full' | 'openFiles' | 'unacknowledgedBytes' | 'unmeasured'
>

export function streamFigures(store: StreamStore, port: PortFigures): StreamFigures {
  return {
    ...port,
    open: store.open,
    users: store.connected.users,
    opened: store.opened,
    beats: store.heartbeats.sentTotal,
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
  closed: zeroCounts(CLOSES),
  refused: zeroCounts(REFUSALS),
  beats: 0,
  undelivered: 0,
  unacknowledgedBytes: 0,
  unmeasured: 0,
}

export function addTotals(one: StreamTotals, other: StreamTotals): StreamTotals {
  return {
    opened: one.opened + other.opened,
    closed: addCounts(one.closed, other.closed),
    refused: addCounts(one.refused, other.refused),
    beats: one.beats + other.beats,
    undelivered: one.undelivered + other.undelivered,
    unacknowledgedBytes: one.unacknowledgedBytes + other.unacknowledgedBytes,
    unmeasured: one.unmeasured + other.unmeasured,
  }
}

/** Between two lives a worker waits to be started again; when the server stops it is `ended`. */
export type WorkerState = 'starting' | 'running' | 'waiting' | 'ended'

/** What all processes in one worker's place together have used, so that it never falls. */
export interface WorkerUsage {
  readonly cpuSeconds: number
  /** How late their loops were, in seconds. */
  readonly loopLag: HistogramFigures
  /** Lines of their logs that could not be written. */
  readonly logLinesDropped: number
}

export const NO_USAGE: WorkerUsage = {
  cpuSeconds: 0,
  loopLag: emptyHistogram(LAG_BOUNDS_SECONDS),
  logLinesDropped: 0,
}

export function addUsage(one: WorkerUsage, other: WorkerUsage): WorkerUsage {
  return {
    cpuSeconds: one.cpuSeconds + other.cpuSeconds,
    loopLag: addHistograms(one.loopLag, other.loopLag),
    logLinesDropped: one.logLinesDropped + other.logLinesDropped,
  }
}

/** One worker. */
export interface WorkerFigures {
  readonly number: number
  readonly state: WorkerState
  readonly pid: number | null
  readonly restarts: number
  /** Bytes that it was sent and has not acknowledged. */
  readonly unackedBytes: number
  /** How long it has not responded. */
  readonly silentMs: number
  readonly spent: WorkerUsage
  /** What it reported last; null before it first did. */
  readonly streams: StreamFigures | null
}

/** The streams of the whole server, in whichever process they are. */
export interface HostFigures {
  readonly open: number
  readonly limit: number
  readonly users: number
  readonly queuedBytes: number
  readonly totals: StreamTotals
  /** Streams that ended with their worker. */
  readonly lost: number
  /** That of this process; null if its workers hold the streams. */
  readonly wire: WireFigures | null
  readonly workers: readonly WorkerFigures[]
}
