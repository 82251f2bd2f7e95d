// Reads pairs of user ids from bytes as they come, a line `A B` says that A follows B. It must not
// know where the bytes come from nor where the pairs go, and makes no strings.

import { subscriptionLimits } from '../core/limits.ts'
import { Utf8 } from './utf8.ts'

const { lineBytesMax } = subscriptionLimits

/** Pairs that there is room for at first, as a small request has them. It doubles from there. */
const ROOM_AT_FIRST = 1_024

const TAB = 0x09
const NEWLINE = 0x0a
const RETURN = 0x0d
const SPACE = 0x20
const HASH = 0x23
const PERCENT = 0x25
const COMMA = 0x2c
const ZERO = 0x30
const DELETE = 0x7f
/** What some programs write before a text that is UTF-8. */
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf] as const

/** Where in a line the next byte stands, in this order. */
const [BEFORE, SUBSCRIBER, BETWEEN, SUBJECT, AFTER, RETURNED] = [0, 1, 2, 3, 4, 5] as const
/** In what does not count, up to the end of the line. */
const [COMMENT, MORE] = [6, 7] as const

/** Why a line is refused that has something behind its two ids. */
export const MORE_COLUMNS = 'more than two columns'

/** A line that is no pair; the first line is 1. */
export interface BadLine {
  readonly line: number
  readonly reason: string
}

export interface PairsOptions {
  /** The highest id there may be; at most 4,294,967,295. */
  readonly idMax: number
  /** Whether a line may have more columns behind its two ids, which say nothing. */
  readonly ignoresColumns?: boolean
  /** Bad lines named one by one. */
  readonly badListedMax?: number
}

/**
 * A line is two decimal ids from 1 to `idMax`, not the same, with spaces, tabs or a comma between
 * them. It ends with `\n` or `\r\n`, the last one also with the input. Blanks around the ids, lines of
 * blanks alone, lines that begin with `#` or `%` and a byte-order mark at the begin mean nothing.
 */
export class PairsReader {
  readonly #idMax: number
  readonly #badListedMax: number
  readonly #ignoresColumns: boolean
  #ids = new Uint32Array(2 * ROOM_AT_FIRST)
  /** How many of `#ids` are taken; a pair is two. */
  #length = 0
  #lines = 0
  #bad: BadLine[] = []
  #badCount = 0
  #listed = 0
  /** The line that has begun but not ended. No byte of it is held, only what it said so far. */
  #at: number = BEFORE
  #idsSeen = 0
  #subscriber = 0
  #subject = 0
  #lineBytes = 0
  #isPair = true
  #isText = true
  #hasComma = false
  readonly #utf8 = new Utf8()
  /** Bytes of the byte-order mark that have come. */
  #markBytes = 0

  constructor(options: PairsOptions) {
    this.#idMax = options.idMax
    this.#badListedMax = options.badListedMax ?? subscriptionLimits.badListedMax
    this.#ignoresColumns = options.ignoresColumns ?? false
  }

  /** Lines that have ended, whatever they were. */
  get lines(): number {
    return this.#lines
  }

  /** Bad lines so far, whether listed or not. */
  get badCount(): number {
    return this.#badCount
  }

  /** Pairs that wait to be taken. */
  get pairsHeld(): number {
    return this.#length / 2
  }

  /** Takes the next bytes, cut anywhere; it keeps none of them. */
  push(bytes: Uint8Array): void {
    let at = 0
    while (at < bytes.length) {
      if (this.#lineBytes === 0) {
        at = this.#wholeLines(bytes, at)
        if (at === bytes.length) return
      }
      at = this.#step(bytes, at)
    }
  }

  /** The bytes are over: a last line without its newline counts too. */
  end(): void {
    if (this.#lineBytes > 0) this.#endLine()
  }

  /** The pairs since the last call: subscriber, subject, subscriber, subject, … They are the caller's. */
  take(): Uint32Array {
    const taken = this.#ids.subarray(0, this.#length)
    this.#ids = new Uint32Array(2 * ROOM_AT_FIRST)
    this.#length = 0
    return taken
  }

  /** The bad lines since the last call. Of all the input no more than the first so many are listed. */
  takeBad(): BadLine[] {
    const taken = this.#bad
    this.#bad = []
    return taken
  }

  /**
   * Hot path: lines that lie whole in the bytes and are plain good pairs. Answers where the first
   * line begins that is anything else, and leaves that one to `#step`.
   */
  #wholeLines(bytes: Uint8Array, start: number): number {
    const idMax = this.#idMax
    // Past the last byte a newline is read, so that every loop ends there; that line is left alone.
    const last = bytes.length - 1
    let ids = this.#ids
    let length = this.#length
    let lines = 0
    let line = start
    for (;;) {
      let at = line
      let subscriber = 0
      let subject = 0
      let byte = at <= last ? (bytes[at] as number) : NEWLINE
      while ((byte - ZERO) >>> 0 < 10) {
        subscriber = subscriber * 10 + byte - ZERO
        byte = ++at <= last ? (bytes[at] as number) : NEWLINE
      }
      if (byte !== SPACE && byte !== TAB && byte !== COMMA) break
      do byte = ++at <= last ? (bytes[at] as number) : NEWLINE
      while (byte === SPACE || byte === TAB)
      while ((byte - ZERO) >>> 0 < 10) {
        subject = subject * 10 + byte - ZERO
        byte = ++at <= last ? (bytes[at] as number) : NEWLINE
      }
      if (byte === RETURN) byte = ++at <= last ? (bytes[at] as number) : NEWLINE
      if (byte !== NEWLINE || at > last || at - line > lineBytesMax) break
      if (subscriber === 0 || subscriber > idMax || subject === 0 || subject > idMax) break
      if (subscriber === subject) break
      if (length + 2 > ids.length) ids = this.#grow()
      ids[length] = subscriber
      ids[length + 1] = subject
      length += 2
      lines++
      line = at + 1
    }
    this.#length = length
    this.#lines += lines
    return line
  }

