// The newest events of the shared feed, for all readers on this node: a few thousand, with none
// missing between them.

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

  /** Forgets all events and continues after this place. */
  begin(place: Cursor): void {
    this.#top = place
    this.#start = place.number
    this.#events = []
  }

  /** Adds entries, in order. */
  add(entries: readonly FeedEntry[]): void {
    for (const { at, events } of entries) {
      if (compareCursors(at, this.#top) <= 0) continue
      const before = { epoch: at.epoch, number: at.number - events.length }
      if (compareCursors(before, this.#top) !== 0) this.begin(before)
      this.#events.push(...events)
      this.#top = at
    }
    // Not for each event, since this copies those that stay.
    const tooMany = this.#events.length - this.#eventsMax
    if (tooMany < this.#eventsMax) return
    this.#events = this.#events.slice(tooMany)
    this.#start += tooMany
  }

  /** The events after a place; null if they are not here. */
  read({ epoch, number }: Cursor, eventsMax: number): FeedPage | null {
    const isHere = epoch === this.#top.epoch && number >= this.#start && number <= this.#top.number
    if (!isHere) return null
    const first = number - this.#start
    const events = this.#events.slice(first, first + eventsMax)
    return { gap: null, events, cursor: { epoch, number: number + events.length } }
  }
}
