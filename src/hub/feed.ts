// The feed of the connections of this node: a ring of events in one typed array, bounded by its
// bytes. They become objects only as somebody reads them.

import type { Cursor } from '../core/cursor.ts'
import { feedLimits } from '../core/feed-limits.ts'
import { identityLimits } from '../core/identity-limits.ts'
import type {
  ConnectionEvent,
  FeedFrom,
  FeedGapReason,
  FeedPage,
  FeedSource,
  PresentPage,
} from '../log/feed-source.ts'
import { isHandle, type NameTable } from '../subscriptions/name-table.ts'
import { CLOSES, type CloseReason } from './refusals.ts'

/** Why a connection ended; `lost`: the process that held it has ended. */
export type FeedReason = CloseReason | 'lost'

/** By their number in an event, in which 0 is none. */
const REASONS: readonly (FeedReason | null)[] = [
  null,
  ...(Object.keys(CLOSES) as CloseReason[]),
  'lost',
]
const NUMBERS = Object.fromEntries(REASONS.map((reason, at) => [reason, at])) as Record<
  FeedReason,
  number
>

/**
 * A place has five words. The first of an event: user; what, as below; the lower 32 bits of since
 * in microseconds and of at in milliseconds, and the upper bits of both. A name follows in places
 * of its own, whose first word is 0, which is no user.
 */
const WORDS = 5
const PLACE_BYTES = WORDS * 4
const NAME_BYTES = PLACE_BYTES - 4
/** In what: four bits of the reason, then */
const IS_ONLINE = 1 << 4
const LENGTH_SHIFT = 8
const PROCESS_SHIFT = 16
const REASON_MASK = 0xf
const LENGTH_MASK = 0xff
/** Of the upper bits, those of at. */
const AT_SHIFT = 20
const SINCE_MASK = 2 ** AT_SHIFT - 1
const HIGH = 2 ** 32

/** What is told of the connections of this node. Hot paths: once a connection each. */
export interface ConnectionOwner {
  opened(connection: HeldConnection): void
  /** @param isOnline has the user other connections? */
  closed(connection: HeldConnection, reason: FeedReason, isOnline: boolean, nowMs: number): void
}

export interface HeldConnection {
  readonly user: number
  /** That holds it: its number among those of this run, up to 65,535. */
  readonly process: number
  /** When it was opened, in microseconds since 1970; no other one of its process was opened
   * then. */
  readonly sinceUs: number
}

/** Connections that are open, in no order. */
export interface HeldPage {
  readonly connections: readonly HeldConnection[]
  /** Where the others are; null if these were all. */
  readonly next: number | null
}

export interface FeedOptions {
  /** Of the window. */
  readonly bytes: number
  /** When the feed begins, in milliseconds since 1970. */
  readonly epoch: number
  /** What no other run of any node has. */
  readonly run: string
  readonly node: string
  readonly names: Pick<NameTable, 'writeName' | 'subjectOf'>
}

export class Feed implements ConnectionOwner, FeedSource {
  readonly #options: FeedOptions
  readonly #words: Uint32Array
  readonly #bytes: Uint8Array
  /** Places of the ring, and the next one that is written. */
  readonly #places: number
  #next = 0
  /** The number of the last place that was written; the first one has 1. */
  #last = 0
  /** Events since the start. */
  events = 0
  isClosed = false
  readonly #name = new Uint8Array(identityLimits.nameLengthMax)
  readonly #listeners = new Set<() => void>()
  #isTelling = false

  constructor(options: FeedOptions) {
    this.#options = options
    this.#places = Math.floor(Math.max(options.bytes, feedLimits.bytesMin) / PLACE_BYTES)
    this.#words = new Uint32Array(this.#places * WORDS)
    this.#bytes = new Uint8Array(this.#words.buffer)
  }

  /** What all ids of its connections begin with, and what its node is called. */
  get node(): { readonly run: string; readonly name: string } {
    const { run, node: name } = this.#options
    return { run, name }
  }

  get limitBytes(): number {
    return this.#words.byteLength
  }

  /** Where who has had all events is, */
  get cursor(): Cursor {
    return this.#cursorAt(this.#last)
  }