  /** Reads the line that has begun, byte by byte, to its end or that of the bytes. */
  #step(bytes: Uint8Array, start: number): number {
    for (let at = start; at < bytes.length; at++) {
      const byte = bytes[at] as number
      if (byte === NEWLINE) {
        this.#endLine()
        return at + 1
      }
      this.#lineBytes++
      if (byte > DELETE || this.#utf8.isInside) this.#utf8.push(byte)
      if ((byte < SPACE && byte !== TAB && byte !== RETURN) || byte === DELETE) this.#isText = false
      if (this.#at >= COMMENT) continue
      if ((byte - ZERO) >>> 0 < 10) this.#digit(byte - ZERO)
      else if (byte === SPACE || byte === TAB) this.#blank()
      else if (byte === COMMA) this.#comma()
      else if (byte === RETURN) {
        if (this.#at === RETURNED) this.#isPair = false
        this.#at = RETURNED
      } else this.#other(byte)
    }
    return bytes.length
  }

  #digit(digit: number): void {
    if (this.#at <= SUBSCRIBER) {
      this.#at = SUBSCRIBER
      this.#idsSeen = 1
      this.#subscriber = this.#subscriber * 10 + digit
    } else if (this.#at <= SUBJECT) {
      this.#at = SUBJECT
      this.#idsSeen = 2
      this.#subject = this.#subject * 10 + digit
    } else if (this.#at === AFTER) this.#at = MORE
    else this.#isPair = false
  }

  #blank(): void {
    if (this.#at === SUBSCRIBER) this.#at = BETWEEN
    else if (this.#at === SUBJECT) this.#at = AFTER
    else if (this.#at === RETURNED) this.#isPair = false
  }

  #comma(): void {
    if (this.#at === SUBJECT || this.#at === AFTER) this.#at = MORE
    else if (this.#hasComma || (this.#at !== SUBSCRIBER && this.#at !== BETWEEN)) {
      this.#isPair = false
    } else {
      this.#hasComma = true
      this.#at = BETWEEN
    }
  }

  #other(byte: number): void {
    if (this.#at === AFTER) this.#at = MORE
    else if (this.#isBlank() && (byte === HASH || byte === PERCENT)) this.#at = COMMENT
    else if (!this.#isInMark(byte)) this.#isPair = false
  }

  #isBlank(): boolean {
    return this.#at === BEFORE && this.#isPair
  }

  /** Whether the byte belongs to a byte-order mark at the begin; that is no part of the line. */
  #isInMark(byte: number): boolean {
    const isNext = this.#lines === 0 && this.#lineBytes === this.#markBytes + 1
    if (!isNext || byte !== BYTE_ORDER_MARK[this.#markBytes]) return false
    this.#markBytes++
    if (this.#markBytes === BYTE_ORDER_MARK.length) this.#lineBytes = 0
    return true
  }

  #endLine(): void {
    this.#lines++
    this.#utf8.end()
    const reason = this.#reason()
    if (reason !== undefined) {
      this.#badCount++
      if (this.#listed < this.#badListedMax) {
        this.#listed++
        this.#bad.push({ line: this.#lines, reason })
      }
    } else if (this.#idsSeen === 2) {
      if (this.#length + 2 > this.#ids.length) this.#grow()
      this.#ids[this.#length++] = this.#subscriber
      this.#ids[this.#length++] = this.#subject
    }
    this.#at = BEFORE
    this.#idsSeen = 0
    this.#subscriber = 0
    this.#subject = 0
    this.#lineBytes = 0
    this.#isPair = true
    this.#isText = true
    this.#hasComma = false
    this.#utf8.begin()
  }

  /** Why the line that ends here is bad, if it is; a blank one is not. */
  #reason(): string | undefined {
    // What is not text says more about a file than how long its lines are.
    if (!this.#utf8.isValid) return 'not UTF-8'
    if (!this.#isText) return 'not text'
    if (this.#at === COMMENT) return undefined
    if (this.#lineBytes > lineBytesMax) return 'line too long'
    if (!this.#isPair || this.#idsSeen === 1) return 'not two ids'
    if (this.#at === MORE && !this.#ignoresColumns) return MORE_COLUMNS
    if (this.#idsSeen === 0) return undefined
    if (this.#subscriber === 0 || this.#subject === 0) return 'id 0'
    if (this.#subscriber > this.#idMax || this.#subject > this.#idMax) {
      return `above the highest id ${this.#idMax}`
    }
    return this.#subscriber === this.#subject ? 'follows itself' : undefined
  }

  #grow(): Uint32Array<ArrayBuffer> {
    const larger = new Uint32Array(2 * this.#ids.length)
    larger.set(this.#ids)
    this.#ids = larger
    return larger
  }
}
