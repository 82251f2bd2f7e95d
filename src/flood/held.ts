// The bytes of a message, or of a head, that has not come whole. There is one only while that is
// so: most streams hold nothing most of the time.

/** For a reader in pieces: the rest of the last piece is here. */
export interface Holder {
  held: Held | null
}

/** Bytes in a buffer that doubles, so that a message in a thousand pieces is not copied as often. */
export class Held {
  #buffer: Uint8Array
  #length: number

  /** Copies the bytes: the buffer that they came in is used again by the socket. */
  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#buffer = new Uint8Array(bytes.subarray(start, end))
    this.#length = end - start
  }

  get length(): number {
    return this.#length
  }

  /** What is held is before {@link length}. */
  get bytes(): Uint8Array {
    return this.#buffer
  }

  append(bytes: Uint8Array, start: number, end: number): void {
    const length = this.#length + end - start
    if (length > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(length, this.#buffer.length * 2))
      larger.set(this.#buffer.subarray(0, this.#length))
      this.#buffer = larger
    }
    this.#buffer.set(bytes.subarray(start, end), this.#length)
    this.#length = length
  }
}

/** Adds bytes to what is held. */
export function hold(holder: Holder, bytes: Uint8Array, start: number, end: number): void {
  if (holder.held === null) holder.held = new Held(bytes, start, end)
  else holder.held.append(bytes, start, end)
}

/** The bytes that are held, in a buffer of their own, and nothing any more afterwards. */
export function release(holder: Holder): Uint8Array | null {
  const { held } = holder
  holder.held = null
  return held === null ? null : held.bytes.subarray(0, held.length)
}
