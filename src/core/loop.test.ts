// Goal: the lag of a loop is measured as if it were checked at all times, and a process knows its
// share of a core. Method: a fake clock and CPU time, and one real loop that is kept busy.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { systemClock } from './clock.ts'
import { figureLimits } from './limits.ts'
import { cpuSeconds, LAG_BOUNDS_SECONDS, LoadWatch, LoopWatch } from './loop.ts'
import { FakeClock, until } from './time.fixture.ts'

const { loopCheckMs } = figureLimits

function watched() {
  const clock = new FakeClock()
  return { clock, loop: new LoopWatch(clock) }
}

const countOf = ({ figures }: { figures: ReturnType<LoopWatch['figures']> }) =>
  figures.counts.reduce((total, count) => total + count, 0)

describe('a loop', () => {
  test('that is on time has no lag', () => {
    const { clock, loop } = watched()
    for (let at = 0; at < 10; at++) {
      clock.advance(loopCheckMs)
      expect(loop.lateMs).toBe(0)
      loop.look()
    }
    expect(loop.figures()).toEqual({
      counts: [10, ...LAG_BOUNDS_SECONDS.map(() => 0)],
      sum: 0,
    })
  })

  test('that is checked early has not been measured', () => {
    const { clock, loop } = watched()
    clock.advance(loopCheckMs - 1)
    loop.look()
    expect(countOf({ figures: loop.figures() })).toBe(0)
    clock.advance(1)
    loop.look()
    expect(countOf({ figures: loop.figures() })).toBe(1)
  })

  test('that was blocked was late at each moment of it', () => {
    const { clock, loop } = watched()
    clock.advance(loopCheckMs + 1_000)
    expect(loop.lateMs).toBe(1_000)
    loop.look()
    // 1, 0.75, 0.5, 0.25 and 0 seconds.
    const { counts, sum } = loop.figures()
    const late = LAG_BOUNDS_SECONDS.flatMap((bound, at) => ((counts[at] ?? 0) > 0 ? [bound] : []))
    expect([late, sum, loop.lateMs]).toEqual([[0.0025, 0.25, 0.5, 1], 2.5, 0])
  })

  test('is measured as often as it was due, however late it was checked', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 5_000 })), (waits) => {
        const { clock, loop } = watched()
        for (const ms of waits) {
          clock.advance(ms)
          loop.look()
        }
        const due = Math.floor(clock.elapsedMs() / loopCheckMs)
        expect(countOf({ figures: loop.figures() })).toBe(due)
      }),
    )
  })
})

test('a real loop that is kept busy has lag', async () => {
  const loop = new LoopWatch(systemClock)
  loop.start()
  const busyUntilMs = systemClock.elapsedMs() + loopCheckMs * 3
  while (systemClock.elapsedMs() < busyUntilMs);
  expect(loop.lateMs).toBeGreaterThan(loopCheckMs)
  await until('it has looked', () => loop.lateMs < loopCheckMs)
  const figures = loop.figures()
  expect(countOf({ figures })).toBeGreaterThanOrEqual(3)
  expect(figures.sum).toBeGreaterThan(loopCheckMs / 1_000)
})

/** A watch of a second, with what it looks at. */
function loadWatched() {
  const clock = new FakeClock()
  const cpu = { seconds: 5 }
  const watch = new LoadWatch(clock, 1_000, () => cpu.seconds)
  const pass = (ms: number, cpuMs: number) => {
    clock.advance(ms)
    cpu.seconds += cpuMs / 1_000
    return watch.look()
  }
  return pass
}

describe('the load', () => {
  test.each([
    ['an idle process in time', 1_000, 0, { cores: 0, loopLateMs: 0 }],
    ['a half busy process in time', 1_000, 500, { cores: 0.5, loopLateMs: 0 }],
    ['a late process that was always busy', 1_250, 1_250, { cores: 1, loopLateMs: 250 }],
    ['a process that was busy in several threads', 1_000, 1_500, { cores: 1.5, loopLateMs: 0 }],
    ['a process that looks early, which is not late', 400, 100, { cores: 0.25, loopLateMs: 0 }],
    ['a process that looks at once', 0, 5, { cores: 0, loopLateMs: 0 }],
  ])('is measured of %s', (_, ms, cpuMs, load) => {
    expect(loadWatched()(ms, cpuMs)).toEqual({
      cores: expect.closeTo(load.cores, 9),
      loopLateMs: load.loopLateMs,
    })
  })

  test('counts from the last look', () => {
    const pass = loadWatched()
    pass(3_000, 3_000)
    expect(pass(1_000, 100)).toEqual({ cores: expect.closeTo(0.1, 9), loopLateMs: 0 })
  })

  test('includes the CPU time of this process', () => {
    const clock = new FakeClock()
    const watch = new LoadWatch(clock, 1)
    const untilSeconds = cpuSeconds() + 0.005
    while (cpuSeconds() < untilSeconds) clock.advance(1)
    expect(watch.look().cores).toBeGreaterThan(0)
  })
})
