// How fast one publisher's many messages are taken: no faster than the streams take them, and with
// turns for everybody else in between. What the messages are it does not know.

import type { Clock } from '../core/clock.ts'
import { messageLimits } from '../core/limits.ts'
import type { Receipt } from './receipt.ts'
import type { Router } from './router.ts'

export class Pace {
  readonly #router: Router
  readonly #clock: Clock
  #turnEndsMs = 0

  constructor(router: Router, clock: Clock) {
    this.#router = router
    this.#clock = clock
    this.begin()
  }

  /** The publisher has something again, after others had their turn. */
  begin(): void {
    this.#turnEndsMs = this.#clock.elapsedMs() + messageLimits.turnMsMax
  }

  /**
   * Between two of the publisher's slices: waits for streams that are behind and for receipts that
   * are far too many, and leaves the loop to others when this turn has been long enough.
   */
  async next(receipt: Receipt): Promise<void> {
    await this.#router.room()
    if (receipt.underWay > messageLimits.underWayMax) {
      await receipt.downTo(messageLimits.underWayMax / 2)
    }
    if (this.#clock.elapsedMs() < this.#turnEndsMs) return
    await new Promise(setImmediate)
    this.begin()
  }
}
