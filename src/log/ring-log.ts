// The log in this process: the newest entries in a ring of memory, or of a file that is mapped into
// it, with chains through them.
//
// Heads of entries that have left the window are in memory alone. So after a start from a file, a
// cursor below the oldest entry is a gap even for whom nothing was lost.

import { copyOf } from '../core/bytes.ts'
import { type Clock, systemClock } from '../core/clock.ts'
import { historyLimits } from '../core/history-limits.ts'
import { Chains } from './chains.ts'
import {
  checkOf,
  type EntryKind,
  FLAG,
  HEADER_WORDS,
  isMessage,
  KIND,
  kindOf,
  PAYLOAD_BYTES_MAX,
  shapeOf,
  textsOf,
  WORD,
  WORD_BYTES,
  wordsFor,
  writeKey,
  writeText,
} from './entry.ts'
import { EntryRing } from './entry-ring.ts'
import type {
  KeyedMessage,
  LoggedMessage,
  LogMessage,
  LogReader,
  MessageLog,
  Missed,
  NamedUser,
} from './message-log.ts'
import { MissedMessages } from './missed-messages.ts'
import { newestFor } from './newest-messages.ts'

/** Where entries are kept if not in memory alone. */
export interface LogStore {
  /** Everything is written: it counts after a restart of the machine, too. */
  close(): void
}

export interface RingLogOptions {
  readonly epoch: number
  readonly ring: EntryRing
  readonly chains: Chains
  readonly clock: Clock
  readonly store: LogStore | null
}

export class RingLog implements MessageLog {
  readonly epoch: number
  readonly #epochLow: number
  readonly #ring: EntryRing
  readonly #chains: Chains
  readonly #missed: MissedMessages
  readonly #clock: Clock
  readonly #store: LogStore | null
  #isClosed = false
  /** So that what was fetched ahead is used for something. */
  #touched = 0

  constructor({ epoch, ring, chains, clock, store }: RingLogOptions) {
    this.epoch = epoch
    this.#epochLow = epoch | 0
    this.#ring = ring
    this.#chains = chains
    this.#clock = clock
    this.#store = store
    this.#missed = new MissedMessages(ring, chains)
  }

  get last(): number {
    return this.#ring.next - 1
  }

  get oldest(): number {
    return this.#ring.oldest
  }

  /** Bytes of memory besides the ring. */
  get tableBytes(): number {
    return this.#ring.slotBytes + this.#chains.byteLength
  }

  append(message: LogMessage): number {
    return this.#append(message, this.#seconds())
  }

  appendAll(messages: readonly LogMessage[]): number {
    // The places of all of them first: so the processor fetches them at the same time.
    for (let at = 0; at < messages.length; at++) {
      const message = messages[at] as LogMessage
      this.#touched ^= this.#chains.touch(kindOfMessage(message), message.target)
    }
    const seconds = this.#seconds()
    for (let at = 0; at < messages.length; at++) this.#append(messages[at] as LogMessage, seconds)
    return this.last
  }

  /** Hot path: once a message. */
  #append(message: LogMessage, seconds: number): number {
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
      payload += 1 + keyBytesOf(key)
    }
    const kind = kindOfMessage(message)
    const at = this.#begin(kind, message.target, seconds, payload, flags)
    if (at < 0) return this.last
    const { bytes } = this.#ring
    let end = (at + HEADER_WORDS) * WORD_BYTES
    if (name !== null) end = writeText(bytes, end, name)
    if (event !== null) end = writeText(bytes, end, event)
    if (key !== null) end = writeKey(bytes, end, key)
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
    const at = this.#begin(kind, user.id, this.#seconds(), payload, flags)
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
    const at = this.#begin(KIND.barrier, 0, this.#seconds(), 0, 0)
    return at < 0 ? this.last : this.#end(at, 0)
  }

  /** Makes room for an entry and writes its header. Answers where; -1 if there is no room for it. */
  #begin(kind: EntryKind, target: number, seconds: number, payload: number, flags: number): number {
    if (this.#isClosed || payload > PAYLOAD_BYTES_MAX)
      throw new Error('the log takes no such entry')
    const ring = this.#ring
    const length = wordsFor(payload)
    const at = ring.reserve(length)
    const distance = this.#chains.add(kind, target, ring.next, ring.oldest)
    if (at < 0) {
      ring.skip()
      return at
    }
    const { words } = ring
    // What its bytes leave of it is 0.
    words[at + length - 1] = 0
    words[at + WORD.shape] = shapeOf(kind, payload, flags)
    words[at + WORD.target] = target
    words[at + WORD.distance] = distance
    words[at + WORD.seconds] = seconds
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

  newestFor(reader: LogReader, count: number): readonly number[] {
    return newestFor(this.#ring, this.#chains, reader, count)
  }

  read(number: number): LoggedMessage {
    const ring = this.#ring
    const at = this.#placeOf(number)
    const shape = ring.words[at] as number
    const kind = kindOf(shape)
    if (!isMessage(kind)) throw new RangeError(`entry ${number} is no message`)
    const { name, event, key, bodyStart, bodyEnd } = textsOf(ring, at)
    return {
      number,
      bytes: copyOf(ring.bytes, bodyStart, bodyEnd),
      isAbout: kind === KIND.about,
      target: ring.words[at + WORD.target] as number,
      event,
      isJson: (shape & FLAG.json) !== 0,
      name,
      key,
    }
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
      const addedAt = ring.words[at + WORD.seconds] as number
      if (((ring.words[at] as number) & FLAG.keyed) === 0 || addedAt < seconds) continue
      const { key } = textsOf(ring, at)
      if (key !== null) yield { number, key, seconds: addedAt }
    }
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
  readonly epoch?: number
  /** The number of the first entry. */
  readonly first?: number
}

/** A log that ends with this process. */
export function memoryLog({
  bytes,
  clock = systemClock,
  epoch,
  first = 1,
}: MemoryLogOptions): RingLog {
  return new RingLog({
    epoch: epoch ?? Math.floor(clock.nowMs()),
    ring: EntryRing.inMemory(bytes, first),
    chains: new Chains(historyLimits.headPlacesMax),
    clock,
    store: null,
  })
}
