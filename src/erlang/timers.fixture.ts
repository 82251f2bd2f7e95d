// Timers of chosen lengths that run when the test says so, instead of when their time has come: for
// bounds of seconds, which no test is to wait for. All other timers run as always.

export class CaughtTimers implements Disposable {
  /** Milliseconds of each that was set, in order. */
  readonly delays: number[] = []
  /** Those that have neither run nor been cleared. */
  readonly #waiting = new Map<unknown, () => void>()
  readonly #restore: () => void

  /** Catches what is set from now on with such a length. */
  constructor(isCaught: (delayMs: number) => boolean) {
    const { setTimeout: set, clearTimeout: clear } = globalThis
    const setting = (run: () => void, delayMs = 0) => {
      if (!isCaught(delayMs)) return set(run, delayMs)
      // It stands for a timer, and is one that never comes.
      const timer = set(() => undefined, 0)
      clear(timer)
      this.delays.push(delayMs)
      this.#waiting.set(timer, run)
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

  /** Lets all that wait run. */
  fire(): void {
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const run of waiting) run()
  }

  [Symbol.dispose](): void {
    this.#restore()
  }
}
