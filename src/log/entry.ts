// How an entry of the log lies in the ring: four words of 32 bits, and behind them its texts and
// its body. The same in memory and in the file.

import { latin1Of } from '../core/bytes.ts'
import { decodeUtf8 } from '../core/utf8.ts'

/** What an entry is. */
export const KIND = {
  /** A message about a subject. */
  about: 1,
  /** A message to a user alone. */
  to: 2,
  everyone: 3,
  /** A user follows a subject from then on, or no longer. */
  followed: 4,
  unfollowed: 5,
  barrier: 6,
  /** Nothing to streams: it has its number. In memory alone. */
  nothing: 7,
} as const
export type EntryKind = (typeof KIND)[keyof typeof KIND]

/** The words of an entry. A first word that is 0 is none: the ring goes on at its beginning. */
export const WORD = {
  /** Bytes behind the header, kind, and {@link FLAG flags}. */
  shape: 0,
  /** The subject or user. */
  target: 1,
  /** How many numbers before it the entry before it in its chain is; 0 for none. */
  distance: 2,
  /** See {@link checkOf}; not set in memory. */
  check: 3,
  /** The subject of a change of who follows whom; of a message, its texts and body begin here. */
  subject: 4,
} as const
export const HEADER_WORDS = 4
export const WORD_BYTES = 4

const KIND_SHIFT = 17
const KIND_MASK = 7
/** The longest body and all texts fit. */
export const PAYLOAD_BYTES_MAX = 2 ** KIND_SHIFT - 1

/** Of the first word. The texts that are there follow in this order, each behind its length. */
export const FLAG = {
  json: 1 << 20,
  /** The target has a name, and its number is of this process. */
  named: 1 << 21,
  /** The same for the subject of a change. */
  subjectNamed: 1 << 22,
  event: 1 << 23,
  /** Behind the key is when the message was added. */
  keyed: 1 << 24,
} as const
export const SECONDS_BYTES = 4
const TEXTS = FLAG.named | FLAG.subjectNamed | FLAG.event | FLAG.keyed

/** The memory of a ring, as words and as bytes. */
export interface EntryMemory {
  readonly words: Uint32Array
  /** No `Buffer`, of which a part is copied slowly. */
  readonly bytes: Uint8Array<ArrayBuffer>
}

export function shapeOf(kind: EntryKind, payloadBytes: number, flags: number): number {
  return payloadBytes | (kind << KIND_SHIFT) | flags
}

export function kindOf(shape: number): number {
  return (shape >>> KIND_SHIFT) & KIND_MASK
}

export function isKind(kind: number): kind is EntryKind {
  return kind >= KIND.about && kind <= KIND.barrier
}

export function isMessage(kind: number): boolean {
  return kind <= KIND.everyone
}

export function isChange(kind: number): boolean {
  return kind === KIND.followed || kind === KIND.unfollowed
}

/** Words of an entry with its header. */
export function wordsFor(payloadBytes: number): number {
  return HEADER_WORDS + ((payloadBytes + WORD_BYTES - 1) >>> 2)
}

export function wordsOf(shape: number): number {
  return wordsFor(shape & PAYLOAD_BYTES_MAX)
}

/** Bytes of the body alone. Hot path: once for each message that a client gets again. */
export function bodyBytesOf({ words, bytes }: EntryMemory, at: number): number {
  const shape = words[at] as number
  const payload = shape & PAYLOAD_BYTES_MAX
  if ((shape & TEXTS) === 0) return payload
  const start = (at + HEADER_WORDS) * WORD_BYTES
  return start + payload - endOfTexts(bytes, start, shape)
}

function endOfTexts(bytes: Uint8Array, start: number, shape: number): number {
  let at = start
  for (let flag = FLAG.named as number; flag <= FLAG.keyed; flag <<= 1) {
    if ((shape & flag) !== 0) at += 1 + (bytes[at] as number)
  }
  return (shape & FLAG.keyed) === 0 ? at : at + SECONDS_BYTES
}

/** Writes a text in ASCII behind its length. Answers where it ends. */
export function writeText(bytes: Uint8Array, start: number, text: string): number {
  const { length } = text
  bytes[start] = length
  for (let at = 0; at < length; at++) bytes[start + 1 + at] = text.charCodeAt(at)
  return start + 1 + length
}

