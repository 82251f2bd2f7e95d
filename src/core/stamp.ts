// The stamp that a generator puts behind its text and the flood client reads: which generator,
// which of its messages, and when the message was due. It knows bytes, not sockets.

/** `Fake message Num = 7 stamp=3.7.1795507371003684`: generator 3, its 7th, due at that microsecond. */
export interface Stamp {
  /** Tells generators apart, over several runs too. */
  readonly generator: number
  /** Counts a generator's messages from 1. */
  readonly sequence: number
  /** Microseconds since 1970 at which the message was due. */
  readonly dueMicros: number
}

const MARK = ' stamp='

/** The reference generator's text, with its stamp. */
export function stampedText(number: number, stamp: Stamp): string {
  return `Fake message Num = ${number}${MARK}${stamp.generator}.${stamp.sequence}.${stamp.dueMicros}`
}

/** The longest stamp: generators have up to 11 digits, a moment 16, and a sequence of 10 is a year of
 * a hundred messages a second. */
export const STAMP_BYTES_MAX = MARK.length + 11 + 1 + 10 + 1 + 16

/**
 * The same text made as long as wanted: padded between its words and its stamp, or its words cut.
 *
 * @param bytes at least {@link STAMP_BYTES_MAX}; a shorter stamp makes room for more of the words
 */
export function sizedText(number: number, stamp: Stamp, bytes: number): string {
  const text = stampedText(number, stamp)
  const wordBytes = text.lastIndexOf(MARK)
  const missing = bytes - text.length
  const words = text.slice(0, Math.max(0, wordBytes + Math.min(0, missing)))
  return `${words}${'.'.repeat(Math.max(0, missing))}${text.slice(wordBytes)}`
}

/** Where {@link readStamp} leaves what it read; one is enough for a whole process. */
export interface StampFields {
  generator: number
  sequence: number
  dueMicros: number
}

/**
 * Reads the stamp at the end of a message without making a string of it.
 * Hot path of the flood client: called once a message received.
 *
 * @param bytes holds the message from `start` to before `end`
 * @returns false, with `into` in no defined state, when the message carries no stamp
 */
export function readStamp(
  bytes: Uint8Array,
  start: number,
  end: number,
  into: StampFields,
): boolean {
  let at = end
  at = readNumber(bytes, start, at)
  into.dueMicros = number
  if (at < 0 || bytes[--at] !== DOT) return false
  at = readNumber(bytes, start, at)
  into.sequence = number
  if (at < 0 || bytes[--at] !== DOT) return false
  at = readNumber(bytes, start, at)
  into.generator = number
  return at >= 0 && at - MARK_BYTES.length >= start && endsWithMark(bytes, at)
}

/**
 * Reads the stamp of a message that something was put around, like JSON or the fields of an event:
 * the first that is there, wherever it is.
 *
 * @returns false, with `into` in no defined state, when the message carries no stamp
 */
export function findStamp(
  bytes: Uint8Array,
  start: number,
  end: number,
  into: StampFields,
): boolean {
  for (let sign = bytes.indexOf(EQUALS, start); sign >= 0 && sign < end; ) {
    let after = sign + 1
    while (after < end && isPartOfNumbers(bytes[after] as number)) after++
    if (readStamp(bytes, start, after, into)) return true
    sign = bytes.indexOf(EQUALS, after)
  }
  return false
}

function isPartOfNumbers(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || byte === DOT
}

const EQUALS = 0x3d

const MARK_BYTES = new TextEncoder().encode(MARK)

function endsWithMark(bytes: Uint8Array, end: number): boolean {
  const from = end - MARK_BYTES.length
  for (let at = 0; at < MARK_BYTES.length; at++) {
    if (bytes[from + at] !== MARK_BYTES[at]) return false
  }
  return true
}

const DOT = 0x2e

/** The number that the last call of {@link readNumber} found; a tuple would be an allocation. */
let number = 0

/** Reads decimal digits backwards from `end`; answers where they begin, or -1 if there are none. */
function readNumber(bytes: Uint8Array, start: number, end: number): number {
  let at = end
  let value = 0
  for (let factor = 1; at > start; factor *= 10) {
    const digit = (bytes[at - 1] ?? 0) - 0x30
    if (digit < 0 || digit > 9) break
    value += digit * factor
    at--
  }
  number = value
  return at < end && end - at <= 16 ? at : -1
}
