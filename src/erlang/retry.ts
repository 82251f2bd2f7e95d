// Tries something again and again with growing delay, while it fails. What it is, and when it has
// ended well for a while, its owner knows.

import { erlangLimits } from '../core/limits.ts'
import { backoffMs } from '../core/retry.ts'

const BACKOFF = { firstMs: erlangLimits.retryMs, maxMs: erlangLimits.retryMsMax }

export class Retry {
  readonly #run: () => void
  #failures = 0
  #timer: Timer | null = null
  #isStopped = false

  constructor(run: () => void) {
    this.#run = run
  }

  get isStopped(): boolean {
    return this.#isStopped
  }

  /**
   * Tries again later; answers in how many milliseconds.
   *
   * @param livedMs how long it had gone well, if it had
   */
  later(livedMs: number): number {
    if (livedMs >= erlangLimits.retryForgetMs) this.#failures = 0
    const delayMs = backoffMs(++this.#failures, BACKOFF)
    if (!this.#isStopped) this.#timer = setTimeout(() => this.#run(), delayMs)
    return delayMs
  }

  /** What was to be tried later has come about by itself. */
  cancel(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  /** Tries it no more. */
  stop(): void {
    this.#isStopped = true
    this.cancel()
  }
}
