// Goal: a client's next request is never the same as its last one, whatever it says it was told;
// and those who ask in the same interval are told the same. Method: a clock of the test's.

import { expect, test } from 'bun:test'
import { FakeClock } from '../core/time.fixture.ts'
import { CollapsingCursor } from './collapsing-cursor.ts'

const EPOCH_MS = Date.UTC(2024, 9, 9)

function at(interval: number, random = 0) {
  const clock = new FakeClock(EPOCH_MS + interval * 20_000)
  return { clock, cursor: new CollapsingCursor(clock, () => random) }
}

test('it is the number of the interval of 20 seconds since 9 October 2024', () => {
  const { clock, cursor } = at(1_000)
  expect(cursor.above(null)).toBe(1_000)
  clock.advance(19_999)
  expect(cursor.above('999')).toBe(1_000)
  clock.advance(1)
  expect(cursor.above('1000')).toBe(1_001)
})

test('it is above that of the request, by up to an hour', () => {
  expect(at(1_000, 0).cursor.above('1000')).toBe(1_001)
  expect(at(1_000, 0.999).cursor.above('1000')).toBe(1_180)
  expect(at(1_000, 0).cursor.above('1180')).toBe(1_181)
})

test.each(['', 'abc', '-1', '1e3', '9'.repeat(16), '9'.repeat(400)])(
  'what no server has told a client is ignored: %p',
  (requested) => {
    expect(at(1_000).cursor.above(requested)).toBe(1_000)
  },
)

test('that of streams is above all that their clients were told, and never goes back', () => {
  const { clock, cursor } = at(1_000)
  expect(cursor.live()).toBe(1_000)
  cursor.raise('1005')
  expect(cursor.live()).toBe(1_006)
  cursor.raise('1001')
  expect(cursor.live()).toBe(1_006)
  clock.advance(7 * 20_000)
  expect(cursor.live()).toBe(1_007)
})
