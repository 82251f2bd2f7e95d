// Goal: a histogram counts each value in its bucket, and adds up. Method: properties against one
// that keeps all values.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { addHistograms, emptyHistogram, Histogram, quantileOf, recordedSince } from './histogram.ts'

/** How many values are above one bound and at most the next. */
function naive(bounds: readonly number[], values: readonly number[]): number[] {
  const ends = [...bounds, Number.POSITIVE_INFINITY]
  return ends.map((end, at) => {
    const above = ends[at - 1] ?? Number.NEGATIVE_INFINITY
    return values.filter((value) => value > above && value <= end).length
  })
}

function histogramOf(bounds: readonly number[], values: readonly number[]): Histogram {
  const histogram = new Histogram(bounds)
  for (const value of values) histogram.record(value)
  return histogram
}

const someBounds = fc
  .uniqueArray(fc.integer({ min: -50, max: 50 }), { maxLength: 12 })
  .map((bounds) => bounds.sort((one, other) => one - other))
// Whole numbers, so that sums are exact and values often lie on a bound.
const someValues = fc.array(fc.integer({ min: -60, max: 60 }))

describe('a histogram', () => {
  test('has the counts and the sum of all recorded values', () => {
    fc.assert(
      fc.property(someBounds, someValues, (bounds, values) => {
        const { counts, sum } = histogramOf(bounds, values).figures()
        expect(counts).toEqual(naive(bounds, values))
        expect(sum).toBe(values.reduce((total, value) => total + value, 0))
      }),
    )
  })

  test.each([
    [0, [1, 0, 0]],
    [1, [1, 0, 0]],
    [1.000001, [0, 1, 0]],
    [2, [0, 1, 0]],
    [2.000001, [0, 0, 1]],
    [Number.POSITIVE_INFINITY, [0, 0, 1]],
  ])('with the bounds 1 and 2 has %p in %p', (value, counts) => {
    expect(histogramOf([1, 2], [value]).figures().counts).toEqual(counts)
  })

  test('has figures that later values do not change', () => {
    const histogram = histogramOf([1], [1])
    const figures = histogram.figures()
    histogram.record(1)
    expect(figures).toEqual({ counts: [1, 0], sum: 1 })
  })

  test('has figures that survive JSON', () => {
    const figures = histogramOf([0.1, 1], [0.05, 0.5, 5]).figures()
    expect(JSON.parse(JSON.stringify(figures))).toEqual(figures)
  })
})

describe('two histograms', () => {
  test('added up are the histogram of all values', () => {
    fc.assert(
      fc.property(someBounds, someValues, someValues, (bounds, some, others) => {
        const [one, other] = [some, others].map((values) => histogramOf(bounds, values).figures())
        const all = histogramOf(bounds, [...some, ...others]).figures()
        expect(addHistograms(one ?? all, other ?? all)).toEqual(all)
        expect(addHistograms(all, emptyHistogram(bounds))).toEqual(all)
      }),
    )
  })

  test('of different bounds are not added up', () => {
    expect(() => addHistograms(emptyHistogram([1]), emptyHistogram([1, 2]))).toThrow('bounds')
  })
})

const BOUNDS = [1, 2, 5, 10]

function countsOf(values: readonly number[]): readonly number[] {
  return histogramOf(BOUNDS, values).figures().counts
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

test('a quantile lies in the bucket of the value that a sorted list has there', () => {
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

test('what was recorded since an earlier state is the difference of the counts', () => {
  const histogram = new Histogram(BOUNDS)
  histogram.record(9)
  const earlier = histogram.figures()
  histogram.record(1.5)
  expect(recordedSince(histogram.figures(), earlier)).toEqual([0, 1, 0, 0, 0])
})
