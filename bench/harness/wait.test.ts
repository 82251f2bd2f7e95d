// A wait goes on while the count grows; once it stands still the error says how far it came.

import { expect, test } from 'bun:test'
import { Opening } from './wait.ts'

test('waiting goes on while the count grows, and ends with the reason when it does not', () => {
  let nowMs = 0
  const opening = new Opening(1_000_000, () => nowMs)
  for (const count of [0, 500_000, 997_200]) {
    expect(opening.isDone(count)).toBe(false)
    nowMs += 29_999
  }
  expect(opening.isDone(997_200)).toBe(false)
  nowMs += 1
  expect(() => opening.isDone(997_200)).toThrow(
    '997,200 of 1,000,000 streams open, no progress for 30 s',
  )
  expect(opening.isDone(1_000_000)).toBe(true)
})
