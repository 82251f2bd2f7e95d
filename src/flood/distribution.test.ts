// Goal: the curve of a latency distribution holds what the histogram says. Method: known histograms.

import { expect, test } from 'bun:test'
import { distributionOf } from './distribution.ts'
import { newHistogram, percentileMs } from './times.ts'

test('of nothing there is no curve', () => {
  expect(distributionOf(newHistogram())).toEqual({ rests: [], latenciesMs: [] })
})

test('of one message there is one point', () => {
  const latency = newHistogram()
  latency.recordValue(1_500)
  expect(distributionOf(latency)).toEqual({ rests: [1], latenciesMs: [1.5] })
})

test('it goes from the fastest message to the slowest, and never down', () => {
  const latency = newHistogram()
  for (let micros = 1; micros <= 100_000; micros++) latency.recordValue(micros)
  const { rests, latenciesMs } = distributionOf(latency)
  expect([rests[0], rests.at(-1)]).toEqual([1, 100_000])
  expect([latenciesMs[0], latenciesMs.at(-1)]).toEqual([0.001, percentileMs(latency, 100) ?? 0])
  expect(latenciesMs).toEqual(latenciesMs.toSorted((a, b) => a - b))
  // Half of all messages are faster than the point at two.
  expect(latenciesMs[rests.indexOf(2)]).toBeCloseTo(50, 0)
  // Five points each time the rest halves, and the last one.
  expect(rests).toHaveLength(Math.ceil(5 * Math.log2(100_000)) + 1)
})

test('of a billion messages it is still short', () => {
  const latency = newHistogram()
  latency.recordValueWithCount(1_000, 1e9)
  latency.recordValue(9_000_000)
  const { rests, latenciesMs } = distributionOf(latency)
  expect(rests.length).toBeLessThan(160)
  expect(latenciesMs.at(-1)).toBe(9_000)
})
