// The newest events of the feed that nodes share, as all its readers here take them: without a
// hole, a few thousand.

import type { Cursor } from '../core/cursor.ts'
import type { ConnectionEvent, FeedPage } from '../log/feed-source.ts'
import type { FeedEntry } from './feed-entry.ts'
import { compareCursors } from './stream-entry.ts'

export class FeedTail {
  readonly #eventsMax: number
  #events: ConnectionEvent[] = []
  /** The number before the first one. */
  #start = 0
  #top: Cursor = { epoch: 0, number: 0 }

  constructor(eventsMax: number) {
    this.#eventsMax = eventsMax
  }

  /** The last event that was read. */
  get top(): Cursor {
    return this.#top
  }

  /** There is nothing here but what comes behind this place. */
  begin(place: Cursor): void {
    this.#top = place
    this.#start = place.number
    this.#events = []
  }

  /** Entries in their order. */
  add(entries: readonly FeedEntry[]): void {
    for (const { at, events } of entries) {
      if (compareCursors(at, this.#top) <= 0) continue
      const before = { epoch: at.epoch, number: at.number - events.length }
      if (compareCursors(before, this.#top) !== 0) this.begin(before)
      this.#events.push(...events)
      this.#top = at
    }
    // Seldom, since it copies those that stay.
    const tooMany = this.#events.length - this.#eventsMax
    if (tooMany < this.#eventsMax) return
    this.#events = this.#events.slice(tooMany)
    this.#start += tooMany
  }

  /** What comes behind a place; null if it is not here. */
  read({ epoch, number }: Cursor, eventsMax: number): FeedPage | null {
    const isHere = epoch === this.#top.epoch && number >= this.#start && number <= this.#top.number
    if (!isHere) return null
    const first = number - this.#start
    const events = this.#events.slice(first, first + eventsMax)
    return { gap: null, events, cursor: { epoch, number: number + events.length } }
  }
}
