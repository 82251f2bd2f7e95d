// Streams whose clients come back to what they have missed: begun as fast as others take what they
// get, so that very many of them together fill no memory.

import { resumeLimits } from '../core/history-limits.ts'
import { Queue } from '../core/queue.ts'
import type { StreamStore } from './store.ts'
import type { StreamFrom } from './stream.ts'

interface Waiting {
  readonly slot: number
  readonly from: StreamFrom
}

export class ResumeQueue {
  readonly #store: Pick<StreamStore, 'beginningBytes'>
  readonly #begin: (slot: number, from: StreamFrom) => void
  /** Bounded by the streams that there is room for. */
  readonly #waiting = new Queue<Waiting>()
  /** Streams that are to begin, and have not. */
  #begun = 0
  #timer: Timer | null = null

  /** @param begin is followed by one call of {@link onBegun} for each stream */
  constructor(
    store: Pick<StreamStore, 'beginningBytes'>,
    begin: (slot: number, from: StreamFrom) => void,
  ) {
    this.#store = store
    this.#begin = begin
  }

  /** The stream is to begin, now or when there is room. Hot path: once a stream. */
  add(slot: number, from: StreamFrom): void {
    // It gets nothing at once, so it need not wait.
    if (from === 'live') this.#begin(slot, from)
    else if (this.#waiting.length > 0 || this.#isFull) this.#wait({ slot, from })
    else {
      this.#begun++
      this.#begin(slot, from)
    }
  }

  /** A stream has begun, or never will. */
  onBegun(from: StreamFrom): void {
    if (from !== 'live') this.#begun--
    this.#goOn()
  }

  /** Those that wait begin no more. Answers their slots. */
  drain(): number[] {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    const slots: number[] = []
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      slots.push(next.slot)
    }
    return slots
  }

  get #isFull(): boolean {
    const { beginningBytesMax, beginningsMax } = resumeLimits
    return this.#store.beginningBytes > beginningBytesMax || this.#begun >= beginningsMax
  }

  #wait(waiting: Waiting): void {
    this.#waiting.push(waiting)
    this.#lookLater()
  }

  /** Clients take what they get at their own pace: it is looked at by a timer. */
  #lookLater(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null
      this.#goOn()
      if (this.#waiting.length > 0) this.#lookLater()
    }, resumeLimits.roomCheckMs)
  }

  #goOn(): void {
    while (!this.#isFull) {
      const next = this.#waiting.shift()
      if (next === undefined) return
      this.#begun++
      this.#begin(next.slot, next.from)
    }
  }
}
