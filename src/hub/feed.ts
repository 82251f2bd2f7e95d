// The feed of the connections of this node: a ring of events in one typed array of a fixed size.
// Events become objects only when they are read.

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
 * A place has five words. Those of an event: the user; `what`, as below; the lower 32 bits of
 * `since` in microseconds and of `at` in milliseconds; and the upper bits of both. A name follows
 * in places of its own, whose first word is 0, which is not a user.
 */
const WORDS = 5
const PLACE_BYTES = WORDS * 4
const NAME_BYTES = PLACE_BYTES - 4
/** Bits of `what`: four of the reason, then the flag, the length of a name and the process. */
const IS_ONLINE = 1 << 4
const LENGTH_SHIFT = 8
const PROCESS_SHIFT = 16
const REASON_MASK = 0xf
const LENGTH_MASK = 0xff
/** The upper bits of `at` begin here in their word. */
const AT_SHIFT = 20
const SINCE_MASK = 2 ** AT_SHIFT - 1
const HIGH = 2 ** 32

/** Takes the events of the connections of this node. Hot paths: once a connection each. */
export interface ConnectionOwner {
  opened(connection: HeldConnection): void
  /** @param isOnline whether the user has other connections */
  closed(connection: HeldConnection, reason: FeedReason, isOnline: boolean, nowMs: number): void
}

export interface HeldConnection {
  readonly user: number
  /** The process that holds it: its number among those of this run, up to 65,535. */
  readonly process: number
  /** When it was opened, in microseconds since 1970; unique among those of its process. */
  readonly sinceUs: number
}

/** A page of open connections, in no order. */
export interface HeldPage {
  readonly connections: readonly HeldConnection[]
  /** The place of the next page; null after the last one. */
  readonly next: number | null
}

export interface FeedOptions {
  /** Size of the window. */
  readonly bytes: number
  /** When the feed begins, in milliseconds since 1970. */
  readonly epoch: number
  /** Identifies this run, unique among all runs of all nodes. */
  readonly run: string
  readonly node: string
  readonly names: Pick<NameTable, 'writeName' | 'subjectOf'>
}

export class Feed implements ConnectionOwner, FeedSource {
  readonly #options: FeedOptions
  readonly #words: Uint32Array
  readonly #bytes: Uint8Array
  /** The number of places of the ring. */
  readonly #places: number
  /** The index of the next place to write. */
  #next = 0
  /** The number of the last place written; the first one has 1. */
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

  /** The prefix of all ids of its connections, and the name of the node. */
  get node(): { readonly run: string; readonly name: string } {
    const { run, node: name } = this.#options
    return { run, name }
  }

  get limitBytes(): number {
    return this.#words.byteLength
  }

  /** The place after all events. */
  get cursor(): Cursor {
    return this.#cursorAt(this.#last)
  }

  /** The place before all events that are kept. */
  get start(): Cursor {
    let before = Math.max(0, this.#last - this.#places)
    // Skips the rest of a name whose event was overwritten.
    while (before < this.#last && this.#words[this.#wordOf(before + 1)] === 0) before++
    return this.#cursorAt(before)
  }

  /** Bytes of the events after a place, as far as they are kept. */
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

  /** Appends the name itself: its handle may belong to another name when the event is read. */
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

  /** Tells readers a moment later, so that they write several events together. */
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

  /** Ends the feed: readers get the events that are there, and then the end. */
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

  /** A page with a gap, which continues with events from now on. */
  #gap(after: Cursor, reason: FeedGapReason): FeedPage {
    return { gap: { after, reason }, events: [], cursor: this.cursor }
  }

  /** Why the events after a place are not all known; null if they are. */
  #gapBehind({ epoch, number }: Cursor): FeedGapReason | null {
    if (epoch !== this.#options.epoch || number > this.#last) return 'unknown'
    if (number < this.start.number) return 'lost'
    // A place within a name, which no reader was given.
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

  /** A page of open connections, as readers get it. */
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

  /** The index of the first word of a place, by its number. */
  #wordOf(number: number): number {
    return ((number - 1) % this.#places) * WORDS
  }
}

/** No two streams of one process were opened in the same microsecond. */
function connectionId(run: string, process: number, sinceUs: number): string {
  return `${run}-${process.toString(16)}-${sinceUs.toString(16)}`
}
