// Goal: a frame reaches each worker that must have it once, and each request learns what became of
// its own messages, also when a worker is too far behind or ends. Method: workers that are played
// by hand over the real records.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { workerLimits } from '../core/limits.ts'
import { newFrame } from '../hub/frame.ts'
import type { Receipt } from '../hub/receipt.ts'
import { routerOf } from '../hub/router.fixture.ts'
import { FRAME_HEAD_BYTES } from './protocol.ts'
import { HEAD_BYTES } from './records.ts'
import { FakeWorker, outletFor, type Streams } from './worker-outlet.fixture.ts'

const { unackedBytesMax, unackedFramesMax } = workerLimits

function counts({ delivered, skipped, pending }: Receipt) {
  return { delivered, skipped, pending }
}

describe('a frame', () => {
  test('crosses to each worker once, with all its receivers there', () => {
    const { receipt, deliver, got, worker } = outletFor([
      [1, 0],
      [1, 1],
      [2, 1],
      [2, 1],
      [3, 1],
      [4, 0],
    ])
    deliver(receipt(), 'é', 1, 2, 3, 4, 5)
    expect(got()).toEqual([[['é', 1, 4]], [['é', 1, 2, 3]], []])
    expect([0, 1, 2].map((number) => worker(number).flushes > 0)).toEqual([true, true, false])
  })

  test('goes to followers whose subject is not connected', () => {
    const { receipt, deliver, got } = outletFor([[2, 2]])
    deliver(receipt(), 'a', 1, 2)
    expect(got()).toEqual([[], [], [['a', 2]]])
  })

  test('about a subject goes to workers with streams that follow it for themselves, once', () => {
    const users: Streams = [
      [1, 0],
      [2, 1],
    ]
    const followed: Streams = [
      [1, 1],
      [1, 2],
      [9, 0],
    ]
    const { receipt, outlet, got } = outletFor(users, 3, followed)
    const about = newFrame(new TextEncoder().encode('a'), true, 1)
    outlet.deliver(1, Uint32Array.of(2), about, receipt())
    expect(got()).toEqual([[['a', 1]], [['a', 2]], [['a']]])
    const to = newFrame(new TextEncoder().encode('b'), false, 1)
    outlet.deliver(1, new Uint32Array(0), to, receipt())
    expect(got()[0]).toHaveLength(2)
    expect(got().slice(1)).toEqual([[['a', 2]], [['a']]])
  })

  test('comes after all that were published before it, at every worker', () => {
    const users = fc.nat({ max: 2 })
    fc.assert(
      fc.property(fc.array(fc.tuple(users, users), { maxLength: 30 }), (published) => {
        const { receipt, deliver, got } = outletFor([0, 1, 2].map((at) => [at + 1, at] as const))
        for (const [at, [to, other]] of published.entries()) {
          deliver(receipt(), String(at), to + 1, ...(other === to ? [] : [other + 1]))
        }
        const wanted = [0, 1, 2].map((user) =>
          [...published.entries()].flatMap(([at, to]) =>
            to.includes(user) ? [[String(at), user + 1]] : [],
          ),
        )
        expect(got()).toEqual(wanted)
      }),
    )
  })

  test('is under way until its worker has answered for it, or has ended', () => {
    const { receipt, deliver, outlet, answer } = outletFor([
      [1, 0],
      [2, 1],
    ])
    expect(outlet.checkpoint()()).toBe(true)
    deliver(receipt(), 'a', 1)
    deliver(receipt(), 'b', 2)
    const isOver = outlet.checkpoint()
    deliver(receipt(), 'c', 1)
    answer(1, 1)
    expect(isOver()).toBe(false)
    answer(0, 1)
    expect([isOver(), outlet.checkpoint()()]).toEqual([true, false])
    const isLost = outlet.checkpoint()
    outlet.disconnect(0)
    expect(isLost()).toBe(true)
  })

  test('is not for a worker that does not exist, and that is a bug', () => {
    const { outlet } = outletFor([])
    expect(() => outlet.unackedBytes(3)).toThrow('there is no worker 3')
  })
})

