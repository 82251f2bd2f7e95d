// Cuts a stream of bytes into lines, holding no more than one incomplete line.
// What a line means is its caller's business.

const NEWLINE = 0x0a

/** Told of each line, without its newline; `null` for one that is longer than allowed. */
export type OnLine = (line: Uint8Array | null, number: number) => void

export class LineSplitter {
  readonly #lineBytesMax: number
  readonly #onLine: OnLine
  /** The beginning of a line whose end has not come yet. */
  #held: Uint8Array[] = []
  #heldBytes = 0
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
    if (this.#heldBytes > 0 || this.#tooLong) this.#complete(new Uint8Array(0))
  }

  #hold(bytes: Uint8Array): void {
    if (this.#heldBytes + bytes.length > this.#lineBytesMax) {
      this.#tooLong = true
      this.#held = []
      this.#heldBytes = 0
    }
    if (this.#tooLong) return
    // A copy, since the buffer it is a view of belongs to the connection. Not slice(), which for a
    // Buffer is but another view.
    this.#held.push(new Uint8Array(bytes))
    this.#heldBytes += bytes.length
  }

  #complete(rest: Uint8Array): void {
    this.#number++
    const tooLong = this.#tooLong || this.#heldBytes + rest.length > this.#lineBytesMax
    if (tooLong) this.#onLine(null, this.#number)
    else this.#onLine(this.#heldBytes === 0 ? rest : this.#joined(rest), this.#number)
    this.#held = []
    this.#heldBytes = 0
    this.#tooLong = false
  }

  #joined(rest: Uint8Array): Uint8Array {
    const line = new Uint8Array(this.#heldBytes + rest.length)
    let at = 0
    for (const part of [...this.#held, rest]) {
      line.set(part, at)
      at += part.length
    }
    return line
  }
}
