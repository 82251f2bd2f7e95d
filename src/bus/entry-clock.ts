// The time of the log: of the entry that was read last, by the clock of Redis.

import type { Clock } from '../core/clock.ts'

/** So that keys end on all nodes together. */
export class EntryClock implements Clock {
  seconds = 0

  nowMs(): number {
    return this.seconds * 1_000
  }

  elapsedMs(): number {
    return this.nowMs()
  }
}
