// Goal: garbage is collected once after each burst of streams, and never while one lasts or for a
// few streams. Method: looks by hand, and one by the timer.

import { describe, expect, test } from 'bun:test'
import { garbageLimits } from '../core/limits.ts'
import { until } from '../core/time.fixture.ts'
import { BurstCollector } from './garbage.ts'

const { openedMin, burstMin } = garbageLimits

function collectorFor() {
  const state = { opened: 0, collections: 0 }
  const collect = () => {
    state.collections++
  }
  const opened = () => state.opened
  return { state, collector: new BurstCollector({ opened, collect, lookEveryMs: 20 }) }
}

describe('after a burst of streams', () => {
  test('garbage is collected once', () => {
    const { state, collector } = collectorFor()
    const counts = [openedMin, openedMin + burstMin - 1, openedMin + burstMin - 1].map((opened) => {
      state.opened = opened
      collector.look()
      return state.collections
    })
    expect(counts).toEqual([0, 1, 1])
    collector.stop()
  })

  test('it is collected again after the next one', () => {
    const { state, collector } = collectorFor()
    for (const opened of [1, 1, 2, 2]) {
      state.opened = opened * openedMin
      collector.look()
    }
    expect(state.collections).toBe(2)
    collector.stop()
  })

  test('it is collected by itself', async () => {
    const { state, collector } = collectorFor()
    state.opened = openedMin
    collector.onAccepted()
    await until('it is collected', () => state.collections === 1)
    collector.stop()
  })
})

test('garbage is not collected while streams keep coming', () => {
  const { state, collector } = collectorFor()
  for (let look = 1; look <= 50; look++) {
    state.opened = look * Math.max(burstMin, openedMin / 10)
    collector.look()
  }
  expect(state.collections).toBe(0)
  collector.stop()
})

test('garbage of a few streams is left to the runtime', () => {
  const { state, collector } = collectorFor()
  state.opened = openedMin - 1
  for (let look = 0; look < 5; look++) collector.look()
  expect(state.collections).toBe(0)
  collector.stop()
})
