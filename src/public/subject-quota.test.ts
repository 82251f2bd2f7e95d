// Goal: a stream asks for as many subjects as it may in a while, and no stream for another.

import { expect, test } from 'bun:test'
import { websocketLimits } from '../core/limits.ts'
import { FakeClock } from '../core/time.fixture.ts'
import { SubjectQuota } from './subject-quota.ts'

const { subjectsPerWindowMax, windowMs } = websocketLimits

test('a stream asks for so many in a while, and then again', () => {
  const clock = new FakeClock()
  const quota = new SubjectQuota(clock)
  expect(quota.take(7, subjectsPerWindowMax - 1)).toBe(true)
  expect([quota.take(7, 2), quota.take(7, 1), quota.take(7, 1)]).toEqual([false, true, false])
  expect(quota.take(5_000, subjectsPerWindowMax)).toBe(true)
  clock.advance(windowMs - 1)
  expect(quota.take(7, 1)).toBe(false)
  clock.advance(1)
  expect(quota.take(7, subjectsPerWindowMax)).toBe(true)
})

test('what a stream has asked for does not count for the next one of its slot', () => {
  const quota = new SubjectQuota(new FakeClock())
  quota.onClose(7)
  quota.take(7, subjectsPerWindowMax)
  quota.onClose(7)
  expect(quota.take(7, subjectsPerWindowMax)).toBe(true)
})
