// Goal: a receipt adds up what the streams answer, and wakes who waits for it at the right moment.
// Method: answers given by hand, and a property over their order.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { Histogram } from '../core/histogram.ts'
import { FakeClock } from '../core/time.fixture.ts'
import { type DeliveryTotals, Receipt, TimedReceipt } from './receipt.ts'

function receiptFor(pending: number) {
  const totals: DeliveryTotals = { accepted: 0, dropped: 0, deliveries: 0, skipped: 0, unknown: 0 }
  const receipt = new Receipt(totals)
  receipt.pending = pending
  return { receipt, totals }
}

/** Whether the wait has ended, once all that is due now has run. */
async function isOver(waiting: Promise<void>): Promise<boolean> {
  let over = false
  waiting.then(() => {
    over = true
  })
  await new Promise(setImmediate)
  return over
}

describe('an answer', () => {
  test('counts in the receipt and in the totals', () => {
    const { receipt, totals } = receiptFor(3)
    receipt.settle(2, 0)
    receipt.settle(0, 5)
    receipt.settle(1, 1)
    const { delivered, skipped, pending } = receipt
    expect({ delivered, skipped, pending }).toEqual({ delivered: 3, skipped: 6, pending: 0 })
    expect(totals).toEqual({ accepted: 0, deliveries: 3, skipped: 6, unknown: 0, dropped: 0 })
  })

  test('is a dropped message without a connection, not with a skipped or unknown one', () => {
    const { receipt, totals } = receiptFor(4)
    receipt.settle(0, 0)
    receipt.settle(0, 1)
    receipt.settle(0, 0, 4)
    receipt.settle(0, 0)
    expect(totals).toEqual({ accepted: 0, deliveries: 0, skipped: 1, unknown: 4, dropped: 2 })
    expect(receipt.unknown).toBe(4)
  })

  test('that comes too late counts in the totals alone', () => {
    const { receipt, totals } = receiptFor(1)
    receipt.settle(1, 0, 2)
    receipt.late(2)
    expect([receipt.delivered, receipt.unknown, receipt.pending]).toEqual([1, 2, 0])
    expect(totals).toEqual({ accepted: 0, deliveries: 3, skipped: 0, unknown: 2, dropped: 0 })
  })

  test('adds to totals that others add to as well', () => {
    const { receipt, totals } = receiptFor(1)
    const other = new Receipt(totals)
    other.pending = 1
    receipt.settle(2, 0)
    other.settle(3, 1)
    expect([receipt.delivered, other.delivered, totals.deliveries]).toEqual([2, 3, 5])
  })
})

describe('waiting', () => {
  test('is over at once when few enough are under way', async () => {
    const { receipt } = receiptFor(3)
    expect(await isOver(receipt.pendingBelow(3))).toBe(true)
    expect(await isOver(receiptFor(0).receipt.pendingBelow(0))).toBe(true)
  })

  test('is over with the answer that brings it down to the count, not before', async () => {
    const { receipt } = receiptFor(5)
    const waiting = receipt.pendingBelow(2)
    const over: boolean[] = []
    for (let at = 0; at < 3; at++) {
      receipt.settle(1, 0)
      over.push(await isOver(waiting))
    }
    expect(over).toEqual([false, false, true])
  })

  test('may be done again and again', async () => {
    const { receipt } = receiptFor(2)
    for (let round = 0; round < 3; round++) {
      const waiting = receipt.pendingBelow(1)
      expect(await isOver(waiting)).toBe(false)
      receipt.settle(1, 0)
      expect(await isOver(waiting)).toBe(true)
      receipt.pending++
    }
    expect(receipt.delivered).toBe(3)
  })

  test('goes on while more come under way than are answered for', async () => {
    const { receipt } = receiptFor(2)
    const waiting = receipt.pendingBelow(1)
    receipt.pending += 2
    receipt.settle(1, 0)
    receipt.settle(1, 0)
    expect(await isOver(waiting)).toBe(false)
    receipt.settle(1, 0)
    expect(await isOver(waiting)).toBe(true)
  })
})

