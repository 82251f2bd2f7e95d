// The `Stream-Cursor` of the format `poll` (Durable Streams, section 10.1): the number of an
// interval of time. A client repeats it in the address of its next request, so that a cache may
// answer the requests of an interval together, and answers none for ever.

import type { Clock } from '../core/clock.ts'
import { longPollLimits } from '../core/poll-limits.ts'

/** From where on the protocol counts intervals. */
const EPOCH_MS = Date.UTC(2024, 9, 9)
const { intervalMs, jitterSecondsMax, digitsMax } = longPollLimits
const JITTER_MAX = (jitterSecondsMax * 1_000) / intervalMs
const TOLD = new RegExp(`^\\d{1,${digitsMax}}$`)

export class CollapsingCursor {
  readonly #clock: Pick<Clock, 'nowMs'>
  readonly #random: () => number
  /** The highest that the clients of streams were told. */
  #highest = 0

  /** @param random from 0 to below 1 */
  constructor(clock: Pick<Clock, 'nowMs'>, random: () => number) {
    this.#clock = clock
    this.#random = random
  }

  get #interval(): number {
    return Math.floor((this.#clock.nowMs() - EPOCH_MS) / intervalMs)
  }

  /** For an answer: above that of its request, so that the next request is another one. */
  above(requested: string | null): number {
    const interval = this.#interval
    // What is no such number was never told.
    const last = requested !== null && TOLD.test(requested) ? Number(requested) : 0
    if (last < interval) return interval
    return last + 1 + Math.floor(this.#random() * JITTER_MAX)
  }

  /** A stream begins whose client was told this one last; those of {@link live} are above it. */
  raise(requested: string | null): void {
    this.#highest = Math.max(this.#highest, this.above(requested))
  }

  /** For all streams alike: no client of one has been told a higher one. */
  live(): number {
    return Math.max(this.#highest, this.#interval)
  }
}