  /** and who has had none of those that are kept. */
  get start(): Cursor {
    let before = Math.max(0, this.#last - this.#places)
    // Of an event that was overwritten in part, the rest of its name may be there.
    while (before < this.#last && this.#words[this.#wordOf(before + 1)] === 0) before++
    return this.#cursorAt(before)
  }

  /** Of the events behind a place, as far as they are kept. */
  bytesBehind({ number }: Cursor): number {
    return Math.min(this.#last - number, this.#places) * PLACE_BYTES
  }

  #cursorAt(number: number): Cursor {
    return { epoch: this.#options.epoch, number }
  }

  opened(connection: HeldConnection): void {
    this.#append(connection, IS_ONLINE, connection.sinceUs / 1_000)
  }

  closed(connection: HeldConnection, reason: FeedReason, isOnline: boolean, nowMs: number): void {
    // The clocks of two processes may differ.
    const atMs = Math.max(nowMs, connection.sinceUs / 1_000)
    this.#append(connection, NUMBERS[reason] | (isOnline ? IS_ONLINE : 0), atMs)
  }

  #append({ user, process, sinceUs }: HeldConnection, what: number, atMs: number): void {
    const length = isHandle(user) ? this.#options.names.writeName(user, this.#name) : 0
    const words = this.#words
    const at = this.#next * WORDS
    words[at] = user
    words[at + 1] = what | (length << LENGTH_SHIFT) | (process << PROCESS_SHIFT)
    words[at + 2] = sinceUs
    words[at + 3] = atMs
    words[at + 4] = Math.floor(sinceUs / HIGH) | (Math.floor(atMs / HIGH) << AT_SHIFT)
    this.#advance()
    if (length > 0) this.#appendName(length)
    this.events++
    if (this.#listeners.size > 0) this.#tellSoon()
  }

  #advance(): void {
    this.#last++
    this.#next = this.#next + 1 === this.#places ? 0 : this.#next + 1
  }

  /** Its handle may be another name's by the time that the event is read. */
  #appendName(length: number): void {
    for (let from = 0; from < length; from += NAME_BYTES) {
      const start = this.#next * PLACE_BYTES + 4
      this.#words[this.#next * WORDS] = 0
      for (let at = 0; at < NAME_BYTES && from + at < length; at++) {
        this.#bytes[start + at] = this.#name[from + at] as number
      }
      this.#advance()
    }
  }

  /** A moment later, so that readers write what comes meanwhile together. */
  #tellSoon(): void {
    if (this.#isTelling) return
    this.#isTelling = true
    setTimeout(() => {
      this.#isTelling = false
      for (const onMore of this.#listeners) onMore()
    }, feedLimits.gatherMs)
  }

  listen(onMore: () => void): () => void {
    this.#listeners.add(onMore)
    return () => this.#listeners.delete(onMore)
  }

  /** There are no more events; readers get those that are there, and then the end. */
  close(): void {
    this.isClosed = true
    this.#tellSoon()
  }

  begin(from: FeedFrom): FeedPage {
    if (from === 'live') return this.#nothingFrom(this.cursor)
    if (from === 'oldest') return this.#nothingFrom(this.start)
    const reason = this.#gapBehind(from.after)
    return reason === null ? this.#nothingFrom(from.after) : this.#gap(from.after, reason)
  }

  #nothingFrom(cursor: Cursor): FeedPage {
    return { gap: null, events: [], cursor }
  }

  /** It goes on with what comes from now on. */
  #gap(after: Cursor, reason: FeedGapReason): FeedPage {
    return { gap: { after, reason }, events: [], cursor: this.cursor }
  }

  /** Why it is not known what comes behind a place; null if it is. */
  #gapBehind({ epoch, number }: Cursor): FeedGapReason | null {
    if (epoch !== this.#options.epoch || number > this.#last) return 'unknown'
    if (number < this.start.number) return 'lost'
    // Within a name: no reader was told so.
    if (number < this.#last && this.#words[this.#wordOf(number + 1)] === 0) return 'unknown'
    return null
  }

  read(after: Cursor, eventsMax: number): FeedPage {
    const reason = this.#gapBehind(after)
    if (reason !== null) return this.#gap(after, reason)
    const events: ConnectionEvent[] = []
    let { number } = after
    while (events.length < eventsMax && number < this.#last) {
      const event = this.#read(number + 1)
      events.push(event)
      number = event.cursor.number
    }
    return { gap: null, events, cursor: this.#cursorAt(number) }
  }

  #read(number: number): ConnectionEvent {
    const { run, node } = this.#options
    const words = this.#words
    const at = this.#wordOf(number)
    const user = words[at] as number
    const what = words[at + 1] as number
    const high = words[at + 4] as number
    const length = (what >>> LENGTH_SHIFT) & LENGTH_MASK
    const sinceUs = (high & SINCE_MASK) * HIGH + (words[at + 2] as number)
    return {
      cursor: this.#cursorAt(number + Math.ceil(length / NAME_BYTES)),
      user: length === 0 ? user : this.#nameAt(number + 1, length),
      connection: connectionId(run, what >>> PROCESS_SHIFT, sinceUs),
      ...{ node, online: (what & IS_ONLINE) !== 0 },
      sinceMs: Math.floor(sinceUs / 1_000),
      atMs: (high >>> AT_SHIFT) * HIGH + (words[at + 3] as number),
      reason: REASONS[what & REASON_MASK] ?? null,
    }
  }

  #nameAt(number: number, length: number): string {
    let name = ''
    for (let at = 0; at < length; at++) {
      const start = this.#wordOf(number + Math.floor(at / NAME_BYTES)) * 4 + 4
      name += String.fromCharCode(this.#bytes[start + (at % NAME_BYTES)] as number)
    }
    return name
  }

  /** Connections that are open, as readers are told of them. */
  present({ connections, next }: HeldPage): PresentPage & Pick<HeldPage, 'next'> {
    const { run, node, names } = this.#options
    return {
      connections: connections.map(({ user, process, sinceUs }) => ({
        user: names.subjectOf(user),
        connection: connectionId(run, process, sinceUs),
        node,
        sinceMs: Math.floor(sinceUs / 1_000),
      })),
      next,
    }
  }

  /** Where the words of a place are, by its number. */
  #wordOf(number: number): number {
    return ((number - 1) % this.#places) * WORDS
  }
}

/** No two streams of one process were opened in the same microsecond. */
function connectionId(run: string, process: number, sinceUs: number): string {
  return `${run}-${process.toString(16)}-${sinceUs.toString(16)}`
}
