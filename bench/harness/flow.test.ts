// The latency of a whole flow is exactly that of its seconds together; the seconds are made of
// known times.

import { describe, expect, test } from 'bun:test'
import { build, encodeIntoCompressedBase64 } from 'hdr-histogram-js'
import { arrivalsOver, type Interval, latencyOver } from './flow.ts'

/** A second in which these latencies were seen, as a flood reports it. */
function second(micros: readonly number[]): Interval {
  const histogram = build({ highestTrackableValue: 1e9, numberOfSignificantValueDigits: 3 })
  for (const value of micros) histogram.recordValue(Math.round(value))
  const at = (share: number) => histogram.getValueAtPercentile(share) / 1000
  return {
    latency: { p50Ms: at(50), p99Ms: at(99), p999Ms: at(99.9), maxMs: at(100) },
    histogram: encodeIntoCompressedBase64(histogram),
  }
}

/** A thousand latencies around a median, some far above it. */
function spread(median: number): number[] {
  return Array.from({ length: 1_000 }, (_, at) => median * (0.5 + at / 1_000) * (at < 990 ? 1 : 5))
}

const SECONDS = [1_000, 1_200, 900, 8_000, 1_100].map(spread)

describe('the latency of several seconds', () => {
  test('is that of all their messages', () => {
    const { latency } = second(SECONDS.flat())
    const summary = latencyOver(SECONDS.map(second))
    expect(summary.p50Ms).toBeCloseTo(latency.p50Ms ?? 0, 2)
    expect(summary.p99Ms).toBeCloseTo(latency.p99Ms ?? 0, 1)
    expect(summary.maxMs).toBeCloseTo(latency.maxMs ?? 0, 1)
    expect(summary.worstP99Ms).toBeCloseTo(second(spread(8_000)).latency.p99Ms ?? 0, 2)
  })

  test('is null where nothing came', () => {
    const nothing = { p50Ms: null, p99Ms: null, p999Ms: null, maxMs: null }
    expect(latencyOver([{ latency: nothing, histogram: null }]).p99Ms).toBeNull()
    expect(latencyOver([]).maxMs).toBeNull()
  })
})

test('of messages due at one moment, the first and the last arrival', () => {
  const arrivals = arrivalsOver([second([9_000, 3_000]), second([2_500_000])])
  expect(arrivals?.firstMs).toBeCloseTo(3, 1)
  expect((arrivals?.lastMs ?? 0) / 2_500).toBeCloseTo(1, 2)
  expect(arrivalsOver([])).toBeNull()
})
