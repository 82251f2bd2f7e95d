// Messages through the streams of a flood: a generator sends them, what is on its way is waited
// for, and what arrived meanwhile is counted and timed, exactly: histograms of seconds add up.

import { decodeFromCompressedBase64, type Histogram } from 'hdr-histogram-js'
import type { FloodSample } from '../../src/flood/flood-report.ts'
import type { Flood } from './comet.ts'

/** A rate within two percent of the wanted one is kept. */
export const RATE_KEPT_ABOVE = 0.98

/** What the flood received between two samples. */
export interface Arrived {
  readonly received: number
  readonly duplicated: number
  readonly reordered: number
  /** Messages whose order could not be checked. */
  readonly untracked: number
  /** Streams that ended meanwhile. */
  readonly closed: number
}

/** Since the next sample of the flood: none of what came before belongs to the flow. */
export async function beginFlow(flood: Flood) {
  const before = await flood.next()
  const first = flood.samples.length
  return { before, samples: () => flood.samples.slice(first) }
}

export type Received = Pick<FloodSample, 'received' | 'connections'>

export function arrivedBetween(before: Received, after: Received): Arrived {
  const since = (name: keyof Received['received']) => after.received[name] - before.received[name]
  return {
    received: since('messages'),
    duplicated: since('duplicated'),
    reordered: since('reordered'),
    untracked: since('untracked'),
    closed: after.connections.closed - before.connections.closed,
  }
}

export interface Drain {
  /** Messages that the flood must have received in all. */
  readonly expected: number
  /** Samples, one a second, without anything new, after which missing messages are lost. */
  readonly stillMax: number
  /** Samples to wait for in all. */
  readonly samplesMax: number
  /** Bytes that wait in the server; while there are any, messages may still come. */
  readonly queuedBytes?: () => Promise<number>
}

/** Waits until all messages have come, or nothing comes any more; returns the last sample. */
export async function drained(flood: Flood, drain: Drain): Promise<FloodSample> {
  const { expected, stillMax, samplesMax, queuedBytes = async () => 0 } = drain
  let sample = await flood.next()
  for (let still = 0, taken = 0; still < stillMax && taken < samplesMax; taken++) {
    const queued = await queuedBytes()
    const next = await flood.next()
    const isStill = queued === 0 && next.received.messages === sample.received.messages
    sample = next
    // One sample without change is taken at least, to see messages that nothing promised.
    if (isStill && sample.received.messages >= expected) break
    still = isStill ? still + 1 : 0
  }
  return sample
}

export type Interval = Pick<FloodSample, 'latency' | 'histogram'>

export interface LatencySummary {
  readonly p50Ms: number | null
  readonly p99Ms: number | null
  readonly p999Ms: number | null
  readonly maxMs: number | null
  /** The 99th percentile of the worst second. */
  readonly worstP99Ms: number | null
}

export function latencyOver(intervals: readonly Interval[]): LatencySummary {
  const all = sumOf(intervals)
  if (all === null) {
    return { p50Ms: null, p99Ms: null, p999Ms: null, maxMs: null, worstP99Ms: null }
  }
  // The histogram returns the upper end of a bucket, which may lie above what there was.
  const ms = (percentile: number) =>
    Math.min(all.maxValue, all.getValueAtPercentile(percentile)) / 1000
  return {
    p50Ms: ms(50),
    p99Ms: ms(99),
    p999Ms: ms(99.9),
    maxMs: ms(100),
    worstP99Ms: Math.max(...intervals.map(({ latency }) => latency.p99Ms ?? 0)),
  }
}

/** When the first and the last message came, from the moment they were due; null if none came. */
export interface Arrivals {
  readonly firstMs: number
  readonly lastMs: number
}

/** Of messages that were all due at one moment this is when the first and the last of them came. */
export function arrivalsOver(intervals: readonly Interval[]): Arrivals | null {
  const all = sumOf(intervals)
  if (all === null) return null
  return { firstMs: all.minNonZeroValue / 1000, lastMs: all.maxValue / 1000 }
}

function sumOf(intervals: readonly Interval[]): Histogram | null {
  let sum: Histogram | null = null
  for (const { histogram } of intervals) {
    if (histogram === null) continue
    const one = decodeFromCompressedBase64(histogram)
    if (sum === null) sum = one
    else sum.add(one)
  }
  return sum
}