/** The same for a text of any characters, and when it was added, in seconds since 1970. */
export function writeKey(bytes: Uint8Array, start: number, key: string, seconds: number): number {
  const { written: length } = encoder.encodeInto(key, bytes.subarray(start + 1))
  bytes[start] = length
  const end = start + 1 + length
  for (let at = 0; at < SECONDS_BYTES; at++) bytes[end + at] = seconds >>> (8 * at)
  return end + SECONDS_BYTES
}

const encoder = new TextEncoder()

/** The body of an entry without texts is all of it. */
export function hasTexts(shape: number): boolean {
  return (shape & TEXTS) !== 0
}

/** The texts of an entry, and where its body is. */
export interface EntryTexts {
  readonly name: string | null
  readonly subjectName: string | null
  readonly event: string | null
  readonly key: string | null
  /** When a message that has a key was added, in seconds since 1970; else 0. */
  readonly seconds: number
  readonly bodyStart: number
  readonly bodyEnd: number
}

export function textsOf({ words, bytes }: EntryMemory, at: number): EntryTexts {
  const shape = words[at] as number
  const first = (at + HEADER_WORDS) * WORD_BYTES
  const bodyEnd = first + (shape & PAYLOAD_BYTES_MAX)
  let next = isChange(kindOf(shape)) ? first + WORD_BYTES : first
  const text = (flag: number): string | null => {
    if ((shape & flag) === 0) return null
    const start = next + 1
    next = start + (bytes[next] as number)
    return flag === FLAG.keyed
      ? decodeUtf8({ bytes, start, end: next })
      : latin1Of(bytes, start, next)
  }
  const name = text(FLAG.named)
  const subjectName = text(FLAG.subjectNamed)
  const event = text(FLAG.event)
  const key = text(FLAG.keyed)
  if (key === null) return { name, subjectName, event, key, seconds: 0, bodyStart: next, bodyEnd }
  let seconds = 0
  for (let byte = 0; byte < SECONDS_BYTES; byte++) {
    seconds += (bytes[next + byte] as number) * 2 ** (8 * byte)
  }
  return { name, subjectName, event, key, seconds, bodyStart: next + SECONDS_BYTES, bodyEnd }
}

/** Are the texts within the entry? Asked of one that was read from a file. */
export function areTextsWhole({ words, bytes }: EntryMemory, at: number): boolean {
  const shape = words[at] as number
  const start = (at + HEADER_WORDS) * WORD_BYTES
  const isOfChange = isChange(kindOf(shape))
  const textsStart = isOfChange ? start + WORD_BYTES : start
  const end = start + (shape & PAYLOAD_BYTES_MAX)
  const textsEnd = (shape & TEXTS) === 0 ? textsStart : endOfTexts(bytes, textsStart, shape)
  return isMessage(kindOf(shape)) ? textsEnd < end : textsEnd === end
}

/**
 * A number that differs if any bit of an entry or its place in the log does. What is of this
 * process is not part of it: the numbers of those that have names, and the distance. Each step can
 * be undone, so one word that differs always shows; two lanes, since a step waits for the one
 * before it.
 *
 * @param number its low 32 bits
 */
export function checkOf(words: Uint32Array, at: number, epochLow: number, number: number): number {
  const shape = words[at] as number
  let left = mixed(Math.imul(epochLow, 0x85ebca6b), number)
  let right = mixed(0, shape)
  left = mixed(left, (shape & FLAG.named) === 0 ? (words[at + WORD.target] as number) : 0)
  const end = at + wordsOf(shape)
  let next = at + HEADER_WORDS
  if (isChange(kindOf(shape))) {
    right = mixed(right, (shape & FLAG.subjectNamed) === 0 ? (words[next] as number) : 0)
    next++
  }
  for (; next + 1 < end; next += 2) {
    left = mixed(left, words[next] as number)
    right = mixed(right, words[next + 1] as number)
  }
  if (next < end) left = mixed(left, words[next] as number)
  return mixed(left, right) >>> 0
}

function mixed(hash: number, word: number): number {
  const product = Math.imul(hash ^ word, 0x9e3779b1)
  return (product << 13) | (product >>> 19)
}
