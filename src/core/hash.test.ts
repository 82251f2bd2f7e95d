// Goal: a key has a place in every table, always the same, and neighbours do not crowd. Method: a
// property over keys and tables, and a chi-squared test of ids as they are given out.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { homeOf } from './hash.ts'

const HIGHEST = 4_294_967_295

describe('homeOf', () => {
  test('is a place of the table, and the same each time', () => {
    const keys = fc.integer({ min: 0, max: HIGHEST })
    fc.assert(
      fc.property(keys, fc.integer({ min: 0, max: 30 }), (key, bits) => {
        const mask = 2 ** bits - 1
        const home = homeOf(key, mask)
        expect(home).toBeWithin(0, mask + 1)
        expect(homeOf(key, mask)).toBe(home)
      }),
    )
  })

  test.each([
    ['one after the other', 1],
    ['sixteen apart', 16],
    ['a thousand apart', 1_000],
    ['a table apart', 1_024],
  ])('spreads ids that are %s', (_, step) => {
    const counts = new Array<number>(1_024).fill(0)
    for (let at = 1; at <= 65_536; at++) {
      const home = homeOf(at * step, 1_023)
      counts[home] = (counts[home] ?? 0) + 1
    }
    const spread = counts.reduce((sum, count) => sum + (count - 64) ** 2 / 64, 0)
    // 1,023 degrees of freedom: of random places, one in ten thousand tables has more than 1,200.
    // Neighbours that keep apart have less.
    expect(spread).toBeLessThan(1_200)
  })
})
