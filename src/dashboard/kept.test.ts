// Goal: the page's memory is bounded, has no moment twice, and shows gaps as gaps. Method: answers as a
// server gives them, in order, again, late and after a restart.

import { expect, test } from 'bun:test'
import { dashboardLimits } from '../core/limits.ts'
import { COLUMN_NAMES, type Samples } from './columns.ts'
import { Kept } from './kept.ts'
import type { Live, Now } from './view.ts'

function samplesOf(times: readonly number[]): Samples {
  const columns = COLUMN_NAMES.map((name) => [name, times.map((timeMs) => timeMs)])
  return { times, values: Object.fromEntries(columns) as Samples['values'] }
}

function liveOf(times: readonly number[], startedMs = 1): Live {
  const now = { startedMs, timeMs: times.at(-1) ?? 0 } as Now
  return { now, seconds: samplesOf(times), tens: samplesOf([]) }
}

test('what is new is added, what is known is not', () => {
  const kept = new Kept()
  expect(kept.sinceMs).toBe(0)
  kept.take(liveOf([1_000, 2_000]))
  kept.take(liveOf([2_000, 3_000]))
  expect([...kept.of('seconds').times]).toEqual([1_000, 2_000, 3_000])
  expect([...kept.of('seconds').values.streams]).toEqual([1_000, 2_000, 3_000])
  expect(kept.sinceMs).toBe(3_000)
})

test('a day of samples takes no more room than what the server keeps', () => {
  const kept = new Kept()
  for (let hour = 0; hour < 24; hour++) {
    const times = Array.from({ length: 3_600 }, (_, second) => (hour * 3_600 + second + 1) * 1_000)
    kept.take(liveOf(times))
  }
  const { times, values } = kept.of('seconds')
  expect(times).toHaveLength(dashboardLimits.secondsKept)
  for (const name of COLUMN_NAMES) expect(values[name]).toHaveLength(times.length)
  expect(kept.sinceMs).toBe(86_400_000)
})

test('a time without samples is a gap, not a line', () => {
  const kept = new Kept()
  kept.take(liveOf([1_000, 9_000]))
  expect([...kept.of('seconds').times]).toEqual([1_000, 1_001, 9_000])
  expect([...kept.of('seconds').values.streams]).toEqual([1_000, null, 9_000])
})

test('another start of the server goes on, unless its clock is behind', () => {
  const kept = new Kept()
  kept.take(liveOf([5_000]))
  kept.take(liveOf([6_000], 2))
  expect([...kept.of('seconds').times]).toEqual([5_000, 6_000])
  kept.take(liveOf([3_000], 3))
  expect([...kept.of('seconds').times]).toEqual([3_000])
})
