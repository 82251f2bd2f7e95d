// Whether bytes that come one by one are UTF-8 (RFC 3629, section 4). It holds none of them.

const [LOWEST, HIGHEST] = [0x80, 0xbf] as const

/** One line at a time. */
export class Utf8 {
  #isValid = true
  /** Bytes that the character still lacks. */
  #missing = 0
  /** What the next of them may be. */
  #from: number = LOWEST
  #to: number = HIGHEST

  get isValid(): boolean {
    return this.#isValid
  }

  /** Whether a character has begun and lacks bytes. */
  get isInside(): boolean {
    return this.#missing > 0
  }

  /** Takes the next byte; those of ASCII need not come while no character lacks any. */
  push(byte: number): void {
    if (this.#missing === 0) {
      this.#first(byte)
      return
    }
    if (byte < this.#from || byte > this.#to) this.#isValid = false
    this.#missing--
    this.#from = LOWEST
    this.#to = HIGHEST
  }

  /** A character must not end with the line. */
  end(): void {
    if (this.#missing > 0) this.#isValid = false
  }

  begin(): void {
    this.#isValid = true
    this.#missing = 0
    this.#from = LOWEST
    this.#to = HIGHEST
  }

  /** No character has two forms, none is a surrogate, and none is above U+10FFFF. */
  #first(byte: number): void {
    if (byte < LOWEST) return
    if (byte < 0xc2 || byte > 0xf4) this.#isValid = false
    else if (byte < 0xe0) this.#missing = 1
    else if (byte < 0xf0) this.#missing = 2
    else this.#missing = 3
    if (byte === 0xe0) this.#from = 0xa0
    if (byte === 0xed) this.#to = 0x9f
    if (byte === 0xf0) this.#from = 0x90
    if (byte === 0xf4) this.#to = 0x8f
  }
}
