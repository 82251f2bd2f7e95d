// Goal: who fails waits twice as long each time, from the first wait to the last and never longer.
// Method: a table, and properties over any bounds and any number of failures.

import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { backoffMs } from './retry.ts'

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

test('the wait doubles until it is as long as it may be, and stays so', () => {
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