describe('the count', () => {
  test('is settled when all workers have answered, and is their sum', () => {
    const { receipt, deliver, answer, totals } = outletFor([
      [1, 0],
      [1, 0],
      [2, 1],
    ])
    const mine = receipt()
    deliver(mine, 'a', 1, 2)
    answer(0, 2)
    expect([counts(mine), totals.deliveries]).toEqual([{ delivered: 0, skipped: 0, pending: 1 }, 0])
    answer(1, 1)
    expect(counts(mine)).toEqual({ delivered: 3, skipped: 0, pending: 0 })
    expect(totals).toEqual({ accepted: 0, deliveries: 3, dropped: 0, skipped: 0, unknown: 0 })
  })

  test('is none at once where no stream is open, and the message is dropped', () => {
    const { receipt, deliver, got, totals } = outletFor([[7, 0]])
    const mine = receipt()
    deliver(mine, 'a', 1, 2, 3)
    expect([counts(mine), got()]).toEqual([{ delivered: 0, skipped: 0, pending: 0 }, [[], [], []]])
    expect(totals).toEqual({ accepted: 0, deliveries: 0, dropped: 1, skipped: 0, unknown: 0 })
  })

  test('may be answered for many frames at once', () => {
    const { receipt, deliver, answer, outlet } = outletFor([[1, 0]])
    const mine = receipt()
    for (const text of ['a', 'b', 'c']) deliver(mine, text, 1)
    answer(0, 1, 0)
    expect(counts(mine)).toEqual({ delivered: 1, skipped: 0, pending: 1 })
    expect(outlet.unackedBytes(0)).toBe(HEAD_BYTES + 8 + FRAME_HEAD_BYTES + 1)
    answer(0, 1)
    expect([mine.delivered, mine.pending, outlet.unackedBytes(0)]).toEqual([2, 0, 0])
  })

  test('stays true over very many frames', () => {
    const { receipt, deliver, answer, outlet } = outletFor([[1, 0]])
    const receipts: Receipt[] = []
    for (let round = 0; round < 50; round++) {
      for (let at = 0; at < 200; at++) {
        const mine = receipt()
        receipts.push(mine)
        deliver(mine, 'a', 1)
      }
      // Always some hundreds behind, each frame with a count of its own.
      const from = receipts.findIndex(({ pending }) => pending === 1)
      if (round > 1) answer(0, ...Array.from({ length: 190 }, (_, at) => (from + at) % 7))
    }
    const settled = receipts.filter(({ pending }) => pending === 0)
    expect(settled.length).toBe(48 * 190)
    expect(settled.every(({ delivered }, at) => delivered === at % 7)).toBe(true)
    expect(outlet.unackedBytes(0)).toBe(
      (10_000 - settled.length) * (HEAD_BYTES + 8 + FRAME_HEAD_BYTES + 1),
    )
  })

  test('of more frames than were sent is a bug', () => {
    const { outlet, receipt, deliver } = outletFor([[1, 0]])
    deliver(receipt(), 'a', 1)
    const answer = new DataView(Uint32Array.of(17, 1, 1).buffer)
    expect(() => outlet.ack(0, answer)).toThrow('worker 0 answered for too many frames')
  })
})

