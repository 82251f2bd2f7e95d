// Goal: times survive the way from a process to the report, to three digits, and nothing twice.
// Method: properties over recorded times against a sorted list of them; a table of edges.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { RecentTimes, type Times } from './recent.ts'
import { addTimes, newHistogram, percentileMs } from './times.ts'

const HOUR_MICROS = 3_600_000_000

const micros = fc.oneof(
  fc.integer({ min: 0, max: 5_000 }),
  fc.integer({ min: 0, max: 10_000_000 }),
  fc.integer({ min: 0, max: HOUR_MICROS }),
)

function timesOf(recorded: readonly number[]): Times {
  const recent = new RecentTimes()
  for (const micros of recorded) recent.record(micros)
  return recent.take()
}

describe('times that are told', () => {
  test('give back every percentile to three digits, of one process or of several', () => {
    fc.assert(
      fc.property(fc.array(fc.array(micros), { minLength: 1, maxLength: 5 }), (processes) => {
        const histogram = newHistogram()
        for (const recorded of processes) {
          addTimes(histogram, JSON.parse(JSON.stringify(timesOf(recorded))))
        }
        const sorted = processes.flat().sort((a, b) => a - b)
        expect(histogram.totalCount).toBe(sorted.length)
        for (const percentile of [1, 50, 99, 99.9, 100]) {
          const at = Math.max(1, Math.ceil((percentile / 100) * sorted.length)) - 1
          const exact = sorted[at]
          const told = percentileMs(histogram, percentile)
          if (exact === undefined) expect(told).toBeNull()
          else {
            expect((told ?? -1) * 1000).toBeGreaterThanOrEqual(exact - 1e-6)
            expect((told ?? -1) * 1000).toBeLessThanOrEqual(exact * 1.001 + 1e-6)
          }
        }
      }),
    )
  })

  test('are told once, each hit bucket once, and nothing when there were none', () => {
    fc.assert(
      fc.property(fc.array(micros), fc.array(micros), (first, second) => {
        const recent = new RecentTimes()
        for (const micros of first) recent.record(micros)
        expect(recent.take()).toEqual(timesOf(first))
        for (const micros of second) recent.record(micros)
        const times = recent.take()
        expect(times).toEqual(timesOf(second))
        const buckets = times.filter((_, at) => at % 2 === 0)
        expect(new Set(buckets).size).toBe(buckets.length)
        expect(recent.take()).toEqual([])
      }),
    )
  })
})

test.each([
  ['before the clock by skew counts as nothing', -5, 0],
  ['of nothing is nothing', 0, 0],
  ['is rounded', 41.6, 42],
  ['at the last single microsecond is exact', 2_047, 2_047],
  ['behind it has the upper end of its bucket', 2_048, 2_049],
  ['of an hour is an hour', HOUR_MICROS, HOUR_MICROS],
  ['of more than an hour is an hour', 1e15, HOUR_MICROS],
])('a time %s', (_, micros, expected) => {
  const histogram = newHistogram()
  addTimes(histogram, timesOf([micros]))
  expect(percentileMs(histogram, 100)).toBe(expected / 1000)
})
