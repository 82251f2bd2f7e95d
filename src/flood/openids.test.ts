// Goal: ids in ranges are found, and visited once each in an order that spreads over all of them.

import { describe, expect, test } from 'bun:test'
import { type IdRange, OpenIds } from './openids.ts'

const RANGES: readonly IdRange[] = [
  [1, 3],
  [7, 7],
  [10, 12],
]

describe('ids in ranges', () => {
  test('are counted and found', () => {
    const ids = new OpenIds(RANGES)
    expect(ids.count).toBe(7)
    const found = Array.from({ length: 15 }, (_, id) => id).filter((id) => ids.has(id))
    expect(found).toEqual([1, 2, 3, 7, 10, 11, 12])
  })

  test.each([[[]], [RANGES], [[[5, 5]]], [[[1, 2]]], [[[1, 1_000]]]] as const)(
    'are each visited once: %j',
    (ranges: readonly IdRange[]) => {
      const visited = [...new OpenIds(ranges).spread()].sort((left, right) => left - right)
      const all = ranges.flatMap(([first, last]) =>
        Array.from({ length: last - first + 1 }, (_, at) => first + at),
      )
      expect(visited).toEqual(all)
    },
  )

  test('are visited all over, however few of them', () => {
    const first = new OpenIds([[0, 999_999]]).spread().take(100).toArray()
    const tenths = new Set(first.map((id) => Math.floor(id / 100_000)))
    expect(tenths.size).toBe(10)
  })
})
