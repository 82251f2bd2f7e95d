// Waits until few enough things are under way: requests, bytes, messages without an answer. Its
// owner counts them.

export class Waiter {
  #promise: Promise<void> | null = null
  #resolve: (() => void) | null = null
  #countMax = 0

  /**
   * Returns a promise that settles at the next {@link update} with no more than `countMax`. All who
   * wait at the same time share one, at the lowest count that any of them waits for.
   */
  wait(countMax = 0): Promise<void> {
    if (this.#promise === null) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#promise = promise
      this.#resolve = resolve
      this.#countMax = countMax
    }
    this.#countMax = Math.min(this.#countMax, countMax)
    return this.#promise
  }

  /** To be called whenever the count falls. Hot path: does nothing while nothing waits. */
  update(count: number): void {
    if (this.#resolve !== null && count <= this.#countMax) this.wake()
  }

  /** Settles the promise at any count. */
  wake(): void {
    const resolve = this.#resolve
    this.#promise = null
    this.#resolve = null
    resolve?.()
  }
}
