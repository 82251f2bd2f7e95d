// Goal: the lowest numbers are those that sorting all would give. Method: random numbers, in order,
// in falling order and in none, and ten times as many as are wanted.

import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { LowestNumbers } from './lowest.ts'

function lowestOf(numbers: readonly number[], count: number): number[] {
  const lowest = new LowestNumbers(count)
  for (const number of numbers) lowest.add(number)
  return [...lowest.take()]
}

test('the lowest numbers are those that sorting finds, each once', () => {
  const numbers = fc.array(fc.integer({ min: 1, max: 300 }), { maxLength: 400 })
  fc.assert(
    fc.property(numbers, fc.integer({ min: 1, max: 40 }), (all, count) => {
      const sorted = [...new Set(all)].sort((a, b) => a - b)
      const expected = sorted.slice(0, count)
      for (const order of [all, sorted, sorted.toReversed()]) {
        expect(lowestOf(order, count)).toEqual(expected)
      }
    }),
  )
})

test('numbers above 2^31 are high ones', () => {
  expect(lowestOf([2 ** 32 - 1, 5, 2 ** 31 + 1, 2 ** 31 - 1], 3)).toEqual([
    5,
    2 ** 31 - 1,
    2 ** 31 + 1,
  ])
})
