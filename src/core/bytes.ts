// A byte buffer that grows: for bytes that wait for the rest of their message, and for messages
// that are written piece by piece. Its owner bounds its length.

const EMPTY = new Uint8Array(0)
const EMPTY_VIEW = new DataView(EMPTY.buffer)
/** Most lines and messages are shorter than this. */
const FIRST_BYTES = 256

/** Some bytes of a piece of memory, without the view that `subarray` allocates. */
export interface ByteRange {
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
}

export function rangeOf(bytes: Uint8Array): ByteRange {
  return { bytes, start: 0, end: bytes.length }
}

export function viewOf({ bytes, start, end }: ByteRange): Uint8Array {
  return bytes.subarray(start, end)
}

/** The text of bytes that are ASCII; of all others a character each, as a key. */
export function latin1Of(bytes: Uint8Array, start: number, end: number): string {
  return latin1Slice.call(bytes, start, end)
}

/** Bun's types do not have it. It works on each `Uint8Array`, not only on a `Buffer`. */
const { latin1Slice } = Buffer.prototype as unknown as {
  latin1Slice(this: Uint8Array, start: number, end: number): string
}

/** Bytes of its own, also of a `Buffer`, whose `slice` shares its memory. */
export function copyOf(bytes: Uint8Array, start: number, end: number): Uint8Array<ArrayBuffer> {
  const length = end - start
  if (length > COPIED_ONE_BY_ONE_MAX) return slice.call(bytes, start, end)
  const copy = new Uint8Array(length)
  for (let at = 0; at < length; at++) copy[at] = bytes[start + at] as number
  return copy
}

/** Copies bytes to a place in others. */
export function copyInto(target: Uint8Array, start: number, bytes: Uint8Array): void {
  const { length } = bytes
  if (length > COPIED_ONE_BY_ONE_MAX) {
    target.set(bytes, start)
    return
  }
  for (let at = 0; at < length; at++) target[start + at] = bytes[at] as number
}

/** Digits of the largest safe integer. */
export const DECIMAL_DIGITS_MAX = 16

/** Writes a whole number from 0 on. Answers where its digits end. Hot path: once a message. */
export function writeDecimal(into: Uint8Array, start: number, value: number): number {
  let end = start + 1
  for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) end++
  let rest = value
  for (let at = end - 1; at >= start; at--) {
    into[at] = 0x30 + (rest % 10)
    rest = Math.floor(rest / 10)
  }
  return end
}

const { slice } = Uint8Array.prototype

/** Up to so many bytes, a call of the platform takes more time than a loop. */
const COPIED_ONE_BY_ONE_MAX = 64

/** Appending is on hot paths: one copy, and no allocation but when the buffer doubles. */
export class ByteBuffer {
  #bytes = EMPTY
  /** Of the same memory. With it, four bytes are written 2.5 times as fast as one by one. */
  #view = EMPTY_VIEW
  #length = 0
  readonly #firstBytes: number

  /** @param firstBytes the size of the first allocation, made when the first bytes are appended */
  constructor(firstBytes = FIRST_BYTES) {
    this.#firstBytes = firstBytes
  }

  get length(): number {
    return this.#length
  }

  /** Bytes of memory that it occupies. */
  get capacity(): number {
    return this.#bytes.length
  }

  /** Appends a copy: the argument may be a view of memory that a socket uses again. */
  append(bytes: Uint8Array): this {
    const end = this.#length + bytes.length
    if (end > this.#bytes.length) this.#grow(end)
    this.#bytes.set(bytes, this.#length)
    this.#length = end
    return this
  }

  appendByte(byte: number): this {
    if (this.#length === this.#bytes.length) this.#grow(this.#length + 1)
    this.#bytes[this.#length++] = byte
    return this
  }

  appendUint32(value: number, littleEndian = false): this {
    const at = this.#length
    if (at + 4 > this.#bytes.length) this.#grow(at + 4)
    this.#view.setUint32(at, value, littleEndian)
    this.#length = at + 4
    return this
  }

  /** Overwrites four bytes, such as a length that is known only after what it counts. */
  setUint32(at: number, value: number, littleEndian = false): void {
    this.#view.setUint32(at, value, littleEndian)
  }

  /** All bytes, as a view that is valid until the next change. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  /** All bytes, as a view that is valid until the next append; empties it and keeps its memory. */
  take(): Uint8Array {
    const bytes = this.view()
    this.#length = 0
    return bytes
  }

  /** Removes the first `count` bytes. */
  consume(count: number): void {
    this.#bytes.copyWithin(0, count, this.#length)
    this.#length -= count
  }

  /** Removes all bytes and gives up the memory: views that were handed out stay as they are. */
  clear(): void {
    this.#bytes = EMPTY
    this.#view = EMPTY_VIEW
    this.#length = 0
  }

  #grow(length: number): void {
    const larger = new Uint8Array(Math.max(this.#firstBytes, length, this.#bytes.length * 2))
    larger.set(this.view())
    this.#bytes = larger
    this.#view = new DataView(larger.buffer)
  }
}
