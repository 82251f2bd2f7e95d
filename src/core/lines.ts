// Splits a stream of bytes into lines; buffers at most one incomplete line.

import { ByteBuffer } from './bytes.ts'

const NEWLINE = 0x0a

/** Called with each line, without its newline; with null for a line that is too long. */
export type OnLine = (line: Uint8Array | null, number: number) => void

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

  /** Takes the next bytes; a line that lies within them is passed on as a view, without a copy. */
  push(bytes: Uint8Array): void {
    let start = 0
    for (;;) {
      const end = bytes.indexOf(NEWLINE, start)
      if (end < 0) break
      this.#complete(bytes.subarray(start, end))
      start = end + 1
    }
    if (start < bytes.length) this.#hold(bytes.subarray(start))
  }

  /** No more bytes follow: a last line without a newline counts too. */
  end(): void {
    if (this.#held.length > 0 || this.#tooLong) this.#complete(new Uint8Array(0))
  }

  #hold(bytes: Uint8Array): void {
    if (this.#held.length + bytes.length > this.#lineBytesMax) {
      this.#tooLong = true
      this.#held.clear()
    }
    if (!this.#tooLong) this.#held.append(bytes)
  }

  #complete(rest: Uint8Array): void {
    this.#number++
    if (this.#tooLong || this.#held.length + rest.length > this.#lineBytesMax) {
      this.#onLine(null, this.#number)
    } else if (this.#held.length === 0) {
      // Hot path: the whole line is in these bytes.
      this.#onLine(rest, this.#number)
      return
    } else {
      this.#held.append(rest)
      this.#onLine(this.#held.view(), this.#number)
    }
    this.#held.clear()
    this.#tooLong = false
  }
}
