// Goal: every moment at which the loop was late counts, whenever it got to look. Method: a clock that
// is moved by hand and looks at any moments, and one real loop that is kept busy.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { systemClock } from './clock.ts'
import { figureLimits } from './limits.ts'
import { LAG_BOUNDS_SECONDS, LoopWatch } from './loop.ts'
import { FakeClock, until } from './time.fixture.ts'

const { loopLookMs } = figureLimits

function watched() {
  const clock = new FakeClock()
  return { clock, loop: new LoopWatch(clock) }
}

const countOf = ({ figures }: { figures: ReturnType<LoopWatch['figures']> }) =>
  figures.counts.reduce((total, count) => total + count, 0)

describe('a loop', () => {
  test('that is on time is never late', () => {
    const { clock, loop } = watched()
    for (let at = 0; at < 10; at++) {
      clock.advance(loopLookMs)
      expect(loop.lateMs).toBe(0)
      loop.look()
    }
    expect(loop.figures()).toEqual({
      counts: [10, ...LAG_BOUNDS_SECONDS.map(() => 0)],
      sum: 0,
    })
  })

  test('that looks too soon has not looked', () => {
    const { clock, loop } = watched()
    clock.advance(loopLookMs - 1)
    loop.look()
    expect(countOf({ figures: loop.figures() })).toBe(0)
    clock.advance(1)
    loop.look()
    expect(countOf({ figures: loop.figures() })).toBe(1)
  })

  test('that stood still was late at each moment of it', () => {
    const { clock, loop } = watched()
    clock.advance(loopLookMs + 1_000)
    expect(loop.lateMs).toBe(1_000)
    loop.look()
    // 1, 0.75, 0.5, 0.25 and 0 seconds.
    const { counts, sum } = loop.figures()
    const late = LAG_BOUNDS_SECONDS.flatMap((bound, at) => ((counts[at] ?? 0) > 0 ? [bound] : []))
    expect([late, sum, loop.lateMs]).toEqual([[0.0025, 0.25, 0.5, 1], 2.5, 0])
  })

  test('has looked as often as it was due, however it got to it', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 5_000 })), (waits) => {
        const { clock, loop } = watched()
        for (const ms of waits) {
          clock.advance(ms)
          loop.look()
        }
        const due = Math.floor(clock.elapsedMs() / loopLookMs)
        expect(countOf({ figures: loop.figures() })).toBe(due)
      }),
    )
  })
})

test('a real loop that is kept busy is found late', async () => {
  const loop = new LoopWatch(systemClock)
  loop.start()
  const busyUntilMs = systemClock.elapsedMs() + loopLookMs * 3
  while (systemClock.elapsedMs() < busyUntilMs);
  expect(loop.lateMs).toBeGreaterThan(loopLookMs)
  await until('it has looked', () => loop.lateMs < loopLookMs)
  const figures = loop.figures()
  expect(countOf({ figures })).toBeGreaterThanOrEqual(3)
  expect(figures.sum).toBeGreaterThan(loopLookMs / 1_000)
})
