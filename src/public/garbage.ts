// Collects the garbage of a burst of new streams once it is over: the request of each, what read
// it, and Bun's socket. Bun 1.4.5 does so itself 10 to 25 s later, or not before more happens.

import { garbageLimits } from '../core/limits.ts'

const { openedMin, burstMin } = garbageLimits

export interface BurstCollectorOptions {
  /** Streams opened since the start. */
  readonly opened: () => number
  readonly collect: () => void
  /** Milliseconds between two looks while streams open. */
  readonly lookEveryMs?: number
}

export class BurstCollector {
  readonly #options: BurstCollectorOptions
  #timer: Timer | null = null
  /** Streams opened by the last collection, and by the last look. */
  #collected = 0
  #looked = 0
  #isStopped = false

  constructor(options: BurstCollectorOptions) {
    this.#options = options
  }

  /** Called for each connection; has one timer while there is something to wait for. */
  onAccepted(): void {
    if (this.#timer === null && !this.#isStopped) this.#lookLater()
  }

  #lookLater(): void {
    const { lookEveryMs = garbageLimits.lookEveryMs } = this.#options
    this.#timer = setTimeout(() => this.look(), lookEveryMs)
    this.#timer.unref()
  }

  /** Collects if a burst is over; looks again while one lasts. */
  look(): void {
    this.#timer = null
    const opened = this.#options.opened()
    const isBurst = opened - this.#looked >= burstMin
    this.#looked = opened
    if (isBurst) this.#lookLater()
    else if (opened - this.#collected >= openedMin) {
      this.#collected = opened
      this.#options.collect()
    }
  }

  stop(): void {
    this.#isStopped = true
    if (this.#timer !== null) clearTimeout(this.#timer)
  }
}
