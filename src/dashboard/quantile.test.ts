// Goal: a quantile lies where the values were, as exactly as buckets can tell. Method: histograms of
// known values, and a property against the sorted list.

import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { Histogram } from '../core/histogram.ts'
import { quantileOf, recordedSince } from './quantile.ts'

const BOUNDS = [1, 2, 5, 10]

function countsOf(values: readonly number[]): readonly number[] {
  const histogram = new Histogram(BOUNDS)
  for (const value of values) histogram.record(value)
  return recordedSince(histogram.figures(), null)
}

test.each([
  [[], 0.5, null],
  [[1.5], 1, 2],
  [[0.5, 0.5, 0.5, 0.5], 0.5, 0.5],
  [[0.5, 4, 4, 4], 0.25, 1],
  [[0.5, 4, 4, 4], 1, 5],
  [[99], 0.5, 10],
])('of %j, the %p quantile is %p', (values, share, quantile) => {
  expect(quantileOf(BOUNDS, countsOf(values), share)).toBe(quantile)
})

test('lies in the bucket of the value that a sorted list has there', () => {
  const values = fc.array(fc.double({ min: 0.001, max: 10, noNaN: true }), { minLength: 1 })
  const shares = fc.double({ min: 0.01, max: 1, noNaN: true })
  fc.assert(
    fc.property(values, shares, (values, share) => {
      const sorted = values.toSorted((a, b) => a - b)
      const exact = sorted[Math.ceil(share * sorted.length - 1e-9) - 1] ?? 0
      const at = BOUNDS.findIndex((bound) => exact <= bound)
      const quantile = quantileOf(BOUNDS, countsOf(values), share) ?? -1
      expect(quantile).toBeGreaterThanOrEqual(BOUNDS[at - 1] ?? 0)
      expect(quantile).toBeLessThanOrEqual(BOUNDS[at] ?? 0)
    }),
  )
})

test('counts only what came since', () => {
  const histogram = new Histogram(BOUNDS)
  histogram.record(9)
  const earlier = histogram.figures()
  histogram.record(1.5)
  expect(recordedSince(histogram.figures(), earlier)).toEqual([0, 1, 0, 0, 0])
})
