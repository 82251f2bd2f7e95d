// Waits end: for something that grows, once it has not grown for a while, with how far it came.

import { formatCount } from '../../src/core/units.ts'

/** Seconds without progress after which waiting is in vain. */
const STILL_SECONDS_MAX = 30

/** Told how much there is, it throws once that has not grown for too long. */
export class Progress {
  readonly #wanted: number
  readonly #noun: string
  readonly #now: () => number
  #most = -1
  #grownMs = 0

  /** @param now milliseconds of a clock that only goes forward */
  constructor(wanted: number, noun: string, now: () => number = () => performance.now()) {
    this.#wanted = wanted
    this.#noun = noun
    this.#now = now
  }

  /** Is there as much as is wanted? */
  isDone(count: number): boolean {
    const nowMs = this.#now()
    if (count > this.#most) {
      this.#most = count
      this.#grownMs = nowMs
    } else if (count < this.#wanted && nowMs - this.#grownMs >= STILL_SECONDS_MAX * 1_000) {
      throw new Error(
        `${formatCount(count)} of ${formatCount(this.#wanted)} ${this.#noun}, ` +
          `no progress for ${STILL_SECONDS_MAX} s`,
      )
    }
    return count >= this.#wanted
  }
}
