// Reads a message as most publishers write it, from its bytes: short, in ASCII, without escapes.
// Its body is a part of these bytes, so it is neither decoded, parsed nor encoded again.

import type { ByteRange } from '../core/bytes.ts'
import { identityLimits } from '../core/identity-limits.ts'
import { messageLimits } from '../core/limits.ts'
import { isName } from '../core/name.ts'

/** The parts of a message, as a range of the bytes that were read. */
export interface PlainMessage {
  /** Is it about the user, or to the user alone? */
  isAbout: boolean
  /** 0 for one with a name. */
  user: number
  nameStart: number
  nameEnd: number
  bodyStart: number
  bodyEnd: number
}

const SPACE = 0x20
const QUOTE = 0x22
const COMMA = 0x2c
const ZERO = 0x30
const NINE = 0x39
const BACKSLASH = 0x5c
const BRACE_END = 0x7d
const DEL = 0x7f

const TO = Buffer.from('{"to":')
const SUBJECT = Buffer.from('{"subject":')
const BODY = Buffer.from('"body":')

/** Digits of a user id: numbers of up to nine fit into 32 bits. */
const DIGITS_MAX = 9

/** What was read last. One for all: valid until the next call. */
const message: PlainMessage = {
  ...{ isAbout: false, user: 0, nameStart: 0, nameEnd: 0 },
  ...{ bodyStart: 0, bodyEnd: 0 },
}

/**
 * Null for what is written in any other way, valid or not: `parseMessage` reads that. Hot path:
 * once a request.
 */
export function readPlainMessage({ bytes, start, end }: ByteRange): PlainMessage | null {
  if (end - start > messageLimits.plainBytesMax) return null
  const isTo = startsWith(bytes, start, end, TO)
  if (!isTo && !startsWith(bytes, start, end, SUBJECT)) return null
  let at = start + (isTo ? TO.length : SUBJECT.length)
  if (bytes[at] === SPACE) at++
  at = bytes[at] === QUOTE ? readName(bytes, at + 1, end) : readNumber(bytes, at, end)
  if (at === 0 || bytes[at] !== COMMA) return null
  at++
  if (bytes[at] === SPACE) at++
  if (!startsWith(bytes, at, end, BODY)) return null
  at += BODY.length
  if (bytes[at] === SPACE) at++
  if (bytes[at] !== QUOTE) return null
  const bodyStart = at + 1
  const bodyEnd = end - 2
  if (bodyEnd <= bodyStart || bytes[bodyEnd] !== QUOTE || bytes[bodyEnd + 1] !== BRACE_END) {
    return null
  }
  for (let place = bodyStart; place < bodyEnd; place++) {
    const byte = bytes[place] as number
    if (byte < SPACE || byte > DEL || byte === QUOTE || byte === BACKSLASH) return null
  }
  message.isAbout = !isTo
  message.bodyStart = bodyStart
  message.bodyEnd = bodyEnd
  return message
}

/** Answers where the number ends; 0 if it is none of a user. */
function readNumber(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  let user = 0
  for (; at < end; at++) {
    const byte = bytes[at] as number
    if (byte < ZERO || byte > NINE) break
    user = user * 10 + byte - ZERO
    if (user === 0 || at - start === DIGITS_MAX) return 0
  }
  message.user = user
  return at === start ? 0 : at
}

/** Answers where the text ends, behind its quote; 0 if it is no name. */
function readName(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  let isNumber = true
  for (; at < end && bytes[at] !== QUOTE; at++) {
    const kind = NAME_BYTES[bytes[at] as number]
    if (kind === 0) return 0
    if (kind === LETTER) isNumber = false
  }
  const length = at - start
  // Too short to be told from `.` and `..` here.
  const isShort = length < 3
  if (isNumber || isShort || length > identityLimits.nameLengthMax || at === end) return 0
  message.user = 0
  message.nameStart = start
  message.nameEnd = at
  return at + 1
}

const LETTER = 1
const DIGIT = 2

/** By byte: what it is in a name; 0 if it is in none. */
const NAME_BYTES = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte >= ZERO && byte <= NINE) return DIGIT
  return isName(`a${String.fromCharCode(byte)}`) ? LETTER : 0
})

function startsWith(bytes: Uint8Array, start: number, end: number, wanted: Uint8Array): boolean {
  if (start + wanted.length > end) return false
  for (let at = 0; at < wanted.length; at++) if (bytes[start + at] !== wanted[at]) return false
  return true
}
