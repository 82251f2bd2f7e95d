// Goal: streams that come back begin in their order, as fast as there is room, and nobody keeps the
// others waiting for long. Method: a store whose room the test sets, and the timers of bun:test.

import { afterEach, beforeEach, expect, jest, test } from 'bun:test'
import { resumeLimits } from '../core/history-limits.ts'
import { identityLimits } from '../core/identity-limits.ts'
import { ResumeQueue } from './resume-queue.ts'

const { beginningBytesMax, stallCheckMs, waitMsMax, roomCheckMs } = resumeLimits

/** A queue of streams that begin at once. */
class Queued {
  readonly begun: number[] = []
  readonly ended: number[] = []
  readonly left = new Set<number>()
  readonly forgotten: number[] = []
  stallChecks = 0
  beginningBytes = 0
  readonly revoked = new Set<number>()
  readonly expiries = { isSoon: (slot: number) => this.revoked.has(slot) }
  readonly delivery = { cutStalled: () => this.onStallCheck() }
  onStallCheck: () => void = () => {
    this.stallChecks++
  }
  readonly queue: ResumeQueue = new ResumeQueue(this, (slot, from) => {
    this.begun.push(slot)
    this.queue.onBegun(from)
  })

  isOpening(slot: number): boolean {
    return !this.left.has(slot)
  }

  endOpening(slot: number): void {
    this.ended.push(slot)
  }

  forget(slot: number): void {
    this.forgotten.push(slot)
  }

  fill(): void {
    this.beginningBytes = beginningBytesMax + 1
  }
}

beforeEach(() => {
  jest.useFakeTimers()
})

afterEach(() => {
  jest.useRealTimers()
})

/** Lets the timers run that are due within so many milliseconds, one after the other. */
function pass(ms: number): void {
  for (let at = 0; at < ms; at += roomCheckMs) jest.advanceTimersByTime(roomCheckMs)
}

test('very many streams that waited begin in their order, a bounded number at a time', () => {
  const queued = new Queued()
  queued.fill()
  const slots = Array.from({ length: 50_000 }, (_, at) => at + 1)
  for (const slot of slots) queued.queue.add(slot, 'oldest')
  pass(100)
  expect(queued.begun).toEqual([])
  queued.beginningBytes = 0
  pass(roomCheckMs)
  expect(queued.begun).toHaveLength(resumeLimits.begunTogetherMax)
  pass(1_000)
  expect(queued.begun).toEqual(slots)
})

test('a stream that is live never waits', () => {
  const queued = new Queued()
  queued.fill()
  queued.queue.add(1, 'oldest')
  queued.queue.add(2, 'live')
  expect(queued.begun).toEqual([2])
})

test('while streams wait, those are cut that take nothing', () => {
  const queued = new Queued()
  queued.fill()
  queued.queue.add(1, 'oldest')
  queued.onStallCheck = () => {
    queued.beginningBytes = 0
  }
  pass(stallCheckMs - roomCheckMs)
  expect(queued.begun).toEqual([])
  pass(roomCheckMs)
  expect(queued.begun).toEqual([1])
})

test('a stream that has waited for too long is ended, or forgotten if its client has left', () => {
  const queued = new Queued()
  queued.fill()
  queued.queue.add(1, 'oldest')
  queued.queue.add(2, 'oldest')
  queued.left.add(2)
  pass(waitMsMax / 2)
  queued.queue.add(3, 'oldest')
  pass(waitMsMax / 2)
  expect([queued.ended, queued.forgotten]).toEqual([[1], [2]])
  queued.beginningBytes = 0
  pass(roomCheckMs)
  expect(queued.begun).toEqual([3])
})

test('a stream that is ended while it waits gets nothing', () => {
  const queued = new Queued()
  queued.fill()
  queued.queue.add(1, 'oldest')
  queued.queue.add(2, 'oldest')
  queued.revoked.add(1)
  queued.beginningBytes = 0
  pass(roomCheckMs)
  expect([queued.begun, queued.ended]).toEqual([[2], [1]])
})

test('a stream waits less long than a name is kept that nothing refers to', () => {
  expect(waitMsMax).toBeLessThan(identityLimits.namePassMs)
})
