// Trying again what failed, with a delay that doubles.

export interface Backoff {
  /** Milliseconds after the first failure. */
  readonly firstMs: number
  readonly maxMs: number
}

/** Doublings after which any delay is above its bound; a delay of 0 times infinity would be NaN. */
const DOUBLINGS_MAX = 64

/** How long to wait after so many failures in a row, counted from 1; pure. */
export function backoffMs(failures: number, { firstMs, maxMs }: Backoff): number {
  return Math.min(maxMs, firstMs * 2 ** Math.min(failures - 1, DOUBLINGS_MAX))
}

/**
 * A wait between none and that one: so those who lost the same server do not come back together.
 *
 * @param random from 0 to 1
 */
export function jitteredMs(delayMs: number, random: () => number): number {
  return delayMs * random()
}

export interface RetryOptions extends Backoff {
  /** Milliseconds of success after which the next failure counts as the first. */
  readonly forgetMs: number
}

/** Runs something again after each failure that its owner reports. */
export class Retry {
  readonly #run: () => void
  readonly #options: RetryOptions
  #failures = 0
  #timer: Timer | null = null
  #isStopped = false

  constructor(run: () => void, options: RetryOptions) {
    this.#run = run
    this.#options = options
  }

  get isStopped(): boolean {
    return this.#isStopped
  }

  /**
   * Runs it again later.
   *
   * @param livedMs how long it succeeded until it failed; 0 if it did not
   * @returns in how many milliseconds; null if it was stopped
   */
  later(livedMs: number): number | null {
    if (this.#isStopped) return null
    if (livedMs >= this.#options.forgetMs) this.#failures = 0
    const delayMs = backoffMs(++this.#failures, this.#options)
    this.#timer = setTimeout(() => this.#run(), delayMs)
    return delayMs
  }

  /** Cancels the next run, when what it would do has happened by itself. */
  cancel(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  /** Cancels the next run and all after it. */
  stop(): void {
    this.#isStopped = true
    this.cancel()
  }
}
