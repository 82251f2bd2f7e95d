// The keys of publications: what was published with one goes out once, however often its publisher
// sends it within five minutes, and each time the answer is that of the first.

import type { Clock } from '../core/clock.ts'
import type { Cursor } from '../core/cursor.ts'
import { type Failure, failed } from '../core/errors.ts'
import { keyLimits } from '../core/history-limits.ts'
import { type Result, refused, success } from '../core/result.ts'
import { formatCount } from '../core/units.ts'
import type { Subject } from '../core/user.ts'
import type { Publication, PublishRefusal } from '../log/message-bus.ts'
import type { MessageLog } from '../log/message-log.ts'
import {
  ERAS_MAX,
  FINGERPRINT_WORDS,
  type Fingerprint,
  type KeyedAnswer,
  KeyTable,
} from './key-table.ts'
import { failureOf } from './publish-failure.ts'
import type { Receipt } from './receipt.ts'

/** What is published with a key; with the same key it must be the same again. */
export interface KeyedContent {
  readonly key: string
  readonly isAbout: boolean
  /** 0 for everyone. */
  readonly subject: Subject
  readonly event: string | null
  readonly isJson: boolean
  readonly bytes: Uint8Array
}

export interface PublicationKeysOptions {
  /** To restore the keys of the process before; null where Redis keeps the keys. */
  readonly log: Pick<MessageLog, 'epoch' | 'keyedSince' | 'read'> | null
  readonly clock: Clock
  readonly limits?: Readonly<Record<'keptMs' | 'keysMax' | 'forgottenTogetherMax', number>>
}

/** Of this process; those of the process before it are read from the log. */
export class PublicationKeys {
  /** Epochs of the log by their era. */
  readonly #epochs: number[] = []
  #era = 0
  readonly #clock: Clock
  readonly #limits: NonNullable<PublicationKeysOptions['limits']>
  readonly #table = new KeyTable()
  /** Those whose streams have not answered, by their place in the table. */
  readonly #pending = new Map<number, KeyedDelivery>()

  constructor({ log, clock, limits = keyLimits }: PublicationKeysOptions) {
    this.#clock = clock
    this.#limits = limits
    if (log !== null) this.#restore(log)
  }

  /** Keys that are kept, with some that need not be any more. */
  get size(): number {
    return this.#table.size
  }

  /** Bytes of memory of what is kept. */
  get byteLength(): number {
    return this.#table.byteLength
  }

