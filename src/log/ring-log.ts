// The log in this process: the newest entries in a ring of memory, or of a file that is mapped into
// it, with chains through them.

import { type Clock, systemClock } from '../core/clock.ts'
import { type HistoryLimits, historyLimits } from '../core/history-limits.ts'
import type { NamedUser } from '../core/user.ts'
import { type BegunChange, undoing } from './begun-change.ts'
import { Chains } from './chains.ts'
import {
  checkOf,
  type EntryKind,
  FLAG,
  HEADER_WORDS,
  hasTexts,
  isChange,
  isMessage,
  KIND,
  kindOf,
  PAYLOAD_BYTES_MAX,
  SECONDS_BYTES,
  shapeOf,
  textsOf,
  WORD,
  WORD_BYTES,
  wordsFor,
  writeKey,
  writeText,
} from './entry.ts'
import { EntryRing } from './entry-ring.ts'
import { NameHash, randomSeeds } from './gone-heads.ts'
import type {
  KeyedMessage,
  LoggedMessage,
  LogMessage,
  LogReader,
  MessageLog,
  Missed,
  MissedPage,
} from './message-log.ts'
import { MissedMessages } from './missed-messages.ts'
import { newestFor } from './newest-messages.ts'

/** Where entries are kept if not in memory alone. */
export interface LogStore {
  /** See {@link MessageLog.followsStamp}. */
  readonly stamp: number | null
  setStamp(stamp: number): void
  readonly begun: BegunChange | null
  setBegun(change: BegunChange | null): void
  /** See {@link MessageLog.maintain}. */
  maintain(): boolean
  /** Called once, after the last entry. */
  close(): void
}

export interface RingLogOptions {
  readonly epoch: number
  readonly ring: EntryRing
  readonly chains: Chains
  readonly clock: Clock
  readonly limits: HistoryLimits
  readonly store: LogStore | null
}

export class RingLog implements MessageLog {
  readonly epoch: number
  readonly #epochLow: number
  readonly #ring: EntryRing
  readonly #chains: Chains
  readonly #missed: MissedMessages
  readonly #clock: Clock
  readonly #limits: HistoryLimits
  readonly #store: LogStore | null
  #isClosed = false
  #stamp: number | null
  #begun: BegunChange | null

  constructor({ epoch, ring, chains, clock, limits, store }: RingLogOptions) {
    this.epoch = epoch
    this.#epochLow = epoch | 0
    this.#ring = ring
    this.#chains = chains
    this.#clock = clock
    this.#limits = limits
    this.#store = store
    this.#stamp = store?.stamp ?? null
    this.#begun = store?.begun ?? null
    this.#missed = new MissedMessages(ring, chains, limits)
  }

  get followsStamp(): number | null {
    return this.#stamp
  }

  setFollowsStamp(stamp: number): void {
    this.#stamp = stamp
    this.#store?.setStamp(stamp)
  }

  get begunStamp(): number | null {
    return this.#begun?.stamp ?? null
  }

  beginFollows(stamp: number): void {
    this.#begun = { stamp, after: this.last }
    this.#store?.setBegun(this.#begun)
  }

