// Streams whose clients come back to what they have missed: begun as fast as others take what they
// get, so that very many of them together fill no memory. Those that take nothing meanwhile are
// cut, so that nobody keeps all others waiting.

import { resumeLimits } from '../core/history-limits.ts'
import { Queue } from '../core/queue.ts'
import type { StreamStore } from './store.ts'
import type { StreamFrom } from './stream.ts'

interface Waiting {
  readonly slot: number
  readonly from: StreamFrom
  readonly isLate: boolean
  /** The look before which it came. */
  readonly look: number
}

/** What a queue needs of the store. */
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
  /** Bounded by the streams that there is room for. */
  readonly #waiting = new Queue<Waiting>()
  /** Streams that are to begin, and have not. */
  #begun = 0
  #timer: Timer | null = null
  /** Looks whether there is room, since the start. Counted, not timed: when a process that was
   * stopped goes on, its clients are not to blame. */
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
   * The stream is to begin, now or when there is room. Hot path: once a stream.
   *
   * @param isLate it has waited for the log, in vain
   */
  add(slot: number, from: StreamFrom, isLate = false): void {
    // It gets nothing at once, so it need not wait.
    if (from === 'live') this.#begin(slot, from, isLate)
    else if (this.#waiting.length > 0 || this.#isFull) {
      this.#wait({ slot, from, isLate, look: this.#looks })
    } else {
      this.#begun++
      this.#begin(slot, from, isLate)
    }
  }

  /** A stream has begun, or never will, or will be added again. */
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
      this.#looks++
      if (this.#looks % LOOKS_PER_STALL_CHECK === 0) this.#store.delivery.cutStalled()
      this.#endLate()
      this.#goOn()
      if (this.#waiting.length > 0) this.#lookLater()
    }, roomCheckMs)
  }

  /** Ends those that have waited for too long, without a welcome: their clients may come again. */
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

  /** A stream that begins at once says so meanwhile; the loop goes on, and not a call in a call. */
  #goOn(): void {
    if (this.#isGoingOn) return
    this.#isGoingOn = true
    for (let left = resumeLimits.begunTogetherMax; left > 0 && !this.#isFull; left--) {
      const next = this.#waiting.shift()
      if (next === undefined) break
      // It was ended while it waited, and is not to have what came since.
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