  /** Seconds until there is room for another key. */
  get retryAfterSeconds(): number {
    return Math.max(1, this.#table.oldestUntil - this.#second())
  }

  /**
   * Looks whether the same was published before with its key. If so, the receipt gets the answer of
   * then, once there is one, and nothing is to be sent.
   *
   * @returns what to send it with if it was not; null if it was
   */
  begin(content: KeyedContent, receipt: Receipt): Result<KeyedDelivery | null, Failure> {
    this.#forget()
    const fingerprint = fingerprintOf(content)
    const place = this.#table.find(fingerprint, this.#second())
    if (place < 0) {
      if (this.#table.size >= this.#limits.keysMax) return this.#tooMany()
      return success(new KeyedDelivery(this, fingerprint, receipt))
    }
    if (!this.#table.hasContent(place, fingerprint)) return refused(failureOf('conflict'))
    receipt.pending++
    this.#repeat(place, receipt)
    return success(null)
  }

  /**
   * The message was published before, on this node or another. The answer is the one of this node,
   * if it has one.
   */
  onRepeated(fingerprint: Fingerprint, receipt: Receipt, cursor: Cursor): void {
    const place = this.#table.find(fingerprint, this.#second())
    if (place < 0) receipt.onRepeated(cursor)
    else this.#repeat(place, receipt)
  }

  #repeat(place: number, receipt: Receipt): void {
    const answer = this.#table.answerOf(place)
    receipt.epoch = this.#epochs[answer.era] ?? 0
    receipt.number = answer.number
    if (answer.isRestored) receipt.restored++
    const pending = this.#pending.get(place)
    if (pending === undefined) receipt.settleRepeated(answer)
    else pending.addWaiting(receipt)
  }

  /** The era of an epoch of the log, which is the last one or a new one. */
  eraOf(epoch: number): number {
    if (this.#epochs[this.#era] === epoch) return this.#era
    // Of eras that are so old, no key is kept: an epoch lasts as long as Redis runs.
    if (this.#epochs.length > 0) this.#era = (this.#era + 1) % ERAS_MAX
    this.#epochs[this.#era] = epoch
    return this.#era
  }

  #tooMany(): Result<never, Failure> {
    const { keysMax, keptMs } = this.#limits
    return failed(
      'too_many_keys',
      `In the last ${keptMs / 1_000} s, ${formatCount(keysMax)} messages had a key, and no more are ` +
        `kept. Send it again in ${this.retryAfterSeconds} s.`,
    )
  }

  /** Its message is in the log. */
  add(fingerprint: Fingerprint, answer: KeyedAnswer): number {
    // The end of a second: a key is kept no shorter than is said.
    const until = Math.ceil((this.#clock.elapsedMs() + this.#limits.keptMs) / 1_000)
    return this.#table.add(fingerprint, Math.max(until, this.#table.lastUntil), answer)
  }

  wait(place: number, delivery: KeyedDelivery): void {
    this.#pending.set(place, delivery)
  }

  settle(place: number, delivery: KeyedDelivery): void {
    if (this.#pending.delete(place)) this.#table.settle(place, delivery)
  }

  #second(): number {
    return Math.floor(this.#clock.elapsedMs() / 1_000)
  }

  /** A little with each new key, so that no timer is needed. */
  #forget(): void {
    const table = this.#table
    if (table.size === 0) return
    const second = this.#second()
    if (table.lastUntil <= second && this.#pending.size === 0) {
      table.clear()
      return
    }
    for (let count = 0; count < this.#limits.forgottenTogetherMax; count++) {
      if (table.size === 0 || table.oldestUntil > second) return
      this.#pending.delete(table.removeOldest())
    }
  }

  /** The times of the log are those of the clock on the wall, to the second. */
  #restore(log: NonNullable<PublicationKeysOptions['log']>): void {
    const { keptMs, keysMax } = this.#limits
    const era = this.eraOf(log.epoch)
    const nowSeconds = Math.floor(this.#clock.nowMs() / 1_000)
    // By a second more than they need: both seconds are rounded down.
    const keptSeconds = Math.ceil(keptMs / 1_000) + 1
    for (const { number, key, seconds } of log.keyedSince(nowSeconds - keptSeconds)) {
      const { isAbout, name, target, event, isJson, bytes } = log.read(number)
      const content = { key, isAbout, subject: name ?? target, event, isJson, bytes }
      const ageSeconds = Math.max(0, nowSeconds - seconds)
      const until = Math.ceil(this.#clock.elapsedMs() / 1_000) + keptSeconds - ageSeconds
      // More than may be can only be there if the clock was set back meanwhile.
      if (this.#table.size >= keysMax) this.#table.removeOldest()
      this.#table.add(fingerprintOf(content), Math.max(until, this.#table.lastUntil), {
        ...{ number, era, delivered: 0, skipped: 0, unknown: 0, isRestored: true },
      })
    }
  }
}

/**
 * The publication of one message with a key: it stands before the receipt of the first publisher,
 * and tells those who have sent the same since.
 */
export class KeyedDelivery implements Publication {
  number = 0
  era = 0
  delivered = 0
  skipped = 0
  unknown = 0
  readonly isRestored = false
  readonly #keys: PublicationKeys
  readonly #fingerprint: Fingerprint
  readonly #receipt: Receipt
  /** Its place among the keys, once it is in the log. */
  #place = 0
  /** Those who wait are as many as there are requests and lines of batches, which are bounded. */
  #waiting: Receipt[] | null = null

  constructor(keys: PublicationKeys, fingerprint: Fingerprint, receipt: Receipt) {
    this.#keys = keys
    this.#fingerprint = fingerprint
    this.#receipt = receipt
  }

  onAccepted(cursor: Cursor, isHanded: boolean): void {
    this.number = cursor.number
    this.era = this.#keys.eraOf(cursor.epoch)
    this.#place = this.#keys.add(this.#fingerprint, this)
    this.#keys.wait(this.#place, this)
    this.#receipt.onAccepted(cursor, true)
    if (!isHanded) this.settle(0, 0)
  }

  onRepeated(cursor: Cursor): void {
    this.#keys.onRepeated(this.#fingerprint, this.#receipt, cursor)
  }

  onRefused(why: PublishRefusal): void {
    this.#receipt.onRefused(why)
  }

  addWaiting(receipt: Receipt): void {
    this.#waiting ??= []
    this.#waiting.push(receipt)
  }

  settle(delivered: number, skipped: number, unknown = 0): void {
    this.delivered = delivered
    this.skipped = skipped
    this.unknown = unknown
    this.#keys.settle(this.#place, this)
    this.#receipt.settle(delivered, skipped, unknown)
    for (const receipt of this.#waiting ?? []) receipt.settleRepeated(this)
    this.#waiting = null
  }

  late(delivered: number): void {
    this.#receipt.late(delivered)
  }
}

// Written and read within one call: to make them anew takes some microseconds.
const digest = new Uint8Array(32)
const digestWords = new Uint32Array(digest.buffer)
const contentHash = new BigUint64Array(1)
const contentWords = new Uint32Array(contentHash.buffer)

function fingerprintOf(content: KeyedContent): Fingerprint {
  const { key, isAbout, subject, event, isJson, bytes } = content
  const words = new Uint32Array(FINGERPRINT_WORDS)
  // No two keys have the same by chance, nor by anyone's choice.
  Bun.SHA256.hash(key, digest)
  for (let word = 0; word < 4; word++) words[word] = digestWords[word] as number
  // No name has a blank.
  const head = `${isAbout ? 'subject' : 'to'} ${subject} ${isJson ? 'data' : 'body'} ${event ?? ''}`
  contentHash[0] = Bun.hash.wyhash(bytes, Bun.hash.wyhash(head))
  for (let word = 4; word < 6; word++) words[word] = contentWords[word - 4] as number
  return words
}
