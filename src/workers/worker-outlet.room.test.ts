// Goal: publishers wait for a worker that is half-way to being too far behind, and for none that
// hangs, whose part in a message is unknown. Method: workers that are played by hand; the wait for
// a hanging one is the real one.

import { describe, expect, test } from 'bun:test'
import { workerLimits } from '../core/limits.ts'
import { until } from '../core/time.fixture.ts'
import type { Receipt } from '../hub/receipt.ts'
import { textFrame } from '../hub/stream.fixture.ts'
import { FakeWorker, outletFor } from './worker-outlet.fixture.ts'

const TEXT = 'x'.repeat(60_000)
/** Frames of that text after which a worker is half-way. */
const HALF_WAY = Math.ceil(workerLimits.unackedBytesMax / 2 / TEXT.length)

/** Worker 0 has user 1, worker 1 has user 2; the former is half-way to being too far behind. */
function halfWay() {
  const all = outletFor([
    [1, 0],
    [2, 1],
  ])
  const receipt = all.receipt()
  for (let frame = 0; frame < HALF_WAY; frame++) all.deliver(receipt, TEXT, 1)
  return { ...all, receipt }
}

/** Has the promise settled? */
function watched(promise: Promise<void> | null): { settled: boolean } {
  const state = { settled: promise === null }
  promise?.then(() => {
    state.settled = true
  })
  return state
}

describe('room', () => {
  test('is there while all workers keep up', () => {
    const { outlet, deliver, receipt } = outletFor([[1, 0]])
    expect(outlet.ready()).toBeNull()
    deliver(receipt(), TEXT, 1)
    expect(outlet.ready()).toBeNull()
  })

  test('comes when the worker that is behind answers', async () => {
    const { outlet, answer } = halfWay()
    const room = watched(outlet.ready())
    answer(1)
    expect(room.settled).toBe(false)
    answer(0, ...Array.from({ length: HALF_WAY }, () => 1))
    await until('there is room', () => room.settled)
    expect(outlet.ready()).toBeNull()
  })

  test('comes when the worker that is behind ends', async () => {
    const { outlet } = halfWay()
    const room = watched(outlet.ready())
    outlet.disconnect(0)
    await until('there is room', () => room.settled)
    expect(outlet.ready()).toBeNull()
  })

  test('comes after a while though it does not answer, and is not waited for again', async () => {
    const { outlet, receipt, deliver, answer } = halfWay()
    const [one, other] = [watched(outlet.ready()), watched(outlet.ready())]
    await until('there is room', () => one.settled && other.settled)
    expect(outlet.ready()).toBeNull()
    // Once it answers it is waited for like any other.
    answer(0, 1)
    deliver(receipt, TEXT, 1)
    const later = watched(outlet.ready())
    expect(later.settled).toBe(false)
    answer(0, 1)
    await until('there is room', () => later.settled)
  })
})

describe('a worker that does not answer', () => {
  const settled = (receipt: Receipt) => until('the end of the wait', () => receipt.pending === 0)

  test('is waited for under a second, and how many took a message there is unknown', async () => {
    const { receipt, deliver, answer, totals } = outletFor([
      [1, 0],
      [1, 0],
      [2, 0],
      [2, 1],
    ])
    const mine = receipt()
    deliver(mine, 'a', 1, 2)
    answer(1, 1)
    await settled(mine)
    expect([mine.delivered, mine.unknown]).toEqual([1, 3])
    // No new wait begins for it either.
    const next = receipt()
    deliver(next, 'b', 1)
    expect([next.pending, next.unknown]).toEqual([0, 2])
    expect(totals).toEqual({ accepted: 0, deliveries: 1, dropped: 0, skipped: 0, unknown: 5 })
  })

  test('is waited for again when it does, and what it says late is counted', async () => {
    const { receipt, deliver, answer, totals, outlet } = outletFor([[1, 0]])
    const mine = receipt()
    deliver(mine, 'a', 1)
    deliver(mine, 'b', 1)
    await settled(mine)
    answer(0, 1)
    const next = receipt()
    deliver(next, 'c', 1)
    expect(next.pending).toBe(1)
    answer(0, 1, 1)
    expect([next.delivered, next.unknown, next.pending]).toEqual([1, 0, 0])
    expect([mine.delivered, mine.unknown]).toEqual([0, 2])
    expect([totals, outlet.unackedBytes(0)]).toEqual([
      { accepted: 0, deliveries: 3, dropped: 0, skipped: 0, unknown: 2 },
      0,
    ])
  })

  test('and then ends has its frames counted as unknown once', async () => {
    const { receipt, deliver, totals, outlet } = outletFor([[1, 0]])
    const mine = receipt()
    deliver(mine, 'a', 1)
    await settled(mine)
    outlet.disconnect(0)
    expect(totals).toEqual({ accepted: 0, deliveries: 0, dropped: 0, skipped: 0, unknown: 1 })
  })
})

describe('a worker that did not get all', () => {
  const FULL = 2 * HALF_WAY

  /** Worker 0 is too far behind; it has users 1 and 3, and a stream that follows 9. */
  function behind() {
    const streams = [
      [1, 0],
      [3, 0],
      [2, 1],
    ] as const
    const all = outletFor(streams, 3, [[9, 0]])
    const receipt = all.receipt()
    for (let frame = 0; frame < FULL; frame++) all.deliver(receipt, TEXT, 1)
    return { ...all, receipt }
  }

  test('is told whose messages it did not get, in their place', () => {
    const { deliver, receipt, answer, worker, outlet } = behind()
    deliver(receipt, 'skipped', 1)
    deliver(receipt, 'skipped', 3, 2)
    receipt.pending++
    const about = { ...textFrame('skipped'), isAbout: true, target: 9 }
    outlet.deliver(9, new Uint32Array(0), about, receipt)
    answer(0, 1)
    deliver(receipt, 'later', 1)
    worker(0).read()
    expect(worker(0).skipped).toEqual([{ ids: [1, 3, 9], behind: FULL }])
    expect(worker(0).got.at(-1)?.text).toBe('later')
    answer(0, ...Array.from({ length: FULL }, () => 1))
    expect(worker(0).skipped).toHaveLength(1)
    expect(worker(1).skipped).toEqual([])
  })

  test('is told that they may be of all, if they are very many, or if one was for all', () => {
    const { deliver, receipt, answer, worker, presence, outlet } = behind()
    for (let user = 100; user <= 100 + workerLimits.skippedMax; user++) {
      presence.add(user, 0)
      deliver(receipt, 'skipped', user)
    }
    answer(0, 1)
    worker(0).read()
    expect(worker(0).skipped.map(({ ids }) => ids)).toEqual([[]])
    deliver(receipt, TEXT, 1)
    receipt.pending++
    outlet.broadcast({ ...textFrame('all'), target: 0 }, receipt)
    answer(0, 1)
    worker(0).read()
    expect(worker(0).skipped.map(({ ids }) => ids)).toEqual([[], []])
  })

  test('is told nothing that its predecessor did not get', () => {
    const { deliver, receipt, outlet } = behind()
    deliver(receipt, 'skipped', 1)
    outlet.disconnect(0)
    const next = new FakeWorker()
    outlet.connect(0, next)
    deliver(receipt, 'later', 1)
    outlet.ack(0, next.answer(1))
    next.read()
    expect(next.skipped).toEqual([])
  })
})
