// A wait goes on while the count grows; once it stands still the error says how far it came. And
// memory is read once it has not fallen for long enough.

import { expect, test } from 'bun:test'
import { Lowest, Opening } from './wait.ts'

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

test('the lowest memory counts once it has not fallen for three quarters of a minute', () => {
  let nowMs = 0
  const lowest = new Lowest(() => nowMs)
  const after = (ms: number, bytes: number) => {
    nowMs += ms
    return lowest.isLowest(bytes)
  }
  expect(after(0, 44_100)).toBe(false)
  expect(after(40_000, 44_200)).toBe(false)
  expect(after(1_000, 23_800)).toBe(false)
  // A new low, but hardly: what goes up and down must not be waited for.
  expect(after(35_000, 23_700)).toBe(false)
  expect(after(9_999, 26_200)).toBe(false)
  expect(after(1, 26_300)).toBe(true)
  expect(lowest.bytes).toBe(23_700)
})
