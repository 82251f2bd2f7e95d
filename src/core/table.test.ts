// Goal: a table finds what was put into it, after any number of removals and rebuilds, and spreads
// neighbours. Method: a model test against a list with keys made to collide, and a chi-squared test
// of ids as they are given out.

import { describe, expect, test } from 'bun:test'
import { deepStrictEqual as same } from 'node:assert'
import fc from 'fast-check'
import { IntegerTable } from './table.ts'

const HIGHEST = 4_294_967_295

/** A key, the number behind it, and a value. */
type Row = readonly [key: number, second: number, value: number]

/** Rows of a table, sorted. */
function rowsOf({ rows, size }: IntegerTable): Row[] {
  const found: Row[] = []
  for (let row = 0; row < rows.length; row += 3) {
    if (rows[row] !== 0) found.push([...rows.subarray(row, row + 3)] as unknown as Row)
  }
  same(found.length, size)
  return sorted(found)
}

function sorted(rows: readonly Row[]): Row[] {
  return [...rows].sort((one, other) => one[0] - other[0] || one[1] - other[1])
}

function put(table: IntegerTable, row: number, [key, second, value]: Row): void {
  table.occupy(row, key)
  table.rows[row + 1] = second
  table.rows[row + 2] = value
}

// Few keys in a table of 16 places, so that they collide and wrap around its end.
const key = fc.oneof(fc.integer({ min: 1, max: 6 }), fc.integer({ min: HIGHEST - 3, max: HIGHEST }))
const second = fc.nat({ max: 1 })
const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ put: fc.tuple(key, second, fc.nat({ max: 99 })) }) },
    { weight: 5, arbitrary: fc.record({ remove: fc.tuple(key, second) }) },
    { weight: 1, arbitrary: fc.record({ rebuild: fc.constantFrom(16, 32, 64), without: second }) },
  ),
  { maxLength: 60 },
)

describe('a table', () => {
  test.each([1, 2] as const)(
    'whose key has %p numbers equals a list after every step',
    (keyWidth) => {
      const find = (table: IntegerTable, key: number, second: number) =>
        keyWidth === 2 ? table.findPair(key, second) : table.find(key)
      const isSame = (row: Row, key: number, second: number) =>
        row[0] === key && (keyWidth === 1 || row[1] === second)
      fc.assert(
        fc.property(steps, (steps) => {
          const table = new IntegerTable({ width: 3, keyWidth, capacity: 16 })
          let expected: Row[] = []
          for (const step of steps) {
            if ('put' in step) {
              const [key, second] = step.put
              const row = find(table, key, second)
              if (table.rows[row] !== 0 || table.size === 15) continue
              put(table, row, step.put)
              expected.push(step.put)
            } else if ('remove' in step) {
              const row = find(table, ...step.remove)
              if (table.rows[row] !== 0) table.remove(row)
              expected = expected.filter((one) => !isSame(one, ...step.remove))
            } else {
              table.rebuild(step.rebuild, (rows, row) => rows[row + 1] !== step.without)
              same(table.capacity, step.rebuild)
              expected = expected.filter(([, second]) => second !== step.without)
            }
            same(rowsOf(table), sorted(expected))
            for (const [key, second, value] of expected) {
              same(table.rows[find(table, key, second) + 2], value)
            }
          }
        }),
      )
    },
  )

  test('has several rows of the same key between its home and the next free row', () => {
    const table = new IntegerTable({ width: 3, capacity: 16 })
    const free = () => {
      let row = table.home(7)
      while (table.rows[row] !== 0) row = table.after(row)
      return row
    }
    for (const second of [1, 2, 3]) put(table, free(), [7, second, 0])
    table.remove(table.after(table.home(7)))
    const seconds: number[] = []
    for (let row = table.home(7); table.rows[row] !== 0; row = table.after(row)) {
      seconds.push(table.rows[row + 1] as number)
    }
    expect(seconds).toEqual([1, 3])
  })

  test('keeps all rows when it grows', () => {
    const table = new IntegerTable({ width: 3 })
    for (let key = 1; key <= 10_000; key++) {
      put(table, table.find(key * 3), [key * 3, key, 0])
      if (table.size * 2 > table.capacity) table.rebuild(table.capacity * 2)
    }
    for (let key = 1; key <= 10_000; key++) {
      same(table.rows[table.find(key * 3) + 1], key)
      same(table.rows[table.find(key * 3 + 1)], 0)
    }
    expect([table.size, table.capacity]).toEqual([10_000, 32_768])
  })

  test.each([
    ['one after another', (at: number) => [at, 0] as const],
    ['sixteen apart', (at: number) => [at * 16, 0] as const],
    ['a thousand apart', (at: number) => [at * 1_000, 0] as const],
    ['a table apart', (at: number) => [at * 1_024, 0] as const],
    ['pairs of a thousand and sixty-four', (at: number) => [1 + (at >> 6), at & 63] as const],
  ])('spreads keys that are %s', (_, keyAt) => {
    const table = new IntegerTable({ width: 1, keyWidth: 2, capacity: 1_024 })
    const counts = new Array<number>(1_024).fill(0)
    for (let at = 1; at <= 65_536; at++) {
      const home = table.home(...keyAt(at))
      counts[home] = (counts[home] ?? 0) + 1
    }
    const spread = counts.reduce((sum, count) => sum + (count - 64) ** 2 / 64, 0)
    // 1,023 degrees of freedom: of random places, one in ten thousand tables has more than 1,200.
    // Neighbours that keep apart have less.
    expect(spread).toBeLessThan(1_200)
  })
})

test('the lowest keys above one are in order, each once, in pages of any size', () => {
  const keys = fc.uniqueArray(fc.integer({ min: 1, max: 2 ** 32 - 1 }), { maxLength: 300 })
  fc.assert(
    fc.property(keys, fc.integer({ min: 1, max: 50 }), (all, size) => {
      const table = new IntegerTable({ width: 2, capacity: 1_024 })
      for (const [at, key] of all.entries()) {
        // Some of them twice.
        for (let times = 0; times <= at % 2; times++) {
          let row = table.home(key)
          while (table.rows[row] !== 0) row = table.after(row)
          table.occupy(row, key)
        }
      }
      const read: number[] = []
      while (true) {
        const page = table.keysAbove(read.at(-1) ?? 0, size)
        if (page.length === 0) break
        expect(page.length).toBeLessThanOrEqual(size)
        read.push(...page)
      }
      expect(read).toEqual(all.sort((a, b) => a - b))
    }),
  )
})
