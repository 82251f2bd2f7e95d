// Splits a stream of bytes into lines; buffers at most one incomplete line.

import { ByteBuffer, type ByteRange, rangeOf } from './bytes.ts'

const NEWLINE = 0x0a
const EMPTY = new Uint8Array(0)

/**
 * Called with each line, without its newline, valid during the call; with null for a line that is
 * too long.
 */
export type OnLine = (line: ByteRange | null, number: number) => void

export class LineSplitter {
  readonly #lineBytesMax: number
  readonly #onLine: OnLine
  /** The start of a line that is incomplete. */
  readonly #held = new ByteBuffer()
  #tooLong = false
  #number = 0

  constructor(lineBytesMax: number, onLine: OnLine) {
    this.#lineBytesMax = lineBytesMax
    this.#onLine = onLine
  }

  /** Takes the next bytes; a line that lies within them is passed on without a copy or a view. */
  push(bytes: Uint8Array): void {
    let start = 0
    for (;;) {
      const end = bytes.indexOf(NEWLINE, start)
      if (end < 0) break
      this.#complete(bytes, start, end)
      start = end + 1
    }
    if (start < bytes.length) this.#hold(bytes.subarray(start))
  }

  /** No more bytes follow: a last line without a newline counts too. */
  end(): void {
    if (this.#held.length > 0 || this.#tooLong) this.#complete(EMPTY, 0, 0)
  }

  #hold(bytes: Uint8Array): void {
    if (this.#held.length + bytes.length > this.#lineBytesMax) {
      this.#tooLong = true
      this.#held.clear()
    }
    if (!this.#tooLong) this.#held.append(bytes)
  }

  #complete(bytes: Uint8Array, start: number, end: number): void {
    this.#number++
    if (this.#tooLong || this.#held.length + end - start > this.#lineBytesMax) {
      this.#onLine(null, this.#number)
    } else if (this.#held.length === 0) {
      // Hot path: the whole line is in these bytes.
      this.#onLine({ bytes, start, end }, this.#number)
      return
    } else {
      this.#held.append(bytes.subarray(start, end))
      this.#onLine(rangeOf(this.#held.view()), this.#number)
    }
    this.#held.clear()
    this.#tooLong = false
  }
}
