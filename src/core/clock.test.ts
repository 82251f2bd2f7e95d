// Goal: timers that may run a little later run at the same time. Method: a fake clock.

import { expect, test } from 'bun:test'
import { togetherMs } from './clock.ts'
import { FakeClock } from './time.fixture.ts'

test('timers that may run later run at multiples of the grid, and never early', () => {
  const clock = new FakeClock()
  const startMs = clock.elapsedMs()
  for (const [pastMs, waitMs] of [
    [0, 50],
    [1, 99],
    [49, 51],
    [0, 100],
    [7, 200],
  ] as const) {
    clock.advance(pastMs)
    const runsMs = clock.elapsedMs() + togetherMs(clock, waitMs, 50)
    expect(runsMs % 50).toBe(0)
    expect(runsMs - clock.elapsedMs()).toBeGreaterThanOrEqual(waitMs)
    expect(runsMs - clock.elapsedMs()).toBeLessThan(waitMs + 50)
  }
  expect(clock.elapsedMs()).toBeGreaterThan(startMs)
})

test('a timer that is due before the next multiple runs when it is due', () => {
  expect(togetherMs(new FakeClock(), 4, 50)).toBe(4)
})