describe('a callback', () => {
  test('is called at once when nothing is under way', () => {
    const { receipt } = receiptFor(0)
    const settled: Receipt[] = []
    receipt.whenSettled((of) => settled.push(of))
    expect(settled).toEqual([receipt])
  })

  test('is called once, with the last answer, in which it counts', () => {
    const { receipt } = receiptFor(2)
    const delivered: number[] = []
    receipt.whenSettled((of) => delivered.push(of.delivered))
    receipt.settle(1, 0)
    expect(delivered).toEqual([])
    receipt.settle(3, 0)
    expect(delivered).toEqual([4])
    receipt.pending++
    receipt.settle(1, 0)
    expect(delivered).toEqual([4])
  })
})

test('whatever the answers, each is in receipt and totals once', () => {
  const answers = fc.array(fc.tuple(fc.nat({ max: 3 }), fc.nat({ max: 3 })), { maxLength: 30 })
  fc.assert(
    fc.property(answers, (answers) => {
      const { receipt, totals } = receiptFor(answers.length)
      for (const [delivered, skipped] of answers) receipt.settle(delivered, skipped)
      const sum = (place: 0 | 1) => answers.reduce((all, answer) => all + answer[place], 0)
      expect([receipt.delivered, receipt.skipped, receipt.pending]).toEqual([sum(0), sum(1), 0])
      expect(totals).toEqual({
        accepted: 0,
        deliveries: sum(0),
        skipped: sum(1),
        unknown: 0,
        dropped: answers.filter(([delivered, skipped]) => delivered + skipped === 0).length,
      })
    }),
  )
})

test('a message that is timed counts like the others, and its time from its start to its answer', () => {
  const clock = new FakeClock()
  const seconds = new Histogram([0.001, 1])
  const { receipt, totals } = receiptFor(2)
  clock.advance(5)
  const [one, other] = [
    new TimedReceipt(receipt, seconds, clock),
    new TimedReceipt(receipt, seconds, clock),
  ]
  one.settle(3, 0)
  clock.advance(250)
  other.settle(0, 1)
  new TimedReceipt(receiptFor(1).receipt, seconds, clock).settle(0, 0, 1)
  expect(seconds.figures()).toEqual({ counts: [1, 1, 0], sum: 0.25 })
  expect([receipt.delivered, receipt.skipped, receipt.pending]).toEqual([3, 1, 0])
  expect(totals).toEqual({ accepted: 0, deliveries: 3, skipped: 1, unknown: 0, dropped: 0 })
})

test('what is in the log counts as accepted, and without streams here as dropped', () => {
  const { receipt, totals } = receiptFor(2)
  receipt.onAccepted({ epoch: 3, number: 8 }, true)
  receipt.settle(2, 0)
  receipt.onAccepted({ epoch: 3, number: 9 }, false)
  expect([receipt.pending, receipt.epoch, receipt.number]).toEqual([0, 3, 9])
  expect(totals).toEqual({ accepted: 2, deliveries: 2, skipped: 0, unknown: 0, dropped: 1 })
})

test('what is refused after it was taken is told, and waited for no longer', () => {
  const told: string[] = []
  const totals: DeliveryTotals = { accepted: 0, dropped: 0, deliveries: 0, skipped: 0, unknown: 0 }
  const receipt = new Receipt(totals, (why) => told.push(why))
  receipt.pending = 1
  receipt.onRefused('unavailable')
  const { refused, refusal, pending } = receipt
  expect({ refused, refusal, pending }).toEqual({ refused: 1, refusal: 'unavailable', pending: 0 })
  expect([told, totals.accepted, totals.dropped]).toEqual([['unavailable'], 0, 0])
})

test('the parts of a receipt count in it once they have settled', () => {
  const { receipt, totals } = receiptFor(0)
  const told: string[] = []
  const parts = ['a', 'b', 'c'].map((line) => {
    const part = receipt.part((why) => told.push(`${line} ${why}`))
    part.pending++
    part.whenSettled(() => receipt.add(part))
    return part
  })
  const [a, b, c] = parts as [Receipt, Receipt, Receipt]
  b.onRefused('full')
  a.onAccepted({ epoch: 1, number: 5 }, true)
  c.onRepeated({ epoch: 1, number: 2 })
  expect(receipt.pending).toBe(1)
  a.settle(3, 1)
  const { delivered, skipped, restored, refused, pending } = receipt
  expect({ delivered, skipped, restored, refused, pending }).toEqual({
    ...{ delivered: 3, skipped: 1, restored: 1, refused: 1, pending: 0 },
  })
  expect([told, totals.accepted, totals.deliveries]).toEqual([['b full'], 1, 3])
})
