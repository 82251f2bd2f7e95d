// Goal: the streams of a storm come back in turn, by the rate if there is one, and its times and
// curve are those of what came back. Method: a storm by hand, with made counters and moments.

import { describe, expect, test } from 'bun:test'
import { floodLimits } from '../core/tool-limits.ts'
import { addStorms, Storm, type StormState } from './storm.ts'

const NONE = { reopened: 7, resumed: 6, replayed: 5 }

describe('the streams of a storm', () => {
  test('come back one after another, as fast as they can', () => {
    const storm = new Storm([4, 2], null, NONE, 1_000)
    expect([storm.next(1_000), storm.hasLeft, storm.waitMs(1_000)]).toEqual([4, true, null])
    expect([storm.next(1_000), storm.hasLeft, storm.next(1_000)]).toEqual([2, false, -1])
  })

  test('come back at the rate', () => {
    const storm = new Storm([1, 2, 3], 10, NONE, 1_000)
    expect([storm.next(1_000), storm.next(1_050), storm.waitMs(1_050)]).toEqual([1, -1, 50])
    expect([storm.next(1_250), storm.next(1_250), storm.next(1_250)]).toEqual([2, 3, -1])
    expect(storm.waitMs(1_250)).toBeNull()
  })
})

describe('a storm', () => {
  test('is over a while after the last message that was missed', () => {
    const storm = new Storm([0, 1], null, NONE, 1_000)
    const at = { ...NONE }
    storm.note({ ...at, reopened: 8, resumed: 7 }, 1_090)
    storm.sample({ ...at, reopened: 8, resumed: 7 }, 1_100, 1e12)
    expect(storm.state).toMatchObject({ cut: 2, openedMs: null, resumedMs: null, isOver: false })
    const back = { reopened: 9, resumed: 8, replayed: 15 }
    storm.note({ ...back, resumed: 7 }, 1_150)
    storm.note(back, 1_180)
    storm.sample(back, 1_200, 15)
    expect(storm.state).toMatchObject({ openedMs: 150, resumedMs: 180, caughtUpMs: null })
    const last = { ...back, replayed: 20 }
    storm.sample(last, 1_300, 70)
    storm.sample(last, 2_200, 970)
    expect(storm.isOver).toBe(false)
    storm.sample(last, 2_300, 1_070)
    storm.sample({ ...last, replayed: 90 }, 2_400, 0)
    expect(storm.state).toEqual({
      ...{ cut: 2, openedMs: 150, resumedMs: 180, caughtUpMs: 230, isOver: true },
      points: [
        [1, 1, 0],
        [2, 2, 10],
        [2, 2, 15],
        [2, 2, 15],
        [2, 2, 15],
      ],
    })
  })

  test('of streams that missed nothing has caught up when all have resumed', () => {
    const storm = new Storm([0], null, NONE, 0)
    storm.note({ reopened: 8, resumed: 7 }, 40)
    storm.sample({ reopened: 8, resumed: 7, replayed: 5 }, 40 + floodLimits.caughtUpAfterMs, 0)
    expect(storm.state).toMatchObject({ caughtUpMs: 40, isOver: true })
  })

  test('is over when it takes too long', () => {
    const storm = new Storm([0], null, NONE, 0)
    storm.sample(NONE, floodLimits.stormMsMax, 0)
    expect(storm.state).toMatchObject({ resumedMs: null, caughtUpMs: null, isOver: true })
  })

  test('of several processes is as long as the longest, and its points are sums', () => {
    const one: StormState = {
      ...{ cut: 2, openedMs: 10, resumedMs: 20, caughtUpMs: 30, isOver: true },
      points: [[2, 1, 0]],
    }
    const other: StormState = {
      ...{ cut: 3, openedMs: 40, resumedMs: null, caughtUpMs: null, isOver: false },
      points: [
        [1, 0, 0],
        [3, 2, 4],
      ],
    }
    expect(addStorms([null, null])).toBeNull()
    expect(addStorms([one, null])).toMatchObject({ cut: 2, isOver: false })
    expect(addStorms([one, other])).toEqual({
      ...{ cut: 5, openedMs: 40, resumedMs: null, caughtUpMs: null, isOver: false },
      points: [
        [3, 1, 0],
        [5, 3, 4],
      ],
    })
  })
})
