// Goal: server and page keep the newest samples and nothing else, ten seconds are what their
// seconds were, and the page shows gaps as gaps. Method: samples whose folding is known, and
// answers as a server gives them, in order, again, late and after a restart.

import { describe, expect, test } from 'bun:test'
import { dashboardLimits } from '../core/limits.ts'
import { COLUMN_NAMES, type Samples } from './columns.ts'
import { History, PageHistory } from './history.ts'
import type { Live } from './live.ts'
import { sampleOf } from './sample.fixture.ts'

const { secondsKept, tensKept, foldMs } = dashboardLimits

describe('the history of the server', () => {
  test('has the mean of ten seconds, and the largest of a figure whose peaks matter', () => {
    const history = new History()
    for (const [timeMs, messageRate, deliveryP99Ms] of [
      [1_000, 10, 1],
      [2_000, 20, 9],
      [3_000, null, 2],
      [11_000, 7, 7],
    ] as const) {
      history.push(timeMs, sampleOf(null, { messageRate, deliveryP99Ms }))
    }
    const { values } = history.tens.since(0)
    expect(values).toMatchObject({ messageRate: [15], deliveryP99Ms: [9], streams: [null] })
  })

  test('starts a new sample at every tenth second of the clock, even if seconds were missed', () => {
    const history = new History()
    for (const timeMs of [1_000, 9_000, 10_000, 19_999, 45_000, 50_000]) {
      history.push(timeMs, sampleOf(timeMs / 1_000))
    }
    const { times, values } = history.tens.since(0)
    expect([...times]).toEqual([9_000, 19_999, 45_000])
    expect([...values.streams]).toEqual([5, 15, 45])
    expect(history.seconds.length).toBe(6)
  })

  test('keeps ten minutes and an hour, and no more', () => {
    const history = new History()
    for (let second = 0; second < 3_700; second++) history.push(second * 1_000, sampleOf(second))
    expect([history.seconds.length, history.tens.length]).toEqual([secondsKept, tensKept])
    expect(history.seconds.since(0).times[0]).toBe((3_700 - secondsKept) * 1_000)
    expect(tensKept * foldMs).toBe(3_600_000)
  })

  test('keeps as many digits as can be seen', () => {
    const history = new History()
    history.push(1, sampleOf(0, { streams: 1_234_567, load: 0.123456 }))
    expect(history.seconds.since(0).values).toMatchObject({ streams: [1_234_567], load: [0.1235] })
  })
})

function samplesOf(times: readonly number[]): Samples {
  const columns = COLUMN_NAMES.map((name) => [name, [...times]])
  return { times, values: Object.fromEntries(columns) as Samples['values'] }
}

function liveOf(times: readonly number[], startedMs = 1): Live {
  const now = { startedMs, timeMs: times.at(-1) ?? 0 } as Live['now']
  return { now, seconds: samplesOf(times), tens: samplesOf([]) }
}

describe('the history of the page', () => {
  test('adds what is new, and what it has already only once', () => {
    const history = new PageHistory()
    expect(history.sinceMs).toBe(0)
    history.take(liveOf([1_000, 2_000]))
    history.take(liveOf([2_000, 3_000]))
    expect([...history.of('seconds').times]).toEqual([1_000, 2_000, 3_000])
    expect([...history.of('seconds').values.streams]).toEqual([1_000, 2_000, 3_000])
    expect(history.sinceMs).toBe(3_000)
  })

  test('of a day takes no more room than what the server keeps', () => {
    const history = new PageHistory()
    for (let hour = 0; hour < 24; hour++) {
      const times = Array.from({ length: 3_600 }, (_, at) => (hour * 3_600 + at + 1) * 1_000)
      history.take(liveOf(times))
    }
    expect(history.of('seconds').times).toHaveLength(secondsKept)
    expect(history.sinceMs).toBe(86_400_000)
  })

  test('has a gap where samples are missing', () => {
    const history = new PageHistory()
    history.take(liveOf([1_000, 9_000]))
    expect([...history.of('seconds').times]).toEqual([1_000, 1_001, 9_000])
    expect([...history.of('seconds').values.streams]).toEqual([1_000, null, 9_000])
  })

  test('goes on after a restart of the server, unless its clock is behind', () => {
    const history = new PageHistory()
    history.take(liveOf([5_000]))
    history.take(liveOf([6_000], 2))
    expect([...history.of('seconds').times]).toEqual([5_000, 6_000])
    history.take(liveOf([3_000], 3))
    expect([...history.of('seconds').times]).toEqual([3_000])
  })
})
