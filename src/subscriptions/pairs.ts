// Reads pairs of users from bytes as they come: a line `A B` means that A follows B.

import { subscriptionLimits } from '../core/limits.ts'
import { isName } from '../core/name.ts'
import { OK, type Result, refused } from '../core/result.ts'
import type { Subject } from '../core/user.ts'
import type { NameTable } from './name-table.ts'

const { lineBytesMax } = subscriptionLimits

/** Pairs that there is room for at first, as a small request has them. It doubles from there. */
const ROOM_AT_FIRST = 1_024

const TAB = 0x09
const NEWLINE = 0x0a
const RETURN = 0x0d
const SPACE = 0x20
const COMMA = 0x2c
const ZERO = 0x30
const DELETE = 0x7f

/** What some programs write before a text that is UTF-8. */
const BYTE_ORDER_MARK = Buffer.from('\ufeff')
const COMMENT = /^[ \t]*[#%]/
const BLANK = /^[ \t]*\r?$/
/** Two columns, and further ones if there are any. */
const TWO_IDS = columnsOf('\\d+')
const TWO_TEXTS = columnsOf('[^ \\t\\r,]+')

function columnsOf(column: string): RegExp {
  const between = '(?:[ \\t]*,[ \\t]*|[ \\t]+)'
  const end = '(?:[ \\t]*\\r?|([ \\t]*,|[ \\t]+[^ \\t\\r]).*)'
  return new RegExp(`^[ \\t]*(${column})${between}(${column})${end}$`, 's')
}

/** Why a line is refused whose columns are not two ids; and where names are taken, neither. */
export const NOT_IDS = 'not two ids'
export const NOT_IDS_OR_NAMES = 'not two ids or names'
/** Why a line with further columns after its two ids is refused. */
export const MORE_COLUMNS = 'more than two columns'

/** A line that is no pair; the first line is 1. */
export interface BadLine {
  readonly line: number
  readonly reason: string
}

export interface PairsOptions {
  /** The highest valid id; at most 2,147,483,647. */
  readonly idMax: number
  /** Gives names their handles. Without it a name is no id. */
  readonly names?: Pick<NameTable, 'intern'> | null
  /** Ignore further columns after the two ids? */
  readonly ignoresColumns?: boolean
  /** Bad lines that are listed. */
  readonly badListedMax?: number
}

/**
 * A line is two different decimal ids from 1 to `idMax`, or names where they are taken, separated
 * by spaces, tabs or a comma. It ends with `\n` or `\r\n`, the last one also with the input. Blanks
 * around the ids, blank lines, lines that begin with `#` or `%` and a byte-order mark at the start
 * are ignored.
 */
export class PairsReader {
  readonly #options: Required<PairsOptions>
  #ids = new Uint32Array(2 * ROOM_AT_FIRST)
  /** How many of `#ids` are used; a pair is two. */
  #length = 0
  #lines = 0
  #bad: BadLine[] = []
  #badCount = 0
  #listed = 0
  /** The start of the line that has begun but not ended; the rest is only checked. */
  readonly #held = Buffer.alloc(BYTE_ORDER_MARK.length + lineBytesMax)
  #heldBytes = 0
  #lineBytes = 0
  #isAscii = true
  #isUtf8 = true
  #isText = true
  #decoder = new TextDecoder('utf-8', { fatal: true })

  constructor(options: PairsOptions) {
    const { badListedMax } = subscriptionLimits
    this.#options = { badListedMax, ignoresColumns: false, names: null, ...options }
  }

  /** Lines that have ended, whatever they were. */
  get lines(): number {
    return this.#lines
  }

  /** Bad lines so far, listed or not. */
  get badCount(): number {
    return this.#badCount
  }

  /** Pairs that are ready to be taken. */
  get pairsHeld(): number {
    return this.#length / 2
  }

  /** Takes the next bytes, cut anywhere. */
  push(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#lineBytes === 0) at = this.#wholeLines(bytes, at)
      const newline = bytes.indexOf(NEWLINE, at)
      this.#hold(newline < 0 ? bytes.subarray(at) : bytes.subarray(at, newline))
      if (newline < 0) return
      this.#endLine()
      at = newline + 1
    }
  }

  /** Ends the input: a last line without its newline counts too. */
  end(): void {
    if (this.#lineBytes > this.#markBytes()) this.#endLine()
  }

  /** The pairs since the last call: subscriber, subject, … They are the caller's. */
  take(): Uint32Array {
    const taken = this.#ids.subarray(0, this.#length)
    this.#ids = new Uint32Array(2 * ROOM_AT_FIRST)
    this.#length = 0
    return taken
  }

  /** The bad lines since the last call; only the first `badListedMax` of the input are listed. */
  takeBad(): BadLine[] {
    const taken = this.#bad
    this.#bad = []
    return taken
  }

  /**
   * Hot path: reads complete lines that are plain valid pairs. Returns where the first other line
   * begins, and leaves that one to `#hold`.
   */
  #wholeLines(bytes: Uint8Array, start: number): number {
    const { idMax, ignoresColumns } = this.#options
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
      if (ignoresColumns && (byte === SPACE || byte === TAB || byte === COMMA)) {
        while (byte === TAB || (byte >= SPACE && byte < DELETE)) {
          byte = ++at <= last ? (bytes[at] as number) : NEWLINE
        }
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

  /** Takes the next bytes of the line that has begun. */
  #hold(part: Uint8Array): void {
    const held = this.#held
    const heldBytes = this.#heldBytes
    const { length } = part
    let isAscii = this.#isAscii
    let isText = this.#isText
    for (let at = 0; at < length; at++) {
      const byte = part[at] as number
      if (heldBytes + at < held.length) held[heldBytes + at] = byte
      if (byte > DELETE) isAscii = false
      if ((byte < SPACE && byte !== TAB && byte !== RETURN) || byte === DELETE) isText = false
    }
    this.#lineBytes += length
    this.#heldBytes = Math.min(held.length, heldBytes + length)
    this.#isAscii = isAscii
    this.#isText = isText
    this.#decode(part, true)
  }

  /** Checks that the bytes are UTF-8; a character may be cut, but not at the end of the line. */
  #decode(part: Uint8Array, stream: boolean): void {
    if (this.#isAscii || !this.#isUtf8) return
    try {
      this.#decoder.decode(part, { stream })
    } catch {
      this.#isUtf8 = false
      // The state of a decoder is undefined after an error.
      this.#decoder = new TextDecoder('utf-8', { fatal: true })
    }
  }

  /** Bytes of the byte-order mark if the line that has begun is the first one and has it. */
  #markBytes(): number {
    const { length } = BYTE_ORDER_MARK
    if (this.#lines > 0 || this.#heldBytes < length) return 0
    return this.#held.subarray(0, length).equals(BYTE_ORDER_MARK) ? length : 0
  }

  #endLine(): void {
    this.#decode(new Uint8Array(0), false)
    const markBytes = this.#markBytes()
    this.#lineBytes -= markBytes
    this.#lines++
    const read = this.#read(this.#held.toString('latin1', markBytes, this.#heldBytes))
    if (!read.ok) {
      this.#badCount++
      if (this.#listed < this.#options.badListedMax) {
        this.#listed++
        this.#bad.push({ line: this.#lines, reason: read.why })
      }
    }
    this.#heldBytes = 0
    this.#lineBytes = 0
    this.#isAscii = true
    this.#isUtf8 = true
    this.#isText = true
  }

  /** Adds the pair of the line that ends, if it has one; fails if the line is bad. */
  #read(line: string): Result<void> {
    const { idMax, ignoresColumns, names } = this.#options
    // What is not text says more about a file than how long its lines are.
    if (!this.#isUtf8) return refused('not UTF-8')
    if (!this.#isText) return refused('not text')
    if (COMMENT.test(line)) return OK
    if (this.#lineBytes > lineBytesMax) return refused('line too long')
    if (BLANK.test(line)) return OK
    const columns = (names === null ? TWO_IDS : TWO_TEXTS).exec(line)
    if (columns === null) return refused(names === null ? NOT_IDS : NOT_IDS_OR_NAMES)
    if (columns[3] !== undefined && !ignoresColumns) return refused(MORE_COLUMNS)
    const [subscriber, subject] = [subjectOf(columns[1] ?? ''), subjectOf(columns[2] ?? '')]
    if (subscriber === null || subject === null) return refused(NOT_IDS_OR_NAMES)
    if (subscriber === 0 || subject === 0) return refused('id 0')
    const isTooHigh = (one: Subject) => typeof one === 'number' && one > idMax
    if (isTooHigh(subscriber) || isTooHigh(subject)) {
      return refused(`above the highest id ${idMax}`)
    }
    if (subscriber === subject) return refused('follows itself')
    return this.#add(subscriber, subject)
  }

  #add(subscriber: Subject, subject: Subject): Result<void> {
    const [follower, followed] = [this.#idOf(subscriber), this.#idOf(subject)]
    if (follower === null || followed === null) return refused('no room for another name')
    if (this.#length + 2 > this.#ids.length) this.#grow()
    this.#ids[this.#length++] = follower
    this.#ids[this.#length++] = followed
    return OK
  }

  #idOf(subject: Subject): number | null {
    return typeof subject === 'number' ? subject : (this.#options.names?.intern(subject) ?? null)
  }

  #grow(): Uint32Array<ArrayBuffer> {
    const larger = new Uint32Array(2 * this.#ids.length)
    larger.set(this.#ids)
    this.#ids = larger
    return larger
  }
}

/** An id with zeros in front is one too. Null for what is neither an id nor a name. */
function subjectOf(text: string): Subject | null {
  if (/^\d+$/.test(text)) return Number(text)
  return isName(text) ? text : null
}
