// Reads JSON (RFC 8259) in place: strictly, without a string or an object of it. What its caller
// needs of a value is where it lies.

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a
const BRACE = 0x7b
const BRACE_END = 0x7d
const BRACKET = 0x5b
const BRACKET_END = 0x5d
const MINUS = 0x2d
const PLUS = 0x2b
const DOT = 0x2e
const ZERO = 0x30
const LETTER_U = 0x75
const LETTER_E = 0x65
const UPPER_E = 0x45

/** Letters behind a backslash: `"`, `\`, `/`, b, f, n, r, t. */
const ESCAPES: ReadonlySet<number> = new Set([0x22, 0x5c, 0x2f, 0x62, 0x66, 0x6e, 0x72, 0x74])

const LITERALS = ['true', 'false', 'null'].map((word) => Buffer.from(word))

/** Values within each other: a body has 64 KiB, and each takes a byte at least. */
const DEPTH_MAX = 65_536

/** Reads one text after another. Each method answers whether what it reads is there and valid. */
export class JsonReader {
  /** Where the next byte is. */
  at = 0
  /** Where the last string is, without its quotes; or any other value. */
  start = 0
  end = 0
  /** Did it have bytes beyond ASCII? Then the caller is to check that they are UTF-8. */
  hasHighBytes = false
  #bytes: Uint8Array = new Uint8Array(0)
  #until = 0
  /** The brackets that are open; made for the first value that has some. */
  #open: Uint8Array | null = null

  begin(bytes: Uint8Array, start: number, end: number): void {
    this.#bytes = bytes
    this.at = start
    this.#until = end
    this.hasHighBytes = false
  }

  /** Is nothing left but white space? */
  isOver(): boolean {
    this.#skipSpace()
    return this.at >= this.#until
  }

  /** The next byte of the text, behind white space; -1 at its end. */
  peek(): number {
    this.#skipSpace()
    return this.at < this.#until ? (this.#bytes[this.at] as number) : -1
  }

  /** Passes over this byte if it is the next one. */
  take(byte: number): boolean {
    if (this.peek() !== byte) return false
    this.at++
    return true
  }

  /** A key of an object, with the colon behind it. */
  key(): boolean {
    return this.string() && this.take(COLON)
  }

  /** Hot path: once a message, over each of its bytes. */
  string(): boolean {
    if (!this.take(QUOTE)) return false
    const bytes = this.#bytes
    this.start = this.at
    for (let at = this.at; at < this.#until; at++) {
      const byte = bytes[at] as number
      if (byte === QUOTE) {
        this.end = at
        this.at = at + 1
        return true
      }
      if (byte < 0x20) return false
      if (byte >= 0x80) this.hasHighBytes = true
      else if (byte === BACKSLASH) {
        at = this.#endOfEscape(at + 1)
        if (at < 0) return false
      }
    }
    return false
  }

  /** The last byte of an escape; -1 if it is none. */
  #endOfEscape(at: number): number {
    if (at >= this.#until) return -1
    const byte = this.#bytes[at] as number
    if (byte !== LETTER_U) return ESCAPES.has(byte) ? at : -1
    if (at + 4 >= this.#until) return -1
    for (let digit = 1; digit <= 4; digit++) {
      if (!isHex(this.#bytes[at + digit] as number)) return -1
    }
    return at + 4
  }

  /** Any value. */
  value(): boolean {
    let depth = 0
    this.#skipSpace()
    const first = this.at
    for (;;) {
      const byte = this.peek()
      if (byte === BRACE || byte === BRACKET) {
        if (depth === DEPTH_MAX) return false
        this.at++
        this.#open ??= new Uint8Array(DEPTH_MAX)
        const closing = byte === BRACE ? BRACE_END : BRACKET_END
        if (!this.take(closing)) {
          this.#open[depth++] = closing
          if (closing === BRACE_END && !this.key()) return false
          continue
        }
      } else if (!this.#scalar(byte)) return false
      depth = this.#close(depth)
      if (depth < 0) return false
      if (depth === 0) break
    }
    this.start = first
    this.end = this.at
    return true
  }

  /** Behind a value: closes what ends here. Answers how many brackets are open, -1 for a fault. */
  #close(open: number): number {
    for (let depth = open; depth > 0; depth--) {
      const closing = this.#open?.[depth - 1] as number
      if (this.take(COMMA)) return closing === BRACE_END && !this.key() ? -1 : depth
      if (!this.take(closing)) return -1
    }
    return 0
  }

  #scalar(byte: number): boolean {
    if (byte === QUOTE) return this.string()
    if (byte === MINUS || isDigit(byte)) return this.#number()
    return LITERALS.some((word) => this.#word(word))
  }

  #word(word: Uint8Array): boolean {
    if (!isAt(this.#bytes, this.at, this.#until, word)) return false
    this.at += word.length
    return true
  }

  /** RFC 8259 section 6. */
  #number(): boolean {
    if (this.#here() === MINUS) this.at++
    if (this.#here() === ZERO) this.at++
    else if (!this.#digits()) return false
    if (this.#here() === DOT) {
      this.at++
      if (!this.#digits()) return false
    }
    if (this.#here() !== LETTER_E && this.#here() !== UPPER_E) return true
    this.at++
    if (this.#here() === PLUS || this.#here() === MINUS) this.at++
    return this.#digits()
  }

  #digits(): boolean {
    const from = this.at
    while (isDigit(this.#here())) this.at++
    return this.at > from
  }

  #here(): number {
    return this.at < this.#until ? (this.#bytes[this.at] as number) : -1
  }

  #skipSpace(): void {
    for (; this.at < this.#until; this.at++) {
      const byte = this.#bytes[this.at]
      if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d) return
    }
  }
}

/** Are these bytes there, before `until`? */
export function isAt(bytes: Uint8Array, at: number, until: number, wanted: Uint8Array): boolean {
  if (until - at < wanted.length) return false
  for (let place = 0; place < wanted.length; place++) {
    if (bytes[at + place] !== wanted[place]) return false
  }
  return true
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= 0x39
}

function isHex(byte: number): boolean {
  const lower = byte | 0x20
  return isDigit(byte) || (lower >= 0x61 && lower <= 0x66)
}