describe('a worker that ends', () => {
  test('leaves unknown what it had not answered for', () => {
    const { receipt, deliver, answer, outlet, totals } = outletFor([
      [1, 0],
      [2, 1],
    ])
    const [both, alone] = [receipt(), receipt()]
    deliver(both, 'a', 1, 2)
    deliver(both, 'b', 1, 2)
    deliver(alone, 'c', 1)
    answer(1, 1, 1)
    answer(0, 1)
    expect([counts(both).pending, counts(alone).pending]).toEqual([1, 1])
    outlet.disconnect(0)
    expect(counts(both)).toEqual({ delivered: 3, skipped: 0, pending: 0 })
    expect(counts(alone)).toEqual({ delivered: 0, skipped: 0, pending: 0 })
    expect([both.unknown, alone.unknown]).toEqual([1, 1])
    expect([totals, outlet.unackedBytes(0)]).toEqual([
      { accepted: 0, deliveries: 3, dropped: 0, skipped: 0, unknown: 2 },
      0,
    ])
  })

  test('leaves what others have not answered for under way', () => {
    const { receipt, deliver, answer, outlet } = outletFor([
      [1, 0],
      [2, 1],
    ])
    const mine = receipt()
    deliver(mine, 'a', 1, 2)
    outlet.disconnect(0)
    expect(counts(mine).pending).toBe(1)
    answer(1, 4)
    expect(counts(mine)).toEqual({ delivered: 4, skipped: 0, pending: 0 })
  })

  test('gets nothing more, even of streams that it still has', () => {
    const { receipt, deliver, outlet, got } = outletFor([[1, 0]])
    outlet.disconnect(0)
    const mine = receipt()
    deliver(mine, 'a', 1)
    expect([counts(mine).pending, got()]).toEqual([0, [[], [], []]])
  })

  test('begins anew when it is there again', () => {
    const { receipt, deliver, outlet, presence, got } = outletFor([[1, 0]])
    deliver(receipt(), 'a', 1)
    outlet.disconnect(0)
    presence.removeWorker(0)
    const again = new FakeWorker()
    outlet.connect(0, again)
    presence.add(1, 0)
    const mine = receipt()
    deliver(mine, 'b', 1)
    expect([got()[0], again.read()]).toMatchObject([[['a', 1]], [{ text: 'b', users: [1] }]])
    outlet.ack(0, again.answer(1))
    expect(counts(mine)).toEqual({ delivered: 1, skipped: 0, pending: 0 })
  })
})

describe('a worker that is too far behind', () => {
  /** Publishes for user 1, three times at worker 0 and once at 1, until 0 is behind. */
  function behind(text: string) {
    const all = outletFor([
      [1, 0],
      [1, 0],
      [1, 0],
      [1, 1],
      [2, 0],
    ])
    const recordBytes = HEAD_BYTES + 8 + text.length
    const frames = Math.min(unackedFramesMax, Math.ceil(unackedBytesMax / recordBytes))
    const router = routerOf(all.outlet)
    const publish = (receipt: Receipt, to = 1) => router.publish({ to, body: text }, receipt)
    const before = router.receipt()
    for (let at = 0; at < frames; at++) {
      publish(before)
      all.answer(1, 1)
    }
    expect([before.skipped, before.pending]).toEqual([0, frames])
    return { ...all, router, publish, frames, before }
  }

  test.each([
    ['bytes', 'x'.repeat(60_000), Math.ceil(unackedBytesMax / (60_000 + 16))],
    ['frames', 'x', unackedFramesMax],
  ])('by %s, is passed over, and its streams are counted', (_, text, wanted) => {
    const { router, publish, frames, answer, worker } = behind(text)
    expect(frames).toBe(wanted)
    const mine = router.receipt()
    publish(mine)
    publish(mine, 2)
    expect(counts(mine)).toEqual({ delivered: 0, skipped: 1, pending: 1 })
    answer(1, 1)
    expect(counts(mine)).toEqual({ delivered: 1, skipped: 4, pending: 0 })
    expect([router.skipped, router.dropped, router.accepted]).toEqual([4, 0, frames + 2])
    expect(worker(0).read().length).toBe(frames)
  })

  test('gets frames again as soon as it has answered for one', () => {
    const { router, publish, frames, answer, worker } = behind('x'.repeat(60_000))
    publish(router.receipt(), 2)
    answer(0, 3)
    const mine = router.receipt()
    publish(mine, 2)
    publish(mine, 2)
    expect(counts(mine)).toEqual({ delivered: 0, skipped: 1, pending: 1 })
    expect(worker(0).read().length).toBe(frames + 1)
    answer(0, ...Array.from({ length: frames - 1 }, () => 3), 1)
    expect(counts(mine)).toEqual({ delivered: 1, skipped: 1, pending: 0 })
  })

  test('is so no more when it has ended and is there again', () => {
    const { router, publish, outlet, before } = behind('x'.repeat(60_000))
    outlet.disconnect(0)
    expect(before.pending).toBe(0)
    outlet.connect(0, new FakeWorker())
    const mine = router.receipt()
    publish(mine, 2)
    expect(counts(mine)).toEqual({ delivered: 0, skipped: 0, pending: 1 })
  })
})
