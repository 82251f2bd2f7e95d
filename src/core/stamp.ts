// The stamp at the end of a generated message, which the flood client reads: the generator, the
// message's sequence number, and when the message was due; and the chain before it, which names the
// message before.

/** Filled by {@link readStamp}; one is enough for a whole process. */
export interface StampFields {
  /** Identifies the generator, over several runs too. */
  generator: number
  /** Counts a generator's messages from 1. */
  sequence: number
  /** Microseconds since 1970 at which the message was due. */
  dueMicros: number
}

/** `Fake message Num = 7 stamp=3.7.1795507371003684`: of generator 3, its 7th, due at that time. */
export type Stamp = Readonly<StampFields>

/** Filled by {@link readChain}; one is enough for a whole process. */
export interface ChainFields {
  /** The user that the message is for. */
  target: number
  /** The message before of the same generator to the same user; 0 for none. */
  sequence: number
  /** When that was due, in microseconds since 1970; 0 for none. */
  dueMicros: number
}

/** ` after=123.5.1795507371003684`: the message before to user 123 is the generator's 5th. */
export type Chain = Readonly<ChainFields>

/** A way to write a stamp's three numbers. */
interface Form {
  readonly mark: string
  readonly markBytes: Uint8Array
  /** The numbers' base; digits above nine are lower-case letters. */
  readonly base: number
  readonly digitsMax: number
}

function form(mark: string, base: number, digitsMax: number): Form {
  return { mark, markBytes: new TextEncoder().encode(mark), base, digitsMax }
}

const LONG = form(' stamp=', 10, 16)
/** For messages that are too short for the other. */
const SHORT = form(' ~=', 36, 11)

const FORMS = [LONG, SHORT] as const

/** The reference generator's text, with its stamp. */
export function stampedText(number: number, stamp: Stamp, chain: Chain | null = null): string {
  return `Fake message Num = ${number}${chainText(chain)}${stampText(stamp, LONG)}`
}

function chainText(chain: Chain | null): string {
  if (chain === null) return ''
  return `${CHAIN_MARK}${chain.target}.${chain.sequence}.${chain.dueMicros}`
}

const CHAIN_MARK = ' after='
const CHAIN_MARK_BYTES = new TextEncoder().encode(CHAIN_MARK)

function stampText({ generator, sequence, dueMicros }: Stamp, { mark, base }: Form): string {
  return mark + [generator, sequence, dueMicros].map((one) => one.toString(base)).join('.')
}

/** The longest short stamp: a generator of 36 bits, a sequence of 32, and a moment until 2255. */
export const STAMP_BYTES_MAX = SHORT.mark.length + 7 + 1 + 7 + 1 + 11

/** The longest chain with its stamp, which are both in the long form. */
export const CHAINED_BYTES_MAX =
  CHAIN_MARK.length + 10 + 1 + 10 + 1 + 16 + LONG.mark.length + 11 + 1 + 10 + 1 + 16

/**
 * The same text with a given length: padded between its words and its stamp, or with its words cut.
 * Where the stamp itself is too long, its short form is used.
 *
 * @param bytes at least {@link STAMP_BYTES_MAX}, with a chain {@link CHAINED_BYTES_MAX}; a shorter
 * stamp makes room for more of the words
 */
export function sizedText(
  number: number,
  stamp: Stamp,
  bytes: number,
  chain: Chain | null = null,
): string {
  const long = chainText(chain) + stampText(stamp, LONG)
  const end = long.length <= bytes ? long : stampText(stamp, SHORT)
  const words = `Fake message Num = ${number}`.slice(0, Math.max(0, bytes - end.length))
  return `${words.padEnd(bytes - end.length, '.')}${end}`
}

/**
 * Reads the stamp at the end of a message without making a string.
 * Hot path of the flood client: called once a message received.
 *
 * @param bytes holds the message from `start` to before `end`
 * @returns false, with unspecified values in `into`, if the message has no stamp
 */
export function readStamp(
  bytes: Uint8Array,
  start: number,
  end: number,
  into: StampFields,
): boolean {
  return readForm(bytes, start, end, into, LONG) || readForm(bytes, start, end, into, SHORT)
}

