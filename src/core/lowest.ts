// The lowest of many numbers, without sorting all of them.

/**
 * Collects the lowest of the numbers that it is given. Takes time for each of them, and for sorting
 * only now and then: of numbers in any order most are soon too high.
 */
export class LowestNumbers {
  readonly #count: number
  readonly #found: Uint32Array
  #length = 0
  /** From here on they are too high. */
  #limit = Number.POSITIVE_INFINITY

  /** @param count how many of them are wanted */
  constructor(count: number) {
    this.#count = count
    this.#found = new Uint32Array(4 * count)
  }

  add(number: number): void {
    if (number >= this.#limit) return
    this.#found[this.#length++] = number
    if (this.#length === this.#found.length) this.#shorten()
  }

  /** Those so far, in order and each once. */
  take(): Uint32Array {
    this.#shorten()
    return this.#found.subarray(0, this.#length)
  }

  #shorten(): void {
    const found = this.#found
    const sorted = found.subarray(0, this.#length).sort()
    let kept = 0
    for (let at = 0; at < sorted.length && kept < this.#count; at++) {
      if (at === 0 || sorted[at] !== sorted[at - 1]) found[kept++] = sorted[at] as number
    }
    this.#length = kept
    if (kept === this.#count) this.#limit = found[kept - 1] as number
  }
}
