// Writes Erlang terms, as many as one answer has, into one buffer that grows. What they mean it does
// not know.

import { TAG, TERM_VERSION } from './tags.ts'

const encoder = new TextEncoder()

export class TermWriter {
  #bytes = new Uint8Array(256)
  #view = new DataView(this.#bytes.buffer)
  #at = 0

  /** What has been written since the last time; good until the next write. */
  take(): Uint8Array {
    const { length } = this
    this.#at = 0
    return this.#bytes.subarray(0, length)
  }

  get length(): number {
    return this.#at
  }

  /** Begins a term that stands alone. */
  version(): this {
    return this.byte(TERM_VERSION)
  }

  tuple(terms: number): this {
    // The longest of comet's has six.
    return this.byte(TAG.smallTuple).byte(terms)
  }

  /** A list of so many terms that follow, and then its tail. */
  list(terms: number): this {
    return terms === 0 ? this : this.byte(TAG.list).uint32(terms)
  }

  nil(): this {
    return this.byte(TAG.nil)
  }

  /** An atom of ASCII, or of so few other characters that it has less than 256 bytes. */
  atom(name: string): this {
    const bytes = encoder.encode(name)
    return this.byte(TAG.smallAtomUtf8).byte(bytes.length).raw(bytes)
  }

  /** A whole number from 0 on that a number holds exactly. */
  integer(value: number): this {
    if (value < 256) return this.byte(TAG.smallInteger).byte(value)
    if (value < 2 ** 31) return this.byte(TAG.integer).uint32(value)
    this.byte(TAG.smallBig).byte(8).byte(0)
    for (let rest = value, byte = 0; byte < 8; byte++, rest = Math.floor(rest / 256)) {
      this.byte(rest % 256)
    }
    return this
  }

  binary(text: string): this {
    const bytes = encoder.encode(text)
    return this.byte(TAG.binary).uint32(bytes.length).raw(bytes)
  }

  /** A term, or part of one, whose bytes are known. */
  raw(bytes: Uint8Array): this {
    this.#grow(bytes.length)
    this.#bytes.set(bytes, this.#at)
    this.#at += bytes.length
    return this
  }

  byte(value: number): this {
    this.#grow(1)
    this.#bytes[this.#at++] = value
    return this
  }

  uint32(value: number): this {
    this.#grow(4)
    this.#view.setUint32(this.#at, value)
    this.#at += 4
    return this
  }

  /** Puts a number where four bytes were left for it, when it is known. */
  uint32At(at: number, value: number): void {
    this.#view.setUint32(at, value)
  }

  #grow(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return
    const larger = new Uint8Array(Math.max(this.#at + bytes, this.#bytes.length * 2))
    larger.set(this.#bytes.subarray(0, this.#at))
    this.#bytes = larger
    this.#view = new DataView(larger.buffer)
  }
}