function readForm(
  bytes: Uint8Array,
  start: number,
  end: number,
  into: StampFields,
  { base, digitsMax, markBytes }: Form,
): boolean {
  let at = end
  at = readNumber(bytes, start, at, base, digitsMax)
  into.dueMicros = number
  if (at < 0 || bytes[--at] !== DOT) return false
  at = readNumber(bytes, start, at, base, digitsMax)
  into.sequence = number
  if (at < 0 || bytes[--at] !== DOT) return false
  at = readNumber(bytes, start, at, base, digitsMax)
  into.generator = number
  return at >= 0 && endsWithin(bytes, start, at, markBytes)
}

/**
 * Reads the chain before the stamp at the end of a message. Hot path of a flood that resumes: once
 * a message received.
 *
 * @returns false, with unspecified values in `into`, if the message has no chain
 */
export function readChain(
  bytes: Uint8Array,
  start: number,
  end: number,
  into: ChainFields,
): boolean {
  let at = startOfNumbers(bytes, start, end)
  if (!endsWithin(bytes, start, at, LONG.markBytes)) return false
  at = readNumber(bytes, start, at - LONG.markBytes.length, LONG.base, LONG.digitsMax)
  into.dueMicros = number
  if (at < 0 || bytes[--at] !== DOT) return false
  at = readNumber(bytes, start, at, LONG.base, LONG.digitsMax)
  into.sequence = number
  if (at < 0 || bytes[--at] !== DOT) return false
  at = readNumber(bytes, start, at, LONG.base, LONG.digitsMax)
  into.target = number
  return at >= 0 && endsWithin(bytes, start, at, CHAIN_MARK_BYTES)
}

/** Where the numbers of the stamp begin. */
function startOfNumbers(bytes: Uint8Array, start: number, end: number): number {
  let at = end
  while (at > start && (bytes[at - 1] === DOT || digitOf(bytes[at - 1] as number) < LONG.base)) at--
  return at
}

function endsWithin(bytes: Uint8Array, start: number, at: number, mark: Uint8Array): boolean {
  return at - mark.length >= start && endsWith(bytes, at, mark)
}

/**
 * Reads the first stamp anywhere in a message, which may be wrapped in JSON or in the fields of an
 * event.
 *
 * @returns false, with unspecified values in `into`, if the message has no stamp
 */
export function findStamp(
  bytes: Uint8Array,
  start: number,
  end: number,
  into: StampFields,
): boolean {
  // Not by `indexOf`: behind the message are up to 64 KiB that other messages left there.
  for (let at = start; at < end; at++) {
    if (bytes[at] !== EQUALS) continue
    for (const form of FORMS) {
      const after = endOfNumbers(bytes, at + 1, end, form.base)
      if (readForm(bytes, start, after, into, form)) return true
    }
  }
  return false
}

function endOfNumbers(bytes: Uint8Array, start: number, end: number, base: number): number {
  let at = start
  while (at < end && (bytes[at] === DOT || digitOf(bytes[at] as number) < base)) at++
  return at
}

const EQUALS = 0x3d
const DOT = 0x2e
const NO_DIGIT = 255

function endsWith(bytes: Uint8Array, end: number, mark: Uint8Array): boolean {
  const from = end - mark.length
  for (let at = 0; at < mark.length; at++) {
    if (bytes[from + at] !== mark[at]) return false
  }
  return true
}

/** What the last call of {@link readNumber} read; a tuple would be an allocation. */
let number = 0

/** Reads digits backwards from `end`; returns where they begin, or -1 if there are none. */
function readNumber(
  bytes: Uint8Array,
  start: number,
  end: number,
  base: number,
  digitsMax: number,
): number {
  let at = end
  let value = 0
  for (let factor = 1; at > start; factor *= base) {
    const digit = digitOf(bytes[at - 1] as number)
    if (digit >= base) break
    value += digit * factor
    at--
  }
  number = value
  return at < end && end - at <= digitsMax ? at : -1
}

function digitOf(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  return byte >= 0x61 && byte <= 0x7a ? byte - 0x57 : NO_DIGIT
}
