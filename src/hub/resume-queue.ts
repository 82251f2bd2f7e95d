// The queue of streams that resume. They begin as fast as earlier ones read their missed messages,
// so that many of them at once do not fill the memory. Streams that read nothing meanwhile are cut,
// so that they do not keep the others waiting.

import { resumeLimits } from '../core/history-limits.ts'
import { Queue } from '../core/queue.ts'
import type { StreamStore } from './store.ts'
import type { StreamFrom } from './stream.ts'

interface Waiting {
  readonly slot: number
  readonly from: StreamFrom
  readonly isLate: boolean
  /** The number of looks before it was added. */
  readonly look: number
}

/** The part of the store that the queue needs. */
export type ResumeStore = Pick<
  StreamStore,
  'beginningBytes' | 'isOpening' | 'endOpening' | 'forget'
> & {
  readonly delivery: Pick<StreamStore['delivery'], 'cutStalled'>
  readonly expiries: Pick<StreamStore['expiries'], 'isSoon'>
}

const { roomCheckMs, stallCheckMs, waitMsMax } = resumeLimits
const LOOKS_PER_STALL_CHECK = stallCheckMs / roomCheckMs
const LOOKS_MAX = waitMsMax / roomCheckMs

export class ResumeQueue {
  readonly #store: ResumeStore
  readonly #begin: (slot: number, from: StreamFrom, isLate: boolean) => void
  /** Bounded by the number of streams allowed. */
  readonly #waiting = new Queue<Waiting>()
  /** Streams that are beginning and have not begun. */
  #begun = 0
  #timer: Timer | null = null
  /** Looks for room since the start. Waits are counted in looks and not in time, so that clients
   * are not cut because this process was stopped for a while. */
  #looks = 0
  #isGoingOn = false

  /** @param begin is followed by one call of {@link onBegun} for each stream */
  constructor(
    store: ResumeStore,
    begin: (slot: number, from: StreamFrom, isLate: boolean) => void,
  ) {
    this.#store = store
    this.#begin = begin
  }

  /**
   * Begins a stream, now or when there is room. Hot path: once a stream.
   *
   * @param isLate whether it has waited for the log in vain
   */
  add(slot: number, from: StreamFrom, isLate = false): void {
    // It gets no missed messages, so it need not wait.
    if (from === 'live') this.#begin(slot, from, isLate)
    else if (this.#waiting.length > 0 || this.#isFull) {
      this.#wait({ slot, from, isLate, look: this.#looks })
    } else {
      this.#begun++
      this.#begin(slot, from, isLate)
    }
  }

  /** Called when a stream has begun, or has ended before, or will be added again. */
  onBegun(from: StreamFrom): void {
    if (from !== 'live') this.#begun--
    this.#goOn()
  }

  /** Removes all streams that wait. Returns their slots. */
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

  /** Looks for room at intervals: clients read at their own pace. */
  #lookLater(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null
      this.#looks++
      if (this.#looks % LOOKS_PER_STALL_CHECK === 0) this.#store.delivery.cutStalled()
      this.#endLate()
      this.#goOn()
      if (this.#waiting.length > 0) this.#lookLater()
    }, roomCheckMs)
  }

  /** Ends streams that have waited for too long, before their welcome: clients may try again. */
  #endLate(): void {
    const last = this.#looks - LOOKS_MAX
    for (let first = this.#waiting.at(0); first !== undefined; first = this.#waiting.at(0)) {
      if (first.look > last) return
      this.#waiting.shift()
      this.#end(first.slot)
    }
  }

  #end(slot: number): void {
    if (this.#store.isOpening(slot)) this.#store.endOpening(slot)
    else this.#store.forget(slot)
  }

  /** Begins streams while there is room. A nested call, by one that begins at once, returns. */
  #goOn(): void {
    if (this.#isGoingOn) return
    this.#isGoingOn = true
    for (let left = resumeLimits.begunTogetherMax; left > 0 && !this.#isFull; left--) {
      const next = this.#waiting.shift()
      if (next === undefined) break
      // It was ended while it waited, and must not get messages from after that.
      if (this.#store.expiries.isSoon(next.slot)) {
        this.#end(next.slot)
        continue
      }
      this.#begun++
      this.#begin(next.slot, next.from, next.isLate)
    }
    this.#isGoingOn = false
  }
}
