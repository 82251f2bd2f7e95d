// Goal: a receipt adds up what the streams answer, and wakes who waits for it at the right moment.
// Method: answers given by hand, and a property over their order.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { Histogram } from '../core/histogram.ts'
import { FakeClock } from '../core/time.fixture.ts'
import { type DeliveryTotals, Receipt, TimedReceipt } from './receipt.ts'

function receiptFor(pending: number) {
  const totals: DeliveryTotals = { dropped: 0, deliveries: 0, skipped: 0, unknown: 0 }
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
    expect(totals).toEqual({ deliveries: 3, skipped: 6, unknown: 0, dropped: 0 })
  })

  test('is a dropped message without a connection, not with a skipped or unknown one', () => {
    const { receipt, totals } = receiptFor(4)
    receipt.settle(0, 0)
    receipt.settle(0, 1)
    receipt.settle(0, 0, 4)
    receipt.settle(0, 0)
    expect(totals).toEqual({ deliveries: 0, skipped: 1, unknown: 4, dropped: 2 })
    expect(receipt.unknown).toBe(4)
  })

  test('that comes too late counts in the totals alone', () => {
    const { receipt, totals } = receiptFor(1)
    receipt.settle(1, 0, 2)
    receipt.late(2)
    expect([receipt.delivered, receipt.unknown, receipt.pending]).toEqual([1, 2, 0])
    expect(totals).toEqual({ deliveries: 3, skipped: 0, unknown: 2, dropped: 0 })
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
  expect(totals).toEqual({ deliveries: 3, skipped: 1, unknown: 0, dropped: 0 })
})
