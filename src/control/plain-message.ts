// Reads a message as most publishers write it, from its bytes: short, in ASCII, without escapes.
// Its body is a part of these bytes, so it is neither decoded, parsed nor encoded again.

import type { ByteRange } from '../core/bytes.ts'
import { messageLimits } from '../core/limits.ts'

/** The parts of a message, as a range of the bytes that were read. */
export interface PlainMessage {
  /** Is it about the user, or to the user alone? */
  isAbout: boolean
  user: number
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
const message: PlainMessage = { isAbout: false, user: 0, bodyStart: 0, bodyEnd: 0 }

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
  const digitsAt = at
  let user = 0
  for (; at < end; at++) {
    const byte = bytes[at] as number
    if (byte < ZERO || byte > NINE) break
    user = user * 10 + byte - ZERO
    if (user === 0 || at - digitsAt === DIGITS_MAX) return null
  }
  if (at === digitsAt || bytes[at] !== COMMA) return null
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
  message.user = user
  message.bodyStart = bodyStart
  message.bodyEnd = bodyEnd
  return message
}

function startsWith(bytes: Uint8Array, start: number, end: number, wanted: Uint8Array): boolean {
  if (start + wanted.length > end) return false
  for (let at = 0; at < wanted.length; at++) if (bytes[start + at] !== wanted[at]) return false
  return true
}
