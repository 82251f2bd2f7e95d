// Goal: a process knows how much of a core it used and how late its timer was, since it last looked.
// Method: a clock and a processor's time that the test moves.

import { describe, expect, test } from 'bun:test'
import { FakeClock } from '../core/time.fixture.ts'
import { LoadWatch } from './load.ts'

/** A watch of a second, with what it looks at. */
function watched() {
  const clock = new FakeClock()
  const cpu = { micros: 5_000_000 }
  const watch = new LoadWatch(clock, 1_000, () => cpu.micros)
  const pass = (ms: number, cpuMs: number) => {
    clock.advance(ms)
    cpu.micros += cpuMs * 1_000
    return watch.look()
  }
  return pass
}

describe('a look', () => {
  test.each([
    ['in time and idle', 1_000, 0, { cores: 0, loopLateMs: 0 }],
    ['in time and half busy', 1_000, 500, { cores: 0.5, loopLateMs: 0 }],
    ['late and busy all the time', 1_250, 1_250, { cores: 1, loopLateMs: 250 }],
    ['busy in several threads', 1_000, 1_500, { cores: 1.5, loopLateMs: 0 }],
    ['early, which is not late', 400, 100, { cores: 0.25, loopLateMs: 0 }],
    ['at once', 0, 5, { cores: 0, loopLateMs: 0 }],
  ])('%s', (_, ms, cpuMs, load) => {
    expect(watched()(ms, cpuMs)).toEqual(load)
  })

  test('is about the time since the last one', () => {
    const pass = watched()
    pass(3_000, 3_000)
    expect(pass(1_000, 100)).toEqual({ cores: 0.1, loopLateMs: 0 })
  })

  test('at this process itself finds what it used', () => {
    const clock = new FakeClock()
    const watch = new LoadWatch(clock, 1)
    const untilMicros = process.cpuUsage().user + 5_000
    while (process.cpuUsage().user < untilMicros) clock.advance(1)
    expect(watch.look().cores).toBeGreaterThan(0)
  })
})
