// Goal: a publisher is answered when its receivers have been counted, and does not run ahead of
// them without end. Method: a real router over an outlet that answers when the test says so.

import { describe, expect, test } from 'bun:test'
import { Value } from '@sinclair/typebox/value'
import { systemClock } from '../core/clock.ts'
import { messageLimits } from '../core/limits.ts'
import { until } from '../core/time.fixture.ts'
import type { Outlet } from '../hub/outlet.ts'
import type { Receipt } from '../hub/receipt.ts'
import { FIRST_ID, routerOf } from '../hub/router.fixture.ts'
import { BatchReceipt, publishLines, publishOne, SingleReceipt } from './publish.ts'

const { pendingMax, sliceBytes } = messageLimits

/** Where frames lie until the test answers for them. */
class LaterOutlet implements Outlet {
  readonly #receipts: Receipt[] = []
  #answered = 0
  /** What `caughtUp` answers next. */
  readonly catchingUp: Promise<void>[] = []

  get waiting(): number {
    return this.#receipts.length - this.#answered
  }

  ready(): null {
    return null
  }

  sync(): Promise<void> | null {
    return this.catchingUp.shift() ?? null
  }

  deliver(_user: number, _followers: Uint32Array, _frame: unknown, receipt: Receipt): void {
    this.#receipts.push(receipt)
  }

  broadcast(_frame: unknown, receipt: Receipt): void {
    this.#receipts.push(receipt)
  }

  /** Answers for the oldest frames. */
  answer(frames: number, delivered: number, skipped = 0): void {
    for (let at = 0; at < frames; at++) {
      this.#receipts[this.#answered++]?.settle(delivered, skipped)
    }
  }
}

function later() {
  const outlet = new LaterOutlet()
  return { outlet, router: routerOf(outlet) }
}

async function* body(...parts: string[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield Buffer.from(part)
}

function lines(count: number): string {
  return `{"to":7,"body":"x"}\n`.repeat(count)
}

/** What a promise has come to, if it is over. */
function watched<T>(promise: Promise<T>): { over: T | null } {
  const state: { over: T | null } = { over: null }
  promise.then((value) => {
    state.over = value
  })
  return state
}

/** Time for everything that can go on by itself. */
async function turns(): Promise<void> {
  for (let at = 0; at < 20; at++) await new Promise(setImmediate)
}

describe('publishOne', () => {
  test('waits until the receivers have been counted', async () => {
    const { outlet, router } = later()
    const state = watched(Promise.resolve(publishOne(router, Buffer.from('{"to":7,"body":"x"}'))))
    await until('it is under way', () => outlet.waiting === 1)
    await turns()
    expect(state.over).toBeNull()
    outlet.answer(1, 3)
    await until('it is answered', () => state.over !== null)
    expect(state.over).toEqual({ ok: true, value: { delivered: 3, id: FIRST_ID } })
  })

  test('tells how many were skipped, if any', async () => {
    const { outlet, router } = later()
    const answer = publishOne(router, Buffer.from('{"to":7,"body":"x"}'))
    await until('it is under way', () => outlet.waiting === 1)
    outlet.answer(1, 3, 2)
    const result = await answer
    expect(result).toEqual({ ok: true, value: { delivered: 3, id: FIRST_ID, skipped: 2 } })
    expect(Value.Check(SingleReceipt, result.ok ? result.value : null)).toBe(true)
  })

  test('waits for none where the message is refused', async () => {
    const { outlet, router } = later()
    expect(await publishOne(router, Buffer.from('{"to":7,"body":""}'))).toMatchObject({ ok: false })
    expect(outlet.waiting).toBe(0)
  })

  test('publishes when the streams are known that were welcomed before', async () => {
    const { outlet, router } = later()
    const { promise, resolve } = Promise.withResolvers<void>()
    outlet.catchingUp.push(promise)
    const answer = publishOne(router, Buffer.from('{"to":7,"body":"x"}'))
    await turns()
    expect(outlet.waiting).toBe(0)
    resolve()
    await until('it is under way', () => outlet.waiting === 1)
    outlet.answer(1, 1)
    expect(await answer).toMatchObject({ ok: true })
  })
})

describe('publishLines', () => {
  test('waits until all receivers have been counted, and adds them up', async () => {
    const { outlet, router } = later()
    const state = watched(publishLines(router, body(lines(2), 'bad\n', lines(1)), systemClock))
    await until('all are under way', () => outlet.waiting === 3)
    outlet.answer(2, 2)
    await turns()
    expect(state.over).toBeNull()
    outlet.answer(1, 5)
    await until('it is answered', () => state.over !== null)
    expect(state.over).toMatchObject({ accepted: 3, delivered: 9, rejectedCount: 1 })
    expect(state.over).not.toHaveProperty('skipped')
  })

  test('adds up how many were skipped, if any', async () => {
    const { outlet, router } = later()
    const answer = publishLines(router, body(lines(3)), systemClock)
    await until('all are under way', () => outlet.waiting === 3)
    outlet.answer(1, 2)
    outlet.answer(2, 0, 4)
    const receipt = await answer
    expect(receipt).toMatchObject({ accepted: 3, delivered: 2, skipped: 8 })
    expect(Value.Check(BatchReceipt, receipt)).toBe(true)
    expect([router.deliveries, router.skipped, router.dropped]).toEqual([2, 8, 0])
  })

  test('runs ahead of the streams only so far, and goes on when half has been counted', async () => {
    const { outlet, router } = later()
    const count = 2 * pendingMax
    const state = watched(publishLines(router, body(lines(count)), systemClock))
    await until('it has gone far enough', () => outlet.waiting > pendingMax)
    await turns()
    const waiting = outlet.waiting
    expect(waiting).toBeWithin(pendingMax + 1, pendingMax + sliceBytes / lines(1).length + 2)
    outlet.answer(waiting - pendingMax / 2 - 1, 1)
    await turns()
    expect(outlet.waiting).toBe(pendingMax / 2 + 1)
    outlet.answer(1, 1)
    await until('it has gone on', () => outlet.waiting > pendingMax / 2)
    for (const answer = () => outlet.answer(outlet.waiting, 1); state.over === null; ) {
      answer()
      await new Promise(setImmediate)
    }
    expect(state.over).toMatchObject({ accepted: count, delivered: count })
  })

  test('looks for new streams before each part of the request', async () => {
    const { outlet, router } = later()
    const waits = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    outlet.catchingUp.push(...waits.map(({ promise }) => promise))
    const answer = publishLines(router, body(lines(1), lines(2)), systemClock)
    const seen: number[] = []
    for (const { resolve } of waits) {
      await turns()
      seen.push(outlet.waiting)
      resolve()
    }
    await until('all are under way', () => outlet.waiting === 3)
    outlet.answer(3, 1)
    expect([seen, (await answer).delivered]).toEqual([[0, 1], 3])
  })
})
