// A first-in first-out queue that may be long: the head is an index, since moving all others down
// each time would cost more.

/** Removed items that are kept in the array at most, before the others are moved down. */
const REMOVED_MAX = 64

export class Queue<T> {
  #items: (T | undefined)[] = []
  #head = 0

  get length(): number {
    return this.#items.length - this.#head
  }

  push(item: T): void {
    this.#items.push(item)
  }

  /** The item at `index`, counted from the head. */
  at(index: number): T | undefined {
    return this.#items[this.#head + index]
  }

  /** Removes and returns the item at the head. */
  shift(): T | undefined {
    const item = this.#items[this.#head]
    if (this.#head === this.#items.length) return undefined
    // Only what waits is kept from the garbage collector.
    this.#items[this.#head++] = undefined
    if (this.#head > REMOVED_MAX && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    return item
  }

  clear(): void {
    this.#items = []
    this.#head = 0
  }
}
