// Goal: pairs are sorted and unique. Method: random pairs, against Array.sort.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { sortPairs, unique } from './sort.ts'

const ID_MAX_MAX = 4_294_967_295

describe('sortPairs', () => {
  test.each([50, 3_000, 5_000_000, ID_MAX_MAX])('sorts pairs with ids up to %d', async (max) => {
    const pair = fc.tuple(fc.integer({ min: 1, max }), fc.integer({ min: 1, max }))
    const property = fc.asyncProperty(fc.array(pair, { maxLength: 300 }), async (pairs) => {
      const sorted = await sortPairs(Uint32Array.from(pairs.flat()), async () => undefined)
      const expected = [...pairs].sort(([a, b], [c, d]) => a - c || b - d)
      expect([...sorted]).toEqual(expected.flat())
      const once = [...new Map(expected.map((each) => [each.join(), each])).values()]
      expect([...unique(sorted)]).toEqual(once.flat())
    })
    await fc.assert(property)
  })
})
