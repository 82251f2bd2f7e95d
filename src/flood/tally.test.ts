// Goal: what several processes have seen adds up and survives the way between them.
// Method: properties over counters and recorded times, through the packed form and back.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  addTally,
  type Counters,
  newCounters,
  newHistogram,
  newTally,
  packTally,
  recordMicros,
  type Tally,
  unpackTally,
} from './tally.ts'

const names = Object.keys(newCounters()) as (keyof Counters)[]

const tallies: fc.Arbitrary<Tally> = fc
  .record({
    counts: fc.array(fc.nat(), { minLength: names.length, maxLength: names.length }),
    errors: fc.dictionary(fc.constantFrom('reset', 'refused', 'status_503'), fc.nat()),
    openingMs: fc.nat(),
    connect: fc.array(fc.integer({ min: 0, max: 4_000_000_000 })),
    latency: fc.array(fc.integer({ min: -100, max: 10_000_000 })),
  })
  .map(({ counts, errors, openingMs, connect, latency }) => {
    const tally = newTally()
    for (const [at, name] of names.entries()) tally.counters[name] = counts[at] ?? 0
    Object.assign(tally.errors, errors)
    tally.openingMs = openingMs
    for (const micros of connect) recordMicros(tally.connect, micros)
    for (const micros of latency) recordMicros(tally.latency, micros)
    return tally
  })

/** A tally as values that can be compared. */
function figures({ counters, errors, openingMs, connect, latency }: Tally) {
  const times = [connect, latency].map((histogram) => [
    histogram.totalCount,
    rounded(histogram.maxValue),
    ...[0, 10, 50, 90, 99, 99.9].map((percentile) => histogram.getValueAtPercentile(percentile)),
  ])
  return { counters: { ...counters }, errors: { ...errors }, openingMs, times }
}

/** To the precision of a histogram, behind which a maximum may be rounded up on its way. */
function rounded(micros: number): number {
  const histogram = newHistogram()
  histogram.recordValue(micros)
  return histogram.getValueAtPercentile(100)
}

describe('a tally', () => {
  test('is the same behind the way to another process', () => {
    fc.assert(
      fc.property(tallies, (tally) => {
        const sent = JSON.parse(JSON.stringify(packTally(tally)))
        expect(figures(unpackTally(sent))).toEqual(figures(tally))
      }),
    )
  })

  test('adds up with others, one by one', () => {
    fc.assert(
      fc.property(tallies, tallies, (one, other) => {
        const sum = newTally()
        addTally(sum, unpackTally(packTally(one)))
        expect(figures(sum)).toEqual(figures(one))
        addTally(sum, other)
        for (const name of names) {
          expect(sum.counters[name]).toBe(one.counters[name] + other.counters[name])
        }
        for (const kind of ['reset', 'refused', 'status_503']) {
          expect(sum.errors[kind] ?? 0).toBe((one.errors[kind] ?? 0) + (other.errors[kind] ?? 0))
        }
        expect(sum.openingMs).toBe(Math.max(one.openingMs, other.openingMs))
        expect(sum.latency.totalCount).toBe(one.latency.totalCount + other.latency.totalCount)
        const longest = Math.max(one.connect.maxValue, other.connect.maxValue)
        expect(rounded(sum.connect.maxValue)).toBe(rounded(longest))
      }),
    )
  })

  test('that has not been added to is left as it was', () => {
    const one = newTally()
    one.errors['reset'] = 1
    addTally(newTally(), one)
    expect(one.errors).toEqual({ reset: 1 })
  })
})

describe('recordMicros', () => {
  test.each([
    ['a time before the clock as nothing', -5, 0],
    ['a fraction rounded', 41.6, 42],
    ['an hour', 3_600_000_000, 3_600_000_000],
    ['more than an hour as an hour', 1e15, 3_600_000_000],
  ])('records %s', (_, micros, expected) => {
    const histogram = newHistogram()
    recordMicros(histogram, micros)
    expect(histogram.totalCount).toBe(1)
    // Three digits are kept.
    expect(Math.abs(histogram.maxValue - expected)).toBeLessThanOrEqual(expected / 1000)
  })
})
