// How fast the many messages of one publisher are taken: no faster than the streams take them, and
// with turns of the event loop for all others in between.

import type { Clock } from '../core/clock.ts'
import { messageLimits } from '../core/limits.ts'
import type { Receipt } from './receipt.ts'
import type { Router } from './router.ts'

export class Backpressure {
  readonly #router: Router
  readonly #clock: Clock
  #turnEndsMs = 0

  constructor(router: Router, clock: Clock) {
    this.#router = router
    this.#clock = clock
    this.begin()
  }

  /** Starts a turn: the publisher has sent more, after others had their turn. */
  begin(): void {
    this.#turnEndsMs = this.#clock.elapsedMs() + messageLimits.turnMsMax
  }

  /**
   * What is to be awaited between two of the publisher's slices: streams that are behind, receipts
   * that are far too many, or all others, when this turn has been long enough. Null if nothing.
   */
  next(receipt: Receipt): Promise<void> | null {
    const ready = this.#router.ready()
    if (ready !== null) return ready
    const { pendingMax } = messageLimits
    if (receipt.pending > pendingMax) return receipt.pendingBelow(pendingMax / 2)
    return this.#clock.elapsedMs() < this.#turnEndsMs ? null : this.#giveTurn()
  }

  async #giveTurn(): Promise<void> {
    await new Promise(setImmediate)
    this.begin()
  }
}
