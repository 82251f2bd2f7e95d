// The time of the log: that of the last entry read, by the clock of Redis.

import type { Clock } from '../core/clock.ts'

/** Lets keys expire at the same entry on all nodes. */
export class EntryClock implements Clock {
  seconds = 0

  nowMs(): number {
    return this.seconds * 1_000
  }

  elapsedMs(): number {
    return this.nowMs()
  }
}
