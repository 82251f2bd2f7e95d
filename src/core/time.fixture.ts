// Time for tests: a clock that a test moves by hand, and a wait for a condition instead of a sleep.

import type { Clock } from './clock.ts'

/** Starts at a fixed moment and moves only when told. */
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

/** Milliseconds after which a condition that does not come true fails its test. */
const PATIENCE_MS = 4_000

/** Settles as soon as the condition holds; the text says what was waited for in vain. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + PATIENCE_MS
  while (!condition()) {
    if (performance.now() > deadlineMs) throw new Error(`waited in vain until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}
