// Spreads over runs, and whether a value meets its target.

import { describe, expect, test } from 'bun:test'
import { isMet, spreadOf } from './report.ts'

describe('a spread', () => {
  test('is of the rounds that have a value', () => {
    expect(spreadOf([3, null, 1, 2])).toEqual({ median: 2, min: 1, max: 3 })
    expect(spreadOf([4, 1])).toEqual({ median: 2.5, min: 1, max: 4 })
  })

  test('is null where no round has one', () => {
    expect(spreadOf([null, null])).toBeNull()
    expect(spreadOf([])).toBeNull()
  })
})

test('a value meets its target or not, and a missing one does not', () => {
  expect([1, 2, 3].map((value) => isMet(value, { atMost: 2 }))).toEqual([true, true, false])
  expect([1, 2, null].map((value) => isMet(value, { atLeast: 2 }))).toEqual([false, true, false])
  expect(isMet(1, null)).toBeNull()
})
