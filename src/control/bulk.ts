// Many subscriptions at once, a `subscriber subject` pair a line, taken as they come: bad lines are
// rejected by number, the others are changed in batches.

import { type Static, Type } from '@sinclair/typebox'
import { latin1Of } from '../core/bytes.ts'
import { type Failure, failed, TOO_MANY_NAMES } from '../core/errors.ts'
import { messageLimits, subscriptionLimits } from '../core/limits.ts'
import { LineSplitter } from '../core/lines.ts'
import { OK, type Result, refused, success } from '../core/result.ts'
import { parseSubject, type Subject } from '../core/user.ts'
import type { SubscriptionStores } from '../subscriptions/stores.ts'
import { followsTooMany, idToRemove, type SubscriptionRules } from '../subscriptions/subscribe.ts'
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

/** Why a bulk change has ended early, and what it has done until then. */
export interface BulkFailure {
  readonly failure: Failure
  readonly receipt: BulkReceipt
}

/**
 * Changes what the lines say, in order. Each batch is one transaction; between two of them
 * all others have a turn. Of a body that is late, or whose sender is gone, the last line counts
 * only if it is whole. Ends with the first batch that cannot be changed.
 */
export async function* changeMany(
  stores: SubscriptionStores,
  rules: SubscriptionRules,
  action: BulkAction,
  body: Body | null,
): AsyncGenerator<BulkProgress | BulkReceipt | BulkFailure> {
  const bulk = new Bulk(stores, rules, action)
  let reportedAt = 0
  let hasBegun = false
  for await (const part of body ?? []) {
    for (let at = 0; at < part.length; at += messageLimits.sliceBytes) {
      // Between two slices, and not behind the last: a short body is answered in its turn.
      if (hasBegun) await new Promise(setImmediate)
      hasBegun = true
      if (body?.isGone === true) break
      const read = await bulk.read(part.subarray(at, at + messageLimits.sliceBytes))
      if (read.ok) continue
      yield { failure: read.why, receipt: bulk.receipt }
      return
    }
    if (bulk.receipt.lines - reportedAt < subscriptionLimits.progressPairs) continue
    reportedAt = bulk.receipt.lines
    const { lines, changed, unchanged } = bulk.receipt
    yield { lines, changed, unchanged }
  }
  const isWhole = body?.isGone !== true && body?.isLate !== true
  const ended = isWhole ? await bulk.end() : OK
  yield ended.ok ? bulk.receipt : { failure: ended.why, receipt: bulk.receipt }
}

/** How many subscriptions one user may still add, and whether some of its wait in the batch. */
interface Room {
  left: number
  waiting: boolean
}

/** A line that was read, and is not changed yet. */
interface ReadLine {
  readonly number: number
  readonly pair: Result<readonly [subscriber: number, subject: number], Failure>
}

