// Goal: streams end evenly over the time that was given, sooner if they are few and that was
// allowed. Method: the real store with streams that remember when they ended, and a table of paces.

import { describe, expect, test } from 'bun:test'
import { systemClock } from '../core/clock.ts'
import { endEvenly, intervalMs, shareOf } from './drain.ts'
import { NONE_CLOSED, openStream, storeFor } from './stream.fixture.ts'

describe('the time between two ends', () => {
  test.each([
    [1_000, { ms: 30_000, perSecondMin: 0 }, 30],
    [1_000, { ms: 30_000, perSecondMin: 10_000 }, 0.1],
    [1_000_000, { ms: 30_000, perSecondMin: 10_000 }, 0.03],
    [10, { ms: 0, perSecondMin: 0 }, 1e-6],
    [0, { ms: 1_000, perSecondMin: 0 }, 1_000],
  ])('of %d streams at %j', (open, pace, ms) => {
    expect(intervalMs(open, pace)).toBeCloseTo(ms, 9)
  })

  test('is of all processes together what it would be of one', () => {
    const pace = { ms: 30_000, perSecondMin: 10_000 }
    expect(intervalMs(250, shareOf(pace, 4)) / 4).toBeCloseTo(intervalMs(1_000, pace), 9)
    expect(intervalMs(250_000, shareOf(pace, 4)) / 4).toBeCloseTo(intervalMs(1_000_000, pace), 9)
  })
})

/** Ends so many streams; answers when each ended, in parts of the whole time. */
async function ends(count: number, ms: number): Promise<number[]> {
  const times: number[] = []
  const streams = storeFor({ onEnd: () => times.push(systemClock.elapsedMs()) })
  const opened = Array.from({ length: count }, (_, at) => openStream(streams, at + 1))
  const startedMs = systemClock.elapsedMs()
  await endEvenly(streams, { ms, perSecondMin: 0 }, systemClock)
  expect(streams.closed).toEqual({ ...NONE_CLOSED, drained: count })
  expect(new Set(opened.map(({ ending }) => ending))).toEqual(new Set(['proper']))
  return times.map((time) => (time - startedMs) / ms)
}

test('all streams end, evenly over the time', async () => {
  const times = await ends(100, 400)
  expect(times).toHaveLength(100)
  // A loop that is late ends what is due then; it never ends anything before.
  for (const [at, time] of times.entries()) expect(time).toBeGreaterThanOrEqual((at - 1) / 100)
  expect(times.at(-1)).toBeGreaterThan(0.95)
})

test('all streams end at once if there is no time', async () => {
  expect(await ends(2_500, 1e-3)).toHaveLength(2_500)
})

test('nothing is waited for if there are none', async () => {
  await endEvenly(storeFor(), { ms: 60_000, perSecondMin: 0 }, systemClock)
})
