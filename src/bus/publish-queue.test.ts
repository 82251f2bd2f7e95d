// Goal: each publisher is told once, and nothing that is not so. Method: a queue alone, with what
// Redis answers and what is read back in each order.

import { describe, expect, test } from 'bun:test'
import { busLimits } from '../core/bus-limits.ts'
import type { Cursor } from '../core/cursor.ts'
import { FakeClock } from '../core/time.fixture.ts'
import { about, user } from '../log/log.fixture.ts'
import { Listener } from './bus.fixture.ts'
import { BusMeter } from './bus-meter.ts'
import type { BatchResolution } from './conditional-script.ts'
import { type OwnBatch, PublishQueue } from './publish-queue.ts'
import type { BatchEntry } from './stream-entry.ts'

const ORIGIN = 'a'.repeat(16)

function at(number: number, epoch = 5): Cursor {
  return { epoch, number }
}

/** What was read when batches were sent. */
const SENT_AFTER = at(0)

class Publisher {
  readonly clock = new FakeClock()
  readonly listener = new Listener()
  readonly queue = new PublishQueue({
    ...{ origin: ORIGIN, limits: busLimits, clock: this.clock },
    meter: new BusMeter(),
  })

  /** Each is a batch of its own: those whose text has a `k` have a key. */
  send(...texts: readonly string[]): OwnBatch[] {
    return texts.map((text) => {
      const key = text.startsWith('k') ? text : null
      this.queue.push(about(1, text, { key }), this.listener.publicationOf(text))
      const own = this.queue.nextBatch(SENT_AFTER)
      if (own === null) throw new Error('nothing waits')
      own.askedIn = 5
      return own
    })
  }

  answer(own: OwnBatch | undefined, resolution: BatchResolution, cursor: Cursor | null = null) {
    if (own !== undefined) this.queue.onResolved(own, { resolution, cursor })
  }

  /** It is read back. @param previous the one before it in the log */
  read(own: OwnBatch | undefined, place: Cursor, previous?: number): void {
    if (own === undefined) return
    const { batch, content } = own
    const entry: BatchEntry = {
      ...{ kind: 'batch', at: place, origin: ORIGIN, batch, count: 1, seconds: 1, again: null },
      ...{ head: content.head, body: '', isText: true, previous: previous ?? batch - 1 },
    }
    const taken = this.queue.take(entry)
    for (const publication of taken?.publications ?? []) publication?.onAccepted(place, true)
  }

  get outcomes(): Record<string, unknown> {
    return Object.fromEntries(this.listener.outcomes)
  }
}

