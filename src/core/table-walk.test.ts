// Goal: a walk meets every row that is there all the time, whatever is added and removed meanwhile.
// Method: random tables, nearly full, that change between the parts of a walk.

import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { IntegerTable } from './table.ts'
import { TableWalk } from './table-walk.ts'

const KEY_MAX = 60

function put(table: IntegerTable, key: number): void {
  const row = table.find(key)
  if (table.rows[row] === 0 && table.size < 14) table.occupy(row, key)
}

function remove(table: IntegerTable, key: number): void {
  const row = table.find(key)
  if (table.rows[row] !== 0) table.remove(row)
}

function keysOf(table: IntegerTable): number[] {
  return [...table.rows].filter((value, at) => at % 2 === 0 && value !== 0)
}

test('a walk meets all rows that stay, though others come and go', () => {
  const key = fc.integer({ min: 1, max: KEY_MAX })
  const change = fc.record({ adds: fc.boolean(), key })
  const part = fc.record({ places: fc.integer({ min: 1, max: 5 }), changes: fc.array(change) })
  fc.assert(
    fc.property(fc.array(key), fc.array(part), (first, parts) => {
      const table = new IntegerTable({ width: 2, capacity: 16 })
      for (const one of first) put(table, one)
      const staying = new Set(keysOf(table))
      const walk = new TableWalk(table, 2)
      const met = new Set<number>()
      const visit = (rows: Uint32Array, row: number) => void met.add(rows[row] as number)
      let state: ReturnType<TableWalk['step']> = 'more'
      for (const { places, changes } of parts) {
        state = walk.step(places, visit)
        if (state === 'over') break
        for (const { adds, key: one } of changes) {
          if (adds) put(table, one)
          else {
            remove(table, one)
            staying.delete(one)
          }
        }
      }
      while (state === 'more') state = walk.step(3, visit)
      for (const one of staying) expect(met).toContain(one)
    }),
    { numRuns: 3_000 },
  )
})

test('a walk says when the rows are elsewhere', () => {
  const table = new IntegerTable({ width: 2, capacity: 16 })
  put(table, 5)
  const walk = new TableWalk(table, 2)
  expect(walk.step(3, () => undefined)).toBe('more')
  table.rebuild(32)
  expect(walk.step(3, () => undefined)).toBe('moved')
})
