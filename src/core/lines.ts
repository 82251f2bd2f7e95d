// Cuts a stream of bytes into lines, holding no more than one incomplete line.
// What a line means is its caller's business.

import { ByteBuffer } from './bytes.ts'

const NEWLINE = 0x0a

/** Told of each line, without its newline; `null` for one that is longer than allowed. */
export type OnLine = (line: Uint8Array | null, number: number) => void

export class LineSplitter {
  readonly #lineBytesMax: number
  readonly #onLine: OnLine
  /** The beginning of a line whose end has not come yet. */
  readonly #held = new ByteBuffer()
  #tooLong = false
  #number = 0

  constructor(lineBytesMax: number, onLine: OnLine) {
    this.#lineBytesMax = lineBytesMax
    this.#onLine = onLine
  }

  /** Takes the next bytes; the lines they complete are views of them where possible. */
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

  /** The bytes are over: a last line without its newline counts too. */
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
      // Hot path: the line is a view of what has just come.
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
