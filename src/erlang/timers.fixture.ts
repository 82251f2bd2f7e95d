// Timers of chosen lengths that run when the test says so, for limits of seconds that a test must
// not wait for. All other timers run as usual.

import { erlangLimits } from '../core/limits.ts'

const { firstMs, maxMs } = erlangLimits.retry

/** The delays between attempts to connect or register, up to the longest. */
export const RETRY_DELAYS: readonly number[] = [1, 2, 4, 8, 16, 32, 64].map((times) =>
  Math.min(firstMs * times, maxMs),
)

export class CaughtTimers implements Disposable {
  /** Milliseconds of each caught timer, in the order in which they were set. */
  readonly delays: number[] = []
  /** Neither run nor cleared. */
  readonly #waiting = new Map<unknown, () => void>()
  readonly #restore: () => void

  /** Catches timers that are set from now on. */
  constructor(isCaught: (delayMs: number) => boolean) {
    const { setTimeout: set, clearTimeout: clear } = globalThis
    const setting = (run: (...values: unknown[]) => void, delayMs = 0, ...values: unknown[]) => {
      if (!isCaught(delayMs)) return set(run, delayMs, ...values)
      // A timer that never runs, in place of the caught one.
      const timer = set(() => undefined, 0)
      clear(timer)
      this.delays.push(delayMs)
      this.#waiting.set(timer, () => run(...values))
      return timer
    }
    const clearing = (timer?: unknown) => {
      this.#waiting.delete(timer)
      clear(timer as Timer | undefined)
    }
    globalThis.setTimeout = Object.assign(setting, set) as typeof setTimeout
    globalThis.clearTimeout = clearing
    this.#restore = () => {
      globalThis.setTimeout = set
      globalThis.clearTimeout = clear
    }
  }

  get waiting(): number {
    return this.#waiting.size
  }

  /** Runs all waiting timers. */
  fire(): void {
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const run of waiting) run()
  }

  [Symbol.dispose](): void {
    this.#restore()
  }
}

/** Catches the waits between attempts to connect or register. The time limit of a shutdown has the
 * length of one, too: a test that counts them waits until shutdowns are over. */
export function caughtRetries(): CaughtTimers {
  return new CaughtTimers((delayMs) => RETRY_DELAYS.includes(delayMs))
}
