// How late this process's loop is: what a timer had to wait beyond its time, everybody else waits too.
// One timer a process; who tells of the figures, and what follows from them, others decide.

import type { Clock } from './clock.ts'
import { Histogram, type HistogramFigures } from './histogram.ts'
import { figureLimits } from './limits.ts'

const { loopLookMs } = figureLimits

/** Of its histogram. Bun's timers are a millisecond late by themselves; few, since each worker tells
 * all of them once a second. */
export const LAG_BOUNDS_SECONDS = [0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

export class LoopWatch {
  readonly #clock: Clock
  readonly #lag = new Histogram(LAG_BOUNDS_SECONDS)
  /** When the next look is due. */
  #dueMs: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#dueMs = clock.elapsedMs() + loopLookMs
  }

  /** Looks from now on; the timer keeps no process alive. */
  start(): void {
    // A whole number upwards: Bun cuts fractions off, and a timer that is early has to run twice.
    const waitMs = Math.ceil(Math.max(0, this.#dueMs - this.#clock.elapsedMs()))
    const timer = setTimeout(() => {
      this.look()
      this.start()
    }, waitMs)
    timer.unref()
  }

  /**
   * Records how late this look is, and how late every other is that was due meanwhile: a loop that
   * stood still for five seconds would have let somebody wait at each moment of them.
   */
  look(): void {
    const nowMs = this.#clock.elapsedMs()
    for (; this.#dueMs <= nowMs; this.#dueMs += loopLookMs) {
      this.#lag.record((nowMs - this.#dueMs) / 1000)
    }
  }

  /** How long a look has been due by now; 0 if none is. */
  get lateMs(): number {
    return Math.max(0, this.#clock.elapsedMs() - this.#dueMs)
  }

  /** How late the loop was, in seconds. */
  figures(): HistogramFigures {
    return this.#lag.figures()
  }
}
