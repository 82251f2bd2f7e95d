// Many subscriptions at once, a `subscriber subject` pair a line, taken as they come: bad lines are
// rejected by number, the others are changed in batches.

import { type Static, Type } from '@sinclair/typebox'
import { latin1Of } from '../core/bytes.ts'
import { type Failure, failed, TOO_MANY_NAMES } from '../core/errors.ts'
import { messageLimits, subscriptionLimits } from '../core/limits.ts'
import { LineSplitter } from '../core/lines.ts'
import { type Result, refused, success } from '../core/result.ts'
import { parseSubject } from '../core/user.ts'
import type { SubscriptionStores } from '../subscriptions/stores.ts'
import type { SubscriptionRules } from '../subscriptions/subscribe.ts'
import type { Pairs } from '../subscriptions/subscriptions.ts'
import { RejectedLines, rejectLine } from './answer.ts'
import type { Body } from './upload.ts'

const Count = Type.Integer({ minimum: 0 })

/** How far a bulk change is. */
export const BulkProgress = Type.Object({ lines: Count, changed: Count, unchanged: Count })

/** What became of a bulk change; the last line of its answer. */
export const BulkReceipt = Type.Object({
  lines: Count,
  changed: Type.Integer({ description: 'Subscriptions that were added, or removed.' }),
  unchanged: Type.Integer({ description: 'Lines that asked for what was so already.' }),
  ...RejectedLines.properties,
})
export type BulkReceipt = Static<typeof BulkReceipt>
export type BulkProgress = Static<typeof BulkProgress>

export type BulkAction = 'add' | 'remove'

/**
 * Changes what the lines say, in order. Each batch is one transaction; between two of them
 * all others have a turn. Of a body that is late, or whose sender is gone, the last line counts
 * only if it is whole.
 */
export async function* changeMany(
  stores: SubscriptionStores,
  rules: SubscriptionRules,
  action: BulkAction,
  body: Body | null,
): AsyncGenerator<BulkProgress | BulkReceipt> {
  const bulk = new Bulk(stores, rules, action)
  let reportedAt = 0
  let hasBegun = false
  for await (const part of body ?? []) {
    for (let at = 0; at < part.length; at += messageLimits.sliceBytes) {
      // Between two slices, and not behind the last: a short body is answered in its turn.
      if (hasBegun) await new Promise(setImmediate)
      hasBegun = true
      if (body?.isGone === true) break
      bulk.read(part.subarray(at, at + messageLimits.sliceBytes))
    }
    if (bulk.receipt.lines - reportedAt < subscriptionLimits.progressPairs) continue
    reportedAt = bulk.receipt.lines
    const { lines, changed, unchanged } = bulk.receipt
    yield { lines, changed, unchanged }
  }
  if (body?.isGone !== true && body?.isLate !== true) bulk.end()
  yield bulk.receipt
}

/** How many subscriptions one user may still add, and whether the batch holds some of them. */
interface Room {
  left: number
  waiting: boolean
}

class Bulk {
  readonly receipt: BulkReceipt = {
    lines: 0,
    changed: 0,
    unchanged: 0,
    rejected: [],
    rejectedCount: 0,
  }
  readonly #subscriptions: SubscriptionStores['subscriptions']
  readonly #names: SubscriptionStores['names']
  readonly #rules: SubscriptionRules
  readonly #action: BulkAction
  readonly #lines = new LineSplitter(subscriptionLimits.lineBytesMax, (line, number) =>
    this.#line(line === null ? null : latin1Of(line.bytes, line.start, line.end).trim(), number),
  )
  readonly #batch = new Uint32Array(subscriptionLimits.batchPairs * 2)
  #batchLength = 0
  /** For each subscriber of the batch, counted once: it takes as long as he has subscriptions. */
  readonly #rooms = new Map<number, Room>()

  constructor(
    { subscriptions, names }: SubscriptionStores,
    rules: SubscriptionRules,
    action: BulkAction,
  ) {
    this.#names = names
    this.#subscriptions = subscriptions
    this.#rules = rules
    this.#action = action
  }

  /** Nothing waits when this returns: others may change the same users before the next bytes. */
  read(bytes: Uint8Array): void {
    this.#lines.push(bytes)
    this.#flush()
  }

  /** The bytes are over: a last line without its newline counts too. */
  end(): void {
    this.#lines.end()
    this.#flush()
  }

  #line(text: string | null, number: number): void {
    this.receipt.lines = number
    if (text === '') return
    const pair = text === null ? tooLong() : this.#pairOf(text)
    if (!pair.ok) {
      rejectLine(this.receipt, number, pair.why)
      return
    }
    this.#batch.set(pair.value, this.#batchLength)
    this.#batchLength += 2
    if (this.#batchLength === this.#batch.length) this.#flush()
  }

  #pairOf(text: string): Result<[number, number], Failure> {
    const [first, second, ...rest] = text.split(/[ \t]+/)
    if (first === undefined || second === undefined || rest.length > 0) {
      return failed('invalid_subscription', 'A line is two users: subscriber, subject.')
    }
    const subscriber = parseSubject(first, this.#rules.userIdMax)
    if (!subscriber.ok) return subscriber
    const subject = parseSubject(second, this.#rules.userIdMax)
    if (!subject.ok) return subject
    if (subscriber.value === subject.value) {
      return failed(
        'subscription_to_self',
        'A user receives its own messages without a subscription.',
      )
    }
    const names = this.#names
    if (this.#action === 'remove') {
      return success([names.idOf(subscriber.value), names.idOf(subject.value)])
    }
    const [follower, followed] = [names.intern(subscriber.value), names.intern(subject.value)]
    if (follower === null || followed === null) return refused(TOO_MANY_NAMES)
    if (this.#isFull(follower, followed)) {
      const text = `User ${subscriber.value} follows ${this.#rules.perUserMax} others, the maximum.`
      return failed('subscription_limit', text)
    }
    return success([follower, followed])
  }

  #isFull(subscriber: number, subject: number): boolean {
    const room = this.#rooms.get(subscriber) ?? this.#roomOf(subscriber)
    if (room.left > 0) {
      room.left--
      room.waiting = true
      return false
    }
    if (!room.waiting) return !this.#subscriptions.has(subscriber, subject)
    // Some that wait may be there already, so only the database can tell.
    this.#flush()
    return this.#isFull(subscriber, subject)
  }

  #roomOf(subscriber: number): Room {
    const { perUserMax } = this.#rules
    const left = perUserMax - this.#subscriptions.countOf(subscriber, perUserMax)
    const room = { left, waiting: false }
    this.#rooms.set(subscriber, room)
    return room
  }

  #flush(): void {
    this.#rooms.clear()
    if (this.#batchLength === 0) return
    const pairs: Pairs = this.#batch.subarray(0, this.#batchLength)
    const changed =
      this.#action === 'add' ? this.#subscriptions.add(pairs) : this.#subscriptions.remove(pairs)
    this.receipt.changed += changed
    this.receipt.unchanged += pairs.length / 2 - changed
    this.#batchLength = 0
  }
}

function tooLong(): Result<[number, number], Failure> {
  return failed(
    'invalid_subscription',
    `The line is over ${subscriptionLimits.lineBytesMax} bytes.`,
  )
}
