// Records on the link between parent and worker: a length, a kind and bytes, written one after
// another into one buffer and read back out of however many parts they arrive in.

import { ByteBuffer } from '../core/bytes.ts'

/** A length and a kind, four bytes each. */
export const HEAD_BYTES = 8
const FIRST_BYTES = 4096
const NUMBERS = 2 ** 32
/** A larger buffer is released once it is empty. */
const KEPT_BYTES = 256 * 1024

/** Records that wait to be sent. Hot path: a few numbers and one copy a frame. */
export class RecordWriter extends ByteBuffer {
  /** Where the record that is being written begins. */
  #start = 0

  constructor() {
    super(FIRST_BYTES)
  }

  begin(kind: number): void {
    this.#start = this.length
    this.appendUint32(0, true).appendUint32(kind, true)
  }

  number(value: number): void {
    this.appendUint32(value, true)
  }

  /** A number of up to 53 bits, in two of 32. */
  longNumber(value: number): void {
    this.appendUint32(value >>> 0, true).appendUint32(Math.floor(value / NUMBERS), true)
  }

  bytes(bytes: Uint8Array): void {
    this.append(bytes)
  }

  /** Ends the record. Returns its bytes, head included. */
  end(): number {
    const recordBytes = this.length - this.#start
    this.setUint32(this.#start, recordBytes - HEAD_BYTES, true)
    return recordBytes
  }

  /** Everything that waits, as a view that is valid until the next change. */
  waiting(): Uint8Array {
    return this.view()
  }

  /** The first `count` bytes have been sent. */
  sent(count: number): void {
    this.consume(count)
    if (this.length === 0 && this.capacity > KEPT_BYTES) this.clear()
  }
}

/**
 * One record as it is read: its kind, and where its bytes lie, valid until the callback returns.
 */
export interface RecordBytes {
  readonly kind: number
  readonly bytes: Uint8Array
  readonly view: DataView
}

/** Reads what {@link RecordWriter.longNumber} has written. */
export function longNumberAt(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * NUMBERS
}

export class RecordReader {
  readonly #held = new ByteBuffer()
  readonly #onRecord: (record: RecordBytes) => void

  constructor(onRecord: (record: RecordBytes) => void) {
    this.#onRecord = onRecord
  }

  /** Reads what has arrived; what is incomplete is kept until the rest comes. */
  push(part: Uint8Array): void {
    if (this.#held.length === 0) {
      const read = this.#readAll(part)
      if (read < part.length) this.#held.append(part.subarray(read))
      return
    }
    this.#held.append(part)
    const all = this.#held.view()
    const read = this.#readAll(all)
    if (read === 0) return
    this.#held.clear()
    if (read < all.length) this.#held.append(all.subarray(read))
  }

  /** Answers how many bytes whole records took. */
  #readAll(part: Uint8Array): number {
    const view = new DataView(part.buffer, part.byteOffset, part.length)
    let at = 0
    while (part.length - at >= HEAD_BYTES) {
      const length = view.getUint32(at, true)
      const start = at + HEAD_BYTES
      if (part.length - start < length) break
      this.#onRecord({
        kind: view.getUint32(at + 4, true),
        bytes: part.subarray(start, start + length),
        view: new DataView(part.buffer, part.byteOffset + start, length),
      })
      at = start + length
    }
    return at
  }
}
