// Goal: every request learns what became of its own messages, and every worker gets its frames in
// order, whatever happens in whatever order. Method: random requests, answers and ends of workers,
// checked after each step against plain lists.

import { test } from 'bun:test'
import { deepStrictEqual as same } from 'node:assert'
import fc from 'fast-check'
import type { Receipt } from '../hub/receipt.ts'
import { FRAME_HEAD_BYTES } from './protocol.ts'
import { HEAD_BYTES } from './records.ts'
import { FakeWorker, outletFor, type Streams } from './worker-outlet.fixture.ts'

const WORKERS = 3
const REQUESTS = 4

/** Each user at some workers: 4 at all of them, 5 at none. */
const STREAMS: Streams = [
  [1, 0],
  [2, 0],
  [2, 1],
  [3, 2],
  [4, 0],
  [4, 1],
  [4, 2],
]

/** One message as the model keeps it. */
interface Sent {
  readonly request: number
  readonly text: string
  /** Workers that have not answered, and what the others did. */
  readonly waiting: Set<number>
  delivered: number
  unknown: number
}

class Both {
  readonly real = outletFor(STREAMS, WORKERS)
  readonly receipts: readonly Receipt[] = Array.from({ length: REQUESTS }, this.real.receipt)
  readonly workers = Array.from({ length: WORKERS }, (_, number) => this.real.worker(number))
  readonly sent: Sent[] = []
  /** What each life of a worker was handed, and how much of it it has answered for. */
  readonly handed: { text: string; users: number[] }[][] = this.workers.map(() => [])
  readonly answered: number[] = this.workers.map(() => 0)

  publish(request: number, user: number, followers: readonly number[]): void {
    const text = String(this.sent.length)
    const receivers = [user, ...followers]
    const sent: Sent = { request, text, waiting: new Set(), delivered: 0, unknown: 0 }
    this.sent.push(sent)
    for (let number = 0; number < WORKERS; number++) {
      const users = receivers.filter((receiver) =>
        STREAMS.some(([user, worker]) => user === receiver && worker === number),
      )
      if (users.length === 0) continue
      sent.waiting.add(number)
      this.handed[number]?.push({ text, users })
    }
    const receipt = this.receipts[request]
    if (receipt !== undefined) this.real.deliver(receipt, text, user, ...followers)
  }

  /** The worker answers for some of its frames, with counts of its own. */
  answer(number: number, counts: readonly number[]): void {
    const from = this.answered[number] ?? 0
    const frames = this.handed[number]?.slice(from, from + counts.length) ?? []
    const told = counts.slice(0, frames.length)
    for (const [at, { text }] of frames.entries()) this.settle(number, text, told[at] ?? 0)
    this.answered[number] = from + frames.length
    const worker = this.workers[number]
    if (worker !== undefined) this.real.outlet.ack(number, worker.answer(...told))
  }

  /** The worker ends, and another takes its place and its clients. */
  replace(number: number): void {
    for (const { text, users } of this.handed[number]?.slice(this.answered[number]) ?? []) {
      this.settle(number, text, 0, users.length)
    }
    this.handed[number] = []
    this.answered[number] = 0
    const { outlet, presence } = this.real
    presence.removeWorker(number)
    outlet.disconnect(number)
    const next = new FakeWorker()
    this.workers[number] = next
    outlet.connect(number, next)
    for (const [user, worker] of STREAMS) if (worker === number) presence.add(user, worker)
  }

  settle(number: number, text: string, delivered: number, unknown = 0): void {
    const sent = this.sent[Number(text)]
    if (sent === undefined) return
    sent.waiting.delete(number)
    sent.delivered += delivered
    sent.unknown += unknown
  }

  check(): void {
    for (const [request, { delivered, unknown, pending }] of this.receipts.entries()) {
      const mine = this.sent.filter((sent) => sent.request === request)
      const wanted = [sumOf(mine, 'delivered'), sumOf(mine, 'unknown')]
      same([delivered, unknown, pending], [...wanted, mine.filter(isUnderWay).length])
    }
    const over = this.sent.filter((sent) => !isUnderWay(sent))
    const dropped = over.filter((sent) => sent.delivered + sent.unknown === 0).length
    const [deliveries, unknown] = [sumOf(over, 'delivered'), sumOf(over, 'unknown')]
    same(this.real.totals, { accepted: 0, deliveries, skipped: 0, unknown, dropped })
    for (const [number, worker] of this.workers.entries()) {
      const handed = this.handed[number] ?? []
      same(
        worker.read().map(({ text, users }) => ({ text, users })),
        handed,
      )
      const open = handed.slice(this.answered[number])
      const headBytes = HEAD_BYTES + 4 + FRAME_HEAD_BYTES
      const bytes = open.map(({ text, users }) => headBytes + 4 * users.length + text.length)
      same(
        this.real.outlet.unackedBytes(number),
        bytes.reduce((all, one) => all + one, 0),
      )
    }
  }
}

function isUnderWay({ waiting }: Sent): boolean {
  return waiting.size > 0
}

/** A message counts once all have answered. */
function sumOf(sent: readonly Sent[], count: 'delivered' | 'unknown'): number {
  return sent.reduce((all, one) => all + (isUnderWay(one) ? 0 : one[count]), 0)
}

type Step = (both: Both) => void

const workers = fc.nat({ max: WORKERS - 1 })
const users = fc.uniqueArray(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 5 })

const publish = fc
  .tuple(fc.nat({ max: REQUESTS - 1 }), users)
  .map(([request, [user = 1, ...followers]]): Step => {
    return (both) => both.publish(request, user, followers)
  })
const answer = fc
  .tuple(workers, fc.array(fc.nat({ max: 3 }), { maxLength: 4 }))
  .map(([number, counts]): Step => {
    return (both) => both.answer(number, counts)
  })
const replace = workers.map(
  (number): Step =>
    (both) =>
      both.replace(number),
)

const steps = fc.oneof(
  { weight: 6, arbitrary: publish },
  { weight: 6, arbitrary: answer },
  { weight: 1, arbitrary: replace },
)

test('the outlet equals plain lists after every step', () => {
  fc.assert(
    fc.property(fc.array(steps, { maxLength: 50 }), (sequence) => {
      const both = new Both()
      for (const step of sequence) {
        step(both)
        both.check()
      }
    }),
    { numRuns: 200 },
  )
})
