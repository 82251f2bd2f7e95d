// Goal: schedules are exact at every moment, and shares are met by any number of streams.
// Method: tables, and properties over all indexes.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { floodLimits } from '../core/tool-limits.ts'
import { churnedCount, countAmong, dueCount, dueMs, isAmong, reconnectDelayMs } from './schedule.ts'

describe('a pace', () => {
  test.each<[number | null, number, number]>([
    [10, 0, 1],
    [10, 99, 1],
    [10, 100, 2],
    [10, 1_000, 11],
    [10, 1e9, 50],
    [0.5, 1_999, 1],
    [0.5, 2_000, 2],
    [null, 0, 50],
  ])('of %p a second has after %p ms %p due of 50', (rate, elapsedMs, count) => {
    expect(dueCount(rate, elapsedMs, 50)).toBe(count)
  })

  test('has each connection due when it counts as due, and not before', () => {
    const rates = fc.integer({ min: 1, max: 100_000 })
    const indexes = fc.integer({ min: 1, max: 1_000_000 })
    fc.assert(
      fc.property(rates, indexes, (rate, index) => {
        const atMs = dueMs(rate, index)
        expect(dueCount(rate, atMs + 1e-6, 2_000_000)).toBeGreaterThanOrEqual(index + 1)
        expect(dueCount(rate, atMs - 0.001, 2_000_000)).toBeLessThanOrEqual(index + 1)
      }),
    )
  })
})

test('churn closes its share of the streams each second', () => {
  expect([0, 99, 100, 1_000, 60_000].map((ms) => churnedCount(0.01, 1_000, ms))).toEqual([
    0, 0, 1, 10, 600,
  ])
})

describe('a share', () => {
  test('is met to within one, whatever the number of streams', () => {
    const shares = fc.double({ min: 0, max: 1, noNaN: true })
    fc.assert(
      fc.property(shares, fc.integer({ min: 1, max: 2_000 }), (share, streams) => {
        const indexes = Array.from({ length: streams }, (_, index) => index)
        const chosen = indexes.filter((index) => isAmong(share, index)).length
        expect(Math.abs(chosen - share * streams)).toBeLessThanOrEqual(1)
      }),
    )
  })

  test('in per cent is met exactly where that is a whole number', () => {
    for (let percent = 0; percent <= 100; percent++) {
      expect(countAmong(percent / 100, 100)).toBe(percent)
    }
  })

  test('of nothing has nobody, and of everything everybody', () => {
    const indexes = [0, 1, 2, 999]
    expect(indexes.map((index) => isAmong(0, index))).toEqual([false, false, false, false])
    expect(indexes.map((index) => isAmong(1, index))).toEqual([true, true, true, true])
  })
})

describe('the wait before another try', () => {
  test.each([
    [1_000, 0, 0, 500],
    [1_000, 0, 0.5, 1_000],
    [1_000, 0, 0.999, 1_499],
    [1_000, 2, 0.5, 4_000],
    [1_000, 99, 0.5, floodLimits.reconnectMsMax],
  ])('of %p ms after %p failures is, by chance %p, %p ms', (baseMs, failures, random, waitMs) => {
    expect(reconnectDelayMs(baseMs, failures, random)).toBeCloseTo(waitMs, 6)
  })
})