  endFollows(isMade: boolean): void {
    const begun = this.#begun
    if (begun === null) return
    if (isMade) this.setFollowsStamp(begun.stamp)
    else {
      for (const { user, subject, follows } of undoing(this.#ring, begun)) {
        this.appendFollow(user, subject, follows)
      }
    }
    this.#begun = null
    this.#store?.setBegun(null)
  }

  get last(): number {
    return this.#ring.next - 1
  }

  get oldest(): number {
    return this.#ring.oldest
  }

  get keptBytes(): number {
    return this.#ring.keptBytes
  }

  get keptBytesMax(): number {
    return this.#ring.bytes.length
  }

  /** Is it in a file, and not in memory alone? */
  get isInFile(): boolean {
    return this.#store !== null
  }

  /** Bytes of memory besides the ring. */
  get tableBytes(): number {
    return this.#ring.slotBytes + this.#chains.byteLength
  }

  append(message: LogMessage): number {
    return this.#append(message)
  }

  appendAll(messages: readonly LogMessage[]): number {
    // The places of all of them first: so the processor fetches them at the same time.
    for (let at = 0; at < messages.length; at++) {
      const message = messages[at] as LogMessage
      this.#chains.touched ^= this.#chains.touch(kindOfMessage(message), message.target)
    }
    for (let at = 0; at < messages.length; at++) this.#append(messages[at] as LogMessage)
    return this.last
  }

  /** Hot path: once a message. */
  #append(message: LogMessage): number {
    const { bytes: body, event, name, key } = message
    let payload = body.length
    let flags = message.isJson ? FLAG.json : 0
    if (name !== null) {
      flags |= FLAG.named
      payload += 1 + name.length
    }
    if (event !== null) {
      flags |= FLAG.event
      payload += 1 + event.length
    }
    if (key !== null) {
      flags |= FLAG.keyed
      payload += 1 + keyBytesOf(key) + SECONDS_BYTES
    }
    const kind = kindOfMessage(message)
    const at = this.#begin(kind, message.target, payload, flags)
    if (at < 0) return this.last
    const { bytes } = this.#ring
    let end = (at + HEADER_WORDS) * WORD_BYTES
    if (name !== null) end = writeText(bytes, end, name)
    if (event !== null) end = writeText(bytes, end, event)
    if (key !== null) end = writeKey(bytes, end, key, this.#seconds())
    bytes.set(body, end)
    return this.#end(at, payload)
  }

  appendFollow(user: NamedUser, subject: NamedUser, follows: boolean): number {
    let payload = WORD_BYTES
    let flags = 0
    if (user.name !== null) {
      flags |= FLAG.named
      payload += 1 + user.name.length
    }
    if (subject.name !== null) {
      flags |= FLAG.subjectNamed
      payload += 1 + subject.name.length
    }
    const kind = follows ? KIND.followed : KIND.unfollowed
    const at = this.#begin(kind, user.id, payload, flags)
    if (at < 0) return this.last
    this.#chains.mention(subject.id, this.#ring.next, this.#ring.oldest)
    const { bytes, words } = this.#ring
    words[at + WORD.subject] = subject.id
    let end = (at + HEADER_WORDS + 1) * WORD_BYTES
    if (user.name !== null) end = writeText(bytes, end, user.name)
    if (subject.name !== null) writeText(bytes, end, subject.name)
    return this.#end(at, payload)
  }

  appendBarrier(): number {
    const at = this.#begin(KIND.barrier, 0, 0, 0)
    return at < 0 ? this.last : this.#end(at, 0)
  }

  /** Adds what is nothing to streams. Only to a log in memory. */
  appendNothing(): number {
    if (this.#store !== null) throw new Error('a file has no such entries')
    const at = this.#begin(KIND.nothing, 0, 0, 0)
    return at < 0 ? this.last : this.#end(at, 0)
  }

  /**
   * Drops the entries behind this one, as if they had never been added. Only of a log in memory.
   *
   * @returns false if the entries before are not kept any more: then nothing was dropped
   */
  truncate(last: number): boolean {
    if (this.#store !== null) throw new Error('a log in a file only grows')
    const ring = this.#ring
    if (last >= this.last) return true
    if (last < ring.oldest - 1) return false
    const { words, next } = ring
    const chains = this.#chains
    for (let number = this.last; number > last; number--) {
      const at = ring.placeOf(number)
      const kind = kindOf(words[at] as number) as EntryKind
      const distance = words[at + WORD.distance] as number
      chains.retreat(kind, words[at + WORD.target] as number, number, distance)
      if (isChange(kind)) chains.unmention(words[at + WORD.subject] as number, last, next)
    }
    ring.truncate(last + 1)
    if (chains.barrier > last) chains.barrier = this.#newestBarrier()
    return true
  }

  /** 0 if none is kept: so no older one hides changes that are not known. */
  #newestBarrier(): number {
    const ring = this.#ring
    for (let number = this.last; number >= ring.oldest; number--) {
      if (kindOf(ring.words[ring.placeOf(number)] as number) === KIND.barrier) return number
    }
    return 0
  }

  /** Makes room for an entry and writes its header. Answers where; -1 for no room. */
  #begin(kind: EntryKind, target: number, payload: number, flags: number): number {
    if (this.#isClosed) throw new Error('the log is closed')
    if (payload > PAYLOAD_BYTES_MAX) throw new RangeError('the message is too long')
    const ring = this.#ring
    const length = wordsFor(payload)
    const at = ring.reserve(length)
    const distance = this.#chains.add(kind, target, ring.next, ring.oldest)
    if (at < 0) {
      // Longer than the whole ring: it has its number, and is not kept.
      ring.advance()
      return at
    }
    const { words } = ring
    // What its bytes leave of it is 0.
    words[at + length - 1] = 0
    words[at + WORD.shape] = shapeOf(kind, payload, flags)
    words[at + WORD.target] = target
    words[at + WORD.distance] = distance
    return at
  }

  #end(at: number, payload: number): number {
    const ring = this.#ring
    const number = ring.next
    if (this.#store !== null) {
      ring.words[at + WORD.check] = checkOf(ring.words, at, this.#epochLow, number | 0)
    }
    ring.commit(at, wordsFor(payload))
    return number
  }

  #seconds(): number {
    return Math.floor(this.#clock.nowMs() / 1_000)
  }

  missedBy(reader: LogReader, after: number): Missed {
    return this.#missed.missedBy(reader, after)
  }

  pageFor(reader: LogReader, after: number): MissedPage {
    return this.#missed.pageFor(reader, after)
  }

  newestFor(reader: LogReader, count: number): readonly number[] {
    return newestFor(this.#ring, this.#chains, reader, count, this.#limits)
  }

  read(number: number): LoggedMessage {
    const ring = this.#ring
    const at = this.#placeOf(number)
    const shape = ring.words[at] as number
    const kind = kindOf(shape)
    if (!isMessage(kind)) throw new RangeError(`entry ${number} is no message`)
    const target = ring.words[at + WORD.target] as number
    const isAbout = kind === KIND.about
    const isJson = (shape & FLAG.json) !== 0
    if (!hasTexts(shape)) {
      const start = (at + HEADER_WORDS) * WORD_BYTES
      const bytes = ring.bytes.slice(start, start + (shape & PAYLOAD_BYTES_MAX))
      return { number, bytes, isAbout, target, event: null, isJson, name: null, key: null }
    }
    const { name, event, key, bodyStart, bodyEnd } = textsOf(ring, at)
    const bytes = ring.bytes.slice(bodyStart, bodyEnd)
    return { number, bytes, isAbout, target, event, isJson, name, key }
  }

  #placeOf(number: number): number {
    const { oldest, next } = this.#ring
    if (number >= oldest && number < next) return this.#ring.placeOf(number)
    throw new RangeError(`entry ${number} is not one of those from ${oldest} to ${next - 1}`)
  }

  refersTo(handle: number): boolean {
    return this.#chains.isReferredTo(handle, this.#ring.next, this.#ring.oldest)
  }

  onNameFreed(handle: number): void {
    this.#chains.free(handle, this.#ring.next)
  }

  *keyedSince(seconds: number): Generator<KeyedMessage> {
    const ring = this.#ring
    for (let number = ring.oldest; number < ring.next; number++) {
      const at = ring.placeOf(number)
      if (((ring.words[at] as number) & FLAG.keyed) === 0) continue
      const { key, seconds: addedAt } = textsOf(ring, at)
      if (key !== null && addedAt >= seconds) yield { number, key, seconds: addedAt }
    }
  }

  maintain(): boolean {
    return !this.#isClosed && this.#store?.maintain() === true
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#store?.close()
  }
}

function kindOfMessage({ isAbout, target }: LogMessage): EntryKind {
  if (isAbout) return KIND.about
  return target === 0 ? KIND.everyone : KIND.to
}

function keyBytesOf(key: string): number {
  const bytes = Buffer.byteLength(key)
  if (bytes > historyLimits.keyBytesMax) throw new RangeError('the key of a message is too long')
  return bytes
}

export interface MemoryLogOptions {
  readonly bytes: number
  readonly clock?: Clock
  readonly limits?: HistoryLimits
  readonly epoch?: number
  /** The number of the first entry. */
  readonly first?: number
  /** The name of a handle. */
  readonly nameOf?: (handle: number) => string
}

/** A log that ends with this process. */
export function memoryLog({
  bytes,
  clock = systemClock,
  limits = historyLimits,
  epoch = Math.floor(clock.nowMs()),
  first = 1,
  nameOf = noName,
}: MemoryLogOptions): RingLog {
  return new RingLog({
    epoch,
    ring: EntryRing.inMemory(bytes, first),
    chains: new Chains({
      placesMax: limits.headPlacesMax,
      hash: new NameHash(nameOf, randomSeeds()),
    }),
    clock,
    limits,
    store: null,
  })
}

function noName(handle: number): never {
  throw new Error(`this log does not know the name of ${handle}`)
}
