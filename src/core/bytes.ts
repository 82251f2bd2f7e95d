// Bytes that are held until the rest of them comes: one buffer that grows, however small the parts
// are that they come in. Its owner says how many may be held.

/** Most lines and messages are shorter than this. */
const FIRST_BYTES = 256

export class HeldBytes {
  #buffer = new Uint8Array(0)
  #length = 0

  get length(): number {
    return this.#length
  }

  /** Adds a copy of the bytes; the buffer that they are a view of belongs to the connection. */
  add(bytes: Uint8Array): void {
    const length = this.#length + bytes.length
    if (length > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(FIRST_BYTES, length, this.#buffer.length * 2))
      larger.set(this.#buffer.subarray(0, this.#length))
      this.#buffer = larger
    }
    this.#buffer.set(bytes, this.#length)
    this.#length = length
  }

  /** All that is held, as a view that is good until the next change. */
  view(): Uint8Array {
    return this.#buffer.subarray(0, this.#length)
  }

  /** Lets go of the bytes, and of the buffer with them. */
  clear(): void {
    this.#buffer = new Uint8Array(0)
    this.#length = 0
  }
}
