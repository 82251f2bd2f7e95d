// Goal: the wait after a failure doubles up to its bound, and what failed runs again after it.
// Method: a table, properties over any bounds and number of failures, and timers of milliseconds.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { backoffMs, jitteredMs, Retry } from './retry.ts'
import { until } from './time.fixture.ts'

test.each([
  [1, 100],
  [2, 200],
  [3, 400],
  [4, 800],
  [5, 1_000],
  [6, 1_000],
  [2_000, 1_000],
])('after %p failures the wait is %p ms', (failures, delayMs) => {
  expect(backoffMs(failures, { firstMs: 100, maxMs: 1_000 })).toBe(delayMs)
})

test('a wait with jitter is anything between none and the whole', () => {
  expect([0, 0.25, 1].map((share) => jitteredMs(800, () => share))).toEqual([0, 200, 800])
})

test('the wait doubles up to its maximum, and stays there', () => {
  const bounds = fc.record({
    firstMs: fc.integer({ min: 1, max: 10_000 }),
    maxMs: fc.integer({ min: 10_000, max: 3_600_000 }),
  })
  fc.assert(
    fc.property(bounds, fc.integer({ min: 1, max: 5_000 }), ({ firstMs, maxMs }, failures) => {
      const [now, next] = [failures, failures + 1].map((at) => backoffMs(at, { firstMs, maxMs }))
      expect(now).toBeWithin(firstMs, maxMs + 1)
      expect(next).toBe(Math.min(maxMs, 2 * (now ?? 0)))
    }),
  )
  expect(backoffMs(1, { firstMs: 500, maxMs: 30_000 })).toBe(500)
})

test('the wait stays 0 if the first one is 0, however often it failed', () => {
  expect(backoffMs(5_000, { firstMs: 0, maxMs: 1_000 })).toBe(0)
})

describe('a retry', () => {
  const options = { firstMs: 1, maxMs: 8, forgetMs: 50 }

  /** A retry that counts its runs. */
  function counted() {
    const runs = { count: 0 }
    return { runs, retry: new Retry(() => runs.count++, options) }
  }

  test('runs again after a wait that doubles', async () => {
    const { runs, retry } = counted()
    expect(retry.later(0)).toBe(1)
    await until('it ran', () => runs.count === 1)
    expect([retry.later(0), retry.later(49), retry.later(0)]).toEqual([2, 4, 8])
    await until('each of them ran', () => runs.count === 4)
  })

  test('waits as after the first failure once it succeeded for long enough', () => {
    const { retry } = counted()
    expect([retry.later(0), retry.later(0), retry.later(50), retry.later(0)]).toEqual([1, 2, 1, 2])
  })

  test('does not run when it was cancelled, and does when it fails again', async () => {
    const { runs, retry } = counted()
    retry.later(0)
    retry.cancel()
    await Bun.sleep(5)
    expect([runs.count, retry.isStopped]).toEqual([0, false])
    retry.later(0)
    await until('it ran', () => runs.count === 1)
  })

  test('neither runs nor waits once it was stopped', async () => {
    const { runs, retry } = counted()
    retry.later(0)
    retry.stop()
    expect([retry.later(0), retry.isStopped]).toEqual([null, true])
    await Bun.sleep(5)
    expect(runs.count).toBe(0)
  })
})
