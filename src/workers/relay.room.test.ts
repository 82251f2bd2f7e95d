// Goal: publishers wait for a worker that is half-way to being too far behind, and for none that
// hangs. Method: workers that are played by hand; the wait for a hanging one is the real one.

import { describe, expect, test } from 'bun:test'
import { workerLimits } from '../core/limits.ts'
import { until } from '../core/time.fixture.ts'
import { relayFor } from './relay.fixture.ts'

const TEXT = 'x'.repeat(60_000)
/** Frames of that text after which a worker is half-way. */
const HALF_WAY = Math.ceil(workerLimits.unansweredBytesMax / 2 / TEXT.length)

/** Worker 0 has user 1, worker 1 has user 2; the former is half-way to being too far behind. */
function halfWay() {
  const all = relayFor([
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
    const { relay, deliver, receipt } = relayFor([[1, 0]])
    expect(relay.room()).toBeNull()
    deliver(receipt(), TEXT, 1)
    expect(relay.room()).toBeNull()
  })

  test('comes when the worker that is behind answers', async () => {
    const { relay, answer } = halfWay()
    const room = watched(relay.room())
    answer(1)
    expect(room.settled).toBe(false)
    answer(0, ...Array.from({ length: HALF_WAY }, () => 1))
    await until('there is room', () => room.settled)
    expect(relay.room()).toBeNull()
  })

  test('comes when the worker that is behind ends', async () => {
    const { relay } = halfWay()
    const room = watched(relay.room())
    relay.disconnect(0)
    await until('there is room', () => room.settled)
    expect(relay.room()).toBeNull()
  })

  test('comes after a while though it does not answer, and nobody waits for it again', async () => {
    const { relay, receipt, deliver, answer } = halfWay()
    const [one, other] = [watched(relay.room()), watched(relay.room())]
    await until('there is room', () => one.settled && other.settled)
    expect(relay.room()).toBeNull()
    // Once it answers it is waited for like any other.
    answer(0, 1)
    deliver(receipt, TEXT, 1)
    const later = watched(relay.room())
    expect(later.settled).toBe(false)
    answer(0, 1)
    await until('there is room', () => later.settled)
  })
})
