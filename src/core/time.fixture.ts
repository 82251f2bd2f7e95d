// Time for tests: a clock that a test advances, and a wait for a condition instead of a sleep.

import type { Clock } from './clock.ts'

/** Starts at a fixed moment and moves only by {@link advance}. */
export class FakeClock implements Clock {
  #elapsedMs = 0
  readonly #startMs: number

  constructor(startMs = Date.UTC(2026, 0, 2, 3, 4, 5, 678)) {
    this.#startMs = startMs
  }

  nowMs(): number {
    return this.#startMs + this.#elapsedMs
  }

  elapsedMs(): number {
    return this.#elapsedMs
  }

  advance(ms: number): void {
    this.#elapsedMs += ms
  }
}

/** Milliseconds after which a condition that is still false fails its test. */
const UNTIL_MS_MAX = 4_000

/** Settles as soon as the condition is true; `what` describes it in the error of a timeout. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + UNTIL_MS_MAX
  while (!condition()) {
    if (performance.now() > deadlineMs) throw new Error(`timed out, waiting until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}
