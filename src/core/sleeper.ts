// Waits that end early when their owner stops.

import { settledWithin } from './deadline.ts'

export class Sleeper {
  #isStopped = false
  #wake: (() => void) | null = null

  /** Settles after `ms`, or as soon as this is stopped. One wait at a time. */
  async sleep(ms: number): Promise<void> {
    if (this.#isStopped) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wake = resolve
    await settledWithin(promise, ms)
    this.#wake = null
  }

  /** Ends the wait under way, and all later ones at once. */
  stop(): void {
    this.#isStopped = true
    this.#wake?.()
  }
}
