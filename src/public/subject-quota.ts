// How many subjects streams may ask to follow: one that follows others and others would have the
// server keep all of their names for a while. Two bytes a stream, none before the first that asks.

import type { Clock } from '../core/clock.ts'
import { websocketLimits } from '../core/limits.ts'
import { grown } from '../core/typed-array.ts'

const { subjectsPerWindowMax, windowMs } = websocketLimits

export class SubjectQuota {
  readonly #clock: Clock
  /** By slot, how many it has asked for since the window began. */
  #asked = new Uint16Array(0)
  #beganMs: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#beganMs = clock.elapsedMs()
  }

  /** The stream asks for so many more. False if those are too many for now. */
  take(slot: number, count: number): boolean {
    const nowMs = this.#clock.elapsedMs()
    if (nowMs - this.#beganMs >= windowMs) {
      this.#beganMs = nowMs
      this.#asked.fill(0)
    }
    if (slot >= this.#asked.length) {
      this.#asked = grown(this.#asked, Math.max(slot + 1, 2 * this.#asked.length))
    }
    const asked = (this.#asked[slot] as number) + count
    if (asked > subjectsPerWindowMax) return false
    this.#asked[slot] = asked
    return true
  }

  /** The slot may have another stream next. */
  onClose(slot: number): void {
    if (slot < this.#asked.length) this.#asked[slot] = 0
  }
}
