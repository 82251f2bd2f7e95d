// Goal: shares of the streams are met by any number of streams.
// Method: tables, and properties over all indexes.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { countAmong, isAmong } from './fault-injector.ts'

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

  test('of nothing is none of the streams, and of everything all of them', () => {
    const indexes = [0, 1, 2, 999]
    expect(indexes.map((index) => isAmong(0, index))).toEqual([false, false, false, false])
    expect(indexes.map((index) => isAmong(1, index))).toEqual([true, true, true, true])
  })
})