describe('what was published', () => {
  test('is not in the log by an entry of others with a number that was never sent', () => {
    const publisher = new Publisher()
    const [own] = publisher.send('one') as [OwnBatch]
    publisher.read({ ...own, batch: 9 }, at(1))
    expect([publisher.outcomes, publisher.queue.lastLogged]).toEqual([{}, 0])
    publisher.read(own, at(2))
    expect(publisher.outcomes).toEqual({ one: at(2) })
    expect(publisher.queue.lastLogged).toBe(1)
  })

  test('and has a key is a batch of its own, and so are changes', () => {
    const { queue } = new Publisher()
    const change = { user: user(1), subject: user(2), follows: true }
    for (const key of [null, null, 'a', 'b', null]) queue.push(about(1, 'x', { key }), null)
    queue.pushFollows({ follows: true, changes: [change, change], perUserMax: null }, null)
    queue.push(change, null)
    queue.push(about(1, 'x'), null)
    expect(queue.messages).toBe(9)
    const counts: string[] = []
    const next = () => queue.nextBatch(SENT_AFTER)
    for (let own = next(); own !== null; own = next()) {
      counts.push(`${own.items.length} ${own.condition?.kind}`)
    }
    expect(counts.join(', ')).toBe(
      '2 undefined, 1 key, 1 key, 1 undefined, 2 follows, 1 follows, 1 undefined',
    )
  })

  test('and repeats what was not read here yet is told once it was', () => {
    const publisher = new Publisher()
    const [own] = publisher.send('k1')
    publisher.answer(own, 'repeated', at(9))
    publisher.queue.onRead(at(8))
    expect(publisher.outcomes).toEqual({})
    publisher.queue.onRead(at(9))
    expect(publisher.outcomes).toEqual({ k1: at(9) })
    expect(publisher.queue.messages).toBe(0)
    publisher.queue.onRead(at(10))
  })

  test('and repeats what may be lost by now is asked for again', () => {
    const publisher = new Publisher()
    const [own] = publisher.send('k1')
    publisher.answer(own, 'repeated', at(9))
    publisher.queue.forgetRepeated()
    publisher.queue.onRead(at(9, 6))
    expect(publisher.outcomes).toEqual({})
    expect(publisher.queue.sent).toEqual([own as OwnBatch])
    publisher.read(own, at(11, 6))
    expect(publisher.outcomes).toEqual({ k1: at(11, 6) })
  })

  test('is not told by what was read of another epoch than that of its answer', () => {
    const publisher = new Publisher()
    const [keyed, next] = publisher.send('k1', '2')
    publisher.answer(keyed, 'repeated', at(9))
    publisher.read(next, at(8, 6), 0)
    expect(publisher.outcomes).toEqual({ 2: at(8, 6) })
    // It is asked for before all others.
    const [third] = publisher.send('3')
    expect(publisher.queue.sent).toEqual([keyed, third] as OwnBatch[])
    expect(publisher.queue.firstBatch).toBe(3)
    publisher.answer(keyed, 'conflict')
    expect(publisher.outcomes).toEqual({ 2: at(8, 6), k1: 'conflict' })
  })

  test('is told at once when what came behind it in the same epoch is read', () => {
    const publisher = new Publisher()
    const [keyed, next] = publisher.send('k1', '2')
    publisher.answer(keyed, 'repeated', at(7))
    publisher.read(next, at(8), 0)
    expect(publisher.outcomes).toEqual({ k1: at(7), 2: at(8) })
  })

  test('was nothing, or not, as the next entry of its node tells', () => {
    const publisher = new Publisher()
    const [first, second, , fourth] = publisher.send('k1', 'k2', '3', 'k4')
    // The second one is in the log and could not be read; the outcome of the first is unknown.
    publisher.read(fourth, at(9), 3)
    expect(publisher.outcomes).toEqual({ 3: SENT_AFTER, k4: at(9) })
    expect(publisher.queue.sent).toEqual([first, second] as OwnBatch[])
    publisher.answer(first, 'repeated', at(3))
    publisher.answer(second, 'seen', at(4))
    publisher.queue.onRead(at(9))
    expect(publisher.outcomes).toEqual({ 3: SENT_AFTER, k4: at(9), k1: at(3), k2: at(4) })
    const { queue } = publisher
    expect([queue.messages, queue.bytes, queue.lastLogged]).toEqual([0, 0, 4])
  })

  test('is accepted if it is the last one in the log, though it could not be read', () => {
    const publisher = new Publisher()
    publisher.send('k1', 'k2', '3')
    publisher.queue.settleUpTo(2, 5, 2)
    expect(publisher.outcomes).toEqual({ k2: SENT_AFTER })
    publisher.queue.settleUpTo(3, 5, 2)
    expect(publisher.outcomes).toEqual({ k2: SENT_AFTER, 3: SENT_AFTER })
    expect(publisher.queue.lastLogged).toBe(3)
    publisher.answer(publisher.queue.sent[0], 'unclear')
    expect(publisher.outcomes).toEqual({ k2: SENT_AFTER, 3: SENT_AFTER, k1: 'unknown' })
  })

  test('waits until it is read, if it is in the log and is still to be read', () => {
    const publisher = new Publisher()
    const [own] = publisher.send('k1')
    publisher.answer(own, 'seen', at(9))
    expect(publisher.outcomes).toEqual({})
    publisher.read(own, at(9))
    expect(publisher.outcomes).toEqual({ k1: at(9) })
  })

  test('is told after the longest wait, once, wherever it is', () => {
    const publisher = new Publisher()
    const [first, second, third] = publisher.send('k1', 'k2', '3')
    publisher.read(third, at(9), 0)
    publisher.send('k4')
    publisher.answer(second, 'repeated', at(20))
    publisher.clock.advance(busLimits.waitMsMax)
    publisher.queue.expire()
    const told = { 3: at(9), k1: 'unknown', k2: 'unknown', k4: 'unknown' }
    expect(publisher.outcomes).toEqual(told)
    publisher.answer(first, 'conflict')
    publisher.queue.onRead(at(20))
    publisher.queue.close()
    expect(publisher.outcomes).toEqual(told)
    expect([publisher.queue.messages, publisher.queue.bytes]).toEqual([0, 0])
  })
})
