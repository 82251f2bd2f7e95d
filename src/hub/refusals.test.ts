// Goal: counts by reason have a place for every row of their table, and add up. Method: the real
// tables.

import { expect, test } from 'bun:test'
import { addCounts, CLOSES, REFUSALS, totalOf, zeroCounts } from './refusals.ts'

test('counts have every reason of the table, and add up reason by reason', () => {
  const counts = zeroCounts(REFUSALS)
  expect(Object.keys(counts)).toEqual(Object.keys(REFUSALS))
  counts.full = 2
  counts.rate = 1
  const sum = addCounts(counts, { ...zeroCounts(REFUSALS), full: 40 })
  expect([sum.full, sum.rate, sum.busy, totalOf(sum)]).toEqual([42, 1, 0, 43])
  expect(Object.keys(zeroCounts(CLOSES))).toEqual(Object.keys(CLOSES))
})

test('every refusal that is logged says so in one sentence', () => {
  for (const { event, message } of Object.values(REFUSALS)) {
    if (event !== null) expect(message('7')).toMatch(/^A stream was refused: .*\.$/)
  }
})
