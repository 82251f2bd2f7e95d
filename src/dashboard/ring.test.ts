// Goal: the rings hold the newest samples and nothing else, and ten seconds are what their seconds were.
// Method: a list that never forgets beside the ring, and samples whose folding is known.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { dashboardLimits } from '../core/limits.ts'
import { COLUMN_NAMES } from './columns.ts'
import { folded, History, Ring } from './ring.ts'
import { sampleOf } from './sample.fixture.ts'

const { secondsKept, tensKept, foldMs } = dashboardLimits

describe('a ring', () => {
  test('is the end of a list that never forgets', () => {
    const values = fc.array(fc.option(fc.nat(1_000)), { maxLength: 40 })
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10 }),
        values,
        fc.nat(45),
        (capacity, pushed, since) => {
          const ring = new Ring(capacity)
          for (const [at, value] of pushed.entries()) ring.push(at + 1, sampleOf(value))
          const kept = pushed.map((value, at) => ({ timeMs: at + 1, value })).slice(-capacity)
          const newer = kept.filter(({ timeMs }) => timeMs > since)
          const { times, values } = ring.since(since)
          expect(ring.length).toBe(kept.length)
          expect([...times]).toEqual(newer.map(({ timeMs }) => timeMs))
          for (const name of COLUMN_NAMES) {
            expect([...values[name]]).toEqual(newer.map(({ value }) => value))
          }
          expect(ring.last('streams', 3)).toEqual(
            kept
              .slice(-3)
              .map(({ value }) => value)
              .filter((value) => value !== null),
          )
        },
      ),
    )
  })

  test('tells figures apart', () => {
    const ring = new Ring(2)
    ring.push(1, sampleOf(0, { streams: 5, load: 7 }))
    expect(ring.since(0).values).toMatchObject({ streams: [5], load: [7], users: [0] })
  })
})

describe('folding', () => {
  test('takes means, and the largest of what must not disappear in one', () => {
    const samples = [
      sampleOf(null, { messageRate: 10, deliveryP99Ms: 1 }),
      sampleOf(null, { messageRate: 20, deliveryP99Ms: 9 }),
      sampleOf(null, { messageRate: null, deliveryP99Ms: 2 }),
    ]
    expect(folded(samples)).toEqual(sampleOf(null, { messageRate: 15, deliveryP99Ms: 9 }))
  })

  test('begins a sample anew every ten seconds of the clock, whatever was missed', () => {
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