class Bulk {
  readonly receipt: BulkReceipt = {
    lines: 0,
    changed: 0,
    unchanged: 0,
    rejected: [],
    rejectedCount: 0,
  }
  readonly #stores: SubscriptionStores
  readonly #rules: SubscriptionRules
  readonly #action: BulkAction
  readonly #lines = new LineSplitter(subscriptionLimits.lineBytesMax, (line, number) =>
    this.#line(line === null ? null : latin1Of(line.bytes, line.start, line.end).trim(), number),
  )
  /** In their order: those of one slice of bytes. */
  #read: ReadLine[] = []
  readonly #batch = new Uint32Array(subscriptionLimits.batchPairs * 2)
  /** The number of each line of the batch. */
  readonly #numbers = new Uint32Array(subscriptionLimits.batchPairs)
  #batchLength = 0
  /** Of each subscriber, as far as is known here; counted once, since that may take long. */
  readonly #rooms = new Map<number, Room>()

  constructor(stores: SubscriptionStores, rules: SubscriptionRules, action: BulkAction) {
    this.#stores = stores
    this.#rules = rules
    this.#action = action
  }

  /** Nothing waits when this is done: others may change the same users before the next bytes. */
  async read(bytes: Uint8Array): Promise<Result<void, Failure>> {
    this.#lines.push(bytes)
    return await this.#takeRead()
  }

  /** The bytes are over: a last line without its newline counts too. */
  async end(): Promise<Result<void, Failure>> {
    this.#lines.end()
    return await this.#takeRead()
  }

  #line(text: string | null, number: number): void {
    this.receipt.lines = number
    if (text === '') return
    this.#read.push({ number, pair: text === null ? tooLong() : this.#pairOf(text) })
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
    const [follower, followed] = [this.#idOf(subscriber.value), this.#idOf(subject.value)]
    if (follower === null || followed === null) return refused(TOO_MANY_NAMES)
    return success([follower, followed])
  }

  #idOf(user: Subject): number | null {
    return this.#action === 'add' ? this.#stores.names.intern(user) : idToRemove(this.#stores, user)
  }

  /**
   * Waits only where something is changed: between the count of a user and the change that goes by
   * it, nobody else changes a database.
   */
  async #takeRead(): Promise<Result<void, Failure>> {
    const lines = this.#read
    this.#read = []
    for (const { number, pair } of lines) {
      if (!pair.ok) {
        rejectLine(this.receipt, number, pair.why)
        continue
      }
      const [user, subject] = pair.value
      if (this.#action === 'add') {
        const { left, waiting } = this.#roomOf(user)
        // Some that wait may be there already, so only the store can tell.
        const flushed = left <= 0 && waiting ? await this.#flush() : OK
        if (!flushed.ok) return flushed
        const room = this.#roomOf(user)
        if (room.left <= 0) {
          const { isShared } = this.#stores.subscriptions
          const taken = isShared ? await this.#changeOne(user, subject, number) : OK
          if (!taken.ok) return taken
          if (!isShared) this.#takeBeyond(user, subject, number)
          continue
        }
        room.left--
        room.waiting = true
      }
      this.#batch[2 * this.#batchLength] = user
      this.#batch[2 * this.#batchLength + 1] = subject
      this.#numbers[this.#batchLength++] = number
      if (this.#batchLength < subscriptionLimits.batchPairs) continue
      const flushed = await this.#flush()
      if (!flushed.ok) return flushed
    }
    return await this.#flush()
  }

  /** Of a user who has no room: one that is there already is no other one. */
  #takeBeyond(user: number, subject: number, number: number): void {
    if (this.#stores.subscriptions.has(user, subject)) this.receipt.unchanged++
    else this.#rejectBeyond(user, number)
  }

  #rejectBeyond(user: number, number: number): void {
    const subscriber = this.#stores.names.subjectOf(user)
    rejectLine(this.receipt, number, followsTooMany(subscriber, this.#rules.perUserMax))
  }

  #roomOf(user: number): Room {
    const known = this.#rooms.get(user)
    if (known !== undefined) return known
    const { perUserMax } = this.#rules
    const left = perUserMax - this.#stores.subscriptions.countOf(user, perUserMax)
    const room = { left, waiting: false }
    this.#rooms.set(user, room)
    return room
  }

  async #flush(): Promise<Result<void, Failure>> {
    this.#rooms.clear()
    const length = this.#batchLength
    if (length === 0) return OK
    this.#batchLength = 0
    const batch = this.#batch.subarray(0, 2 * length)
    const changed = await this.#change(batch)
    if (changed.ok || changed.why.code !== 'subscription_limit') return this.#count(changed, length)
    // Others have added to a user meanwhile: which lines are too many, each says by itself.
    for (let at = 0; at < length; at++) {
      const [user, subject] = [batch[2 * at] as number, batch[2 * at + 1] as number]
      const one = await this.#changeOne(user, subject, this.#numbers[at] as number)
      if (!one.ok) return one
    }
    return OK
  }

  async #changeOne(user: number, subject: number, number: number): Promise<Result<void, Failure>> {
    const changed = await this.#change(Uint32Array.of(user, subject))
    if (changed.ok || changed.why.code !== 'subscription_limit') return this.#count(changed, 1)
    this.#rejectBeyond(user, number)
    return OK
  }

  #change(pairs: Uint32Array): Promise<Result<number, Failure>> {
    const { subscriptions } = this.#stores
    if (this.#action === 'remove') return subscriptions.remove(pairs)
    // Each user was counted here; once more would take as long as the change.
    const perUserMax = subscriptions.isShared ? this.#rules.perUserMax : null
    return subscriptions.add(pairs, perUserMax)
  }

  #count(changed: Result<number, Failure>, pairs: number): Result<void, Failure> {
    if (!changed.ok) return changed
    this.receipt.changed += changed.value
    this.receipt.unchanged += pairs - changed.value
    return OK
  }
}

function tooLong(): Result<[number, number], Failure> {
  return failed(
    'invalid_subscription',
    `The line is over ${subscriptionLimits.lineBytesMax} bytes.`,
  )
}
