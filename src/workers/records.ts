// Records on the link between parent and worker: a length, a kind and bytes, written one after the
// other into one buffer and read back out of however many parts they arrive in. What the kinds mean
// is not its business.

import { HeldBytes } from '../core/bytes.ts'

/** A length and a kind, four bytes each. */
export const HEAD_BYTES = 8
const FIRST_BYTES = 4096
/** A buffer that was needed once need not be kept for ever. */
const KEPT_BYTES = 256 * 1024

/** Records that wait to be sent. Hot path: a few numbers and one copy a frame. */
export class RecordWriter {
  #bytes = new Uint8Array(FIRST_BYTES)
  #view = new DataView(this.#bytes.buffer)
  #length = 0
  /** Where the record that is being written begins. */
  #start = 0

  /** Bytes that wait, those of an unfinished record included. */
  get length(): number {
    return this.#length
  }

  begin(kind: number): void {
    this.#start = this.#length
    this.#reserve(HEAD_BYTES)
    this.#view.setUint32(this.#length + 4, kind, true)
    this.#length += HEAD_BYTES
  }

  number(value: number): void {
    this.#reserve(4)
    this.#view.setUint32(this.#length, value, true)
    this.#length += 4
  }

  bytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  /** Ends the record. Answers its bytes, head included. */
  end(): number {
    const recordBytes = this.#length - this.#start
    this.#view.setUint32(this.#start, recordBytes - HEAD_BYTES, true)
    return recordBytes
  }

  /** Everything that waits, as a view that is good until the next change. */
  waiting(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  /** The first `count` bytes have been sent. */
  sent(count: number): void {
    this.#bytes.copyWithin(0, count, this.#length)
    this.#length -= count
    if (this.#length === 0 && this.#bytes.length > KEPT_BYTES) this.#resize(FIRST_BYTES)
  }

  #reserve(count: number): void {
    const needed = this.#length + count
    if (needed > this.#bytes.length) this.#resize(Math.max(needed, this.#bytes.length * 2))
  }

  #resize(size: number): void {
    const bytes = new Uint8Array(size)
    bytes.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer)
  }
}

/** One record as it is read: its kind, and where its bytes lie; good until the callback returns. */
export interface RecordBytes {
  readonly kind: number
  readonly bytes: Uint8Array
  readonly view: DataView
}

export class RecordReader {
  readonly #held = new HeldBytes()
  readonly #onRecord: (record: RecordBytes) => void

  constructor(onRecord: (record: RecordBytes) => void) {
    this.#onRecord = onRecord
  }

  /** Reads what has arrived; what is incomplete is kept until the rest comes. */
  push(part: Uint8Array): void {
    if (this.#held.length === 0) {
      const read = this.#readAll(part)
      if (read < part.length) this.#held.add(part.subarray(read))
      return
    }
    this.#held.add(part)
    const all = this.#held.view()
    const read = this.#readAll(all)
    if (read === 0) return
    this.#held.clear()
    if (read < all.length) this.#held.add(all.subarray(read))
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
