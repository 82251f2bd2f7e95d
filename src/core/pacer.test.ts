// Goal: schedules are due when they say, keep their rate, and take turns evenly. Method: a table of
// times, and properties that connect the functions.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { dueAtMs, dueBefore, dueCount, type Schedule, shareRate, spreadIntervals } from './pacer.ts'

describe('dueCount', () => {
  test.each<[string, Schedule, number, number]>([
    ['nothing before the first time', { firstMs: 10, intervalMs: 5 }, 9.999, 0],
    ['once at the first time', { firstMs: 10, intervalMs: 5 }, 10, 1],
    ['still once before the second', { firstMs: 10, intervalMs: 5 }, 14.999, 1],
    ['twice at the second', { firstMs: 10, intervalMs: 5 }, 15, 2],
    ['at once when it starts at 0', { firstMs: 0, intervalMs: 1000 }, 0, 1],
    ['nothing before the start', { firstMs: 0, intervalMs: 1000 }, -1, 0],
    ['all that a stall has missed', { firstMs: 0, intervalMs: 1 }, 10_000, 10_001],
    ['intervals below a millisecond', { firstMs: 0, intervalMs: 0.125 }, 1, 9],
    [
      'nothing new a moment before the next of ten a second',
      { firstMs: 0, intervalMs: 100 },
      99,
      1,
    ],
    ['all that ten a second are in a second', { firstMs: 0, intervalMs: 100 }, 1_000, 11],
    ['once in two seconds', { firstMs: 0, intervalMs: 2_000 }, 1_999, 1],
    ['and once more after them', { firstMs: 0, intervalMs: 2_000 }, 2_000, 2],
    ['days later', { firstMs: 1, intervalMs: 1 }, 864e6, 864e6],
  ])('%s', (_, schedule, elapsedMs, count) => {
    expect(dueCount(schedule, elapsedMs)).toBe(count)
  })
})

const schedules = fc.oneof(
  fc
    .tuple(fc.integer({ min: 1, max: 100_000 }), fc.integer({ min: 1, max: 8 }), fc.nat())
    .map(([rate, parts, at]) => shareRate(rate, parts)[at % parts] as Schedule),
  fc
    .tuple(fc.integer({ min: 1, max: 50 }), fc.nat())
    .map(([parts, at]) => spreadIntervals(parts, 11, 110)[at % parts] as Schedule),
)

describe('a schedule', () => {
  // Otherwise a wait for that time never ends: dueAtMs says now, and dueCount says not yet.
  test('is due at the time that it says, and not just before', () => {
    fc.assert(
      fc.property(schedules, fc.integer({ min: 1, max: 1_000_000 }), (schedule, count) => {
        const atMs = dueAtMs(schedule, count)
        expect(dueCount(schedule, atMs)).toBe(count)
        expect(dueCount(schedule, atMs - schedule.intervalMs / 1000)).toBe(count - 1)
      }),
      { numRuns: 500 },
    )
  })

  test.each([
    [{ firstMs: 0, intervalMs: 3000 / 31 }, 32, 3000],
    [{ firstMs: (2 * 1000) / 23, intervalMs: 3000 / 23 }, 8, 1000],
  ])('%p is due for the %p. time at %p ms, in spite of rounding', (schedule, count, atMs) => {
    expect(dueAtMs(schedule, count)).toBe(atMs)
    expect(dueCount(schedule, atMs)).toBe(count)
  })
})

describe('shareRate', () => {
  test('divides one even schedule into turns', () => {
    const parts = shareRate(1000, 4)
    const moments = [1, 2].flatMap((count) => parts.map((part) => dueAtMs(part, count)))
    expect(moments).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  })

  test('adds up to the rate', () => {
    const rates = fc.integer({ min: 1, max: 100_000 })
    fc.assert(
      fc.property(rates, fc.integer({ min: 1, max: 256 }), (rate, parts) => {
        const sum = shareRate(rate, parts).reduce(
          (all, { intervalMs }) => all + 1000 / intervalMs,
          0,
        )
        expect(sum).toBeCloseTo(rate, 6)
      }),
    )
  })
})

describe('spreadIntervals', () => {
  test.each([
    [1, 11, 110, [11]],
    [2, 11, 110, [11, 110]],
    [4, 10, 40, [10, 20, 30, 40]],
    [3, 50, 50, [50, 50, 50]],
    [0, 1, 2, []],
  ])('%p from %p to %p ms are %p', (parts, fromMs, toMs, intervals) => {
    const expected = intervals.map((intervalMs) => ({ firstMs: intervalMs, intervalMs }))
    expect(spreadIntervals(parts, fromMs, toMs)).toEqual(expected)
  })
})

describe('dueBefore', () => {
  test.each<[string, Schedule, number, number]>([
    ['ten of a second at ten a second', { firstMs: 0, intervalMs: 100 }, 1000, 10],
    ['none before the first', { firstMs: 100, intervalMs: 100 }, 100, 0],
    ['the first just behind it', { firstMs: 100, intervalMs: 100 }, 101, 1],
    ['none of no time', { firstMs: 0, intervalMs: 100 }, 0, 0],
    ['none before the start', { firstMs: 0, intervalMs: 100 }, -50, 0],
  ])('counts %s', (_, schedule, endMs, count) => {
    expect(dueBefore(schedule, endMs)).toBe(count)
  })

  test('counts exactly the messages of a rate, for any parts and rounding', () => {
    const rates = fc.integer({ min: 1, max: 100_000 })
    const seconds = fc.integer({ min: 1, max: 600 })
    fc.assert(
      fc.property(rates, fc.integer({ min: 1, max: 8 }), seconds, (rate, parts, duration) => {
        const counts = shareRate(rate, parts).map((part) => dueBefore(part, duration * 1000))
        expect(counts.reduce((sum, count) => sum + count, 0)).toBe(rate * duration)
      }),
      { numRuns: 500 },
    )
  })
})
