// Writes Erlang terms, one after the other, into a growing buffer.

import { ByteBuffer } from '../core/bytes.ts'
import { TAG, TERM_VERSION } from './term-scanner.ts'

const encoder = new TextEncoder()

export class TermWriter extends ByteBuffer {
  /** Begins a term that stands alone. */
  version(): this {
    return this.appendByte(TERM_VERSION)
  }

  /** @param arity below 256; the largest tuple of comet has six elements */
  tuple(arity: number): this {
    return this.appendByte(TAG.smallTuple).appendByte(arity)
  }

  /** The elements follow, and then the tail. */
  list(length: number): this {
    return length === 0 ? this : this.appendByte(TAG.list).appendUint32(length)
  }

  nil(): this {
    return this.appendByte(TAG.nil)
  }

  /** @param name less than 256 bytes as UTF-8 */
  atom(name: string): this {
    const bytes = encoder.encode(name)
    return this.appendByte(TAG.smallAtomUtf8).appendByte(bytes.length).append(bytes)
  }

  /** @param value a safe integer, not negative */
  integer(value: number): this {
    if (value < 256) return this.appendByte(TAG.smallInteger).appendByte(value)
    if (value < 2 ** 31) return this.appendByte(TAG.integer).appendUint32(value)
    this.appendByte(TAG.smallBig).appendByte(8).appendByte(0)
    return this.appendUint32(value % 2 ** 32, true).appendUint32(Math.floor(value / 2 ** 32), true)
  }

  binary(text: string): this {
    const bytes = encoder.encode(text)
    return this.appendByte(TAG.binary).appendUint32(bytes.length).append(bytes)
  }
}
