// Latency of many seconds from that of each, exact: the flood's samples bring histograms, and those
// add up. Pure.

import { decodeFromCompressedBase64, type Histogram } from 'hdr-histogram-js'
import type { FloodSample } from '../../src/flood/sample.ts'

/** What the flood said of one second. */
export type Interval = Pick<FloodSample, 'latency' | 'histogram'>

export interface LatencySummary {
  readonly p50Ms: number | null
  readonly p99Ms: number | null
  readonly p999Ms: number | null
  readonly maxMs: number | null
  /** The 99th percentile of the worst second. */
  readonly worstP99Ms: number | null
}

const NOTHING: LatencySummary = {
  p50Ms: null,
  p99Ms: null,
  p999Ms: null,
  maxMs: null,
  worstP99Ms: null,
}

export function latencyOver(intervals: readonly Interval[]): LatencySummary {
  const all = sumOf(intervals)
  if (all === null) return NOTHING
  // The histogram answers with the upper end of a bucket, which may lie above what there was.
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
