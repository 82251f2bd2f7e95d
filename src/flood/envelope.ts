// What a message of `/stream` has around its body: reads the objects of the json and websocket
// formats and the events of server-sent events, in place and strictly. Nothing but what the format
// has is valid.

import { CURSOR_LENGTH } from '../core/cursor.ts'
import { decodeUtf8 } from '../core/utf8.ts'
import { isAt, JsonReader } from './json-reader.ts'

/**
 * `nothing` keeps the connection alive; `place` is the cursor alone; `invalid` is none of the
 * format.
 */
export const ENVELOPE = { invalid: 0, nothing: 1, place: 2, message: 3, gap: 4, end: 5 } as const

export type EnvelopeKind = (typeof ENVELOPE)[keyof typeof ENVELOPE]

/** Why a gap was told, by number. */
export const GAP_REASONS = ['lost', 'too_many', 'unknown'] as const
/** Why a stream ended, by number; 0 is for one that was not told. */
export const END_REASONS = [null, 'expired', 'drained', 'ended'] as const

const QUOTE = 0x22
const COMMA = 0x2c
const BRACE = 0x7b
const BRACE_END = 0x7d
const BRACKET = 0x5b
const BRACKET_END = 0x5d
const COLON = 0x3a
const SPACE = 0x20
const DASH = 0x2d
const CR = 0x0d
const LF = 0x0a

function word(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text))
}

/** Fields of objects, as bits of those that came. */
const FIELD = {
  id: 1,
  subject: 2,
  to: 4,
  event: 8,
  body: 16,
  data: 32,
  gap: 64,
  end: 128,
  note: 256,
  after: 512,
  resume: 1024,
  reason: 2048,
} as const

const FIELDS = Object.entries(FIELD).map(([name, bit]) => ({ bytes: word(name), bit }))

const GAP_FIELDS = FIELD.after | FIELD.resume | FIELD.reason
const END_FIELDS = FIELD.end | FIELD.note
const TARGETS = FIELD.subject | FIELD.to
const CONTENTS = FIELD.body | FIELD.data
/** Those of the object of a json line. */
const OUTER = FIELD.id | TARGETS | FIELD.event | CONTENTS | FIELD.gap | END_FIELDS

const GAP_WORDS = GAP_REASONS.map(word)
const END_WORDS = END_REASONS.map((reason) => word(reason ?? ''))

/** Fields of events; a line of another is not of the format. */
const ID_FIELD = word('id')
const EVENT_FIELD = word('event')
const DATA_FIELD = word('data')
const START_EVENT = word('start')
const GAP_EVENT = word('gap')
const END_EVENT = word('end')

/** A cursor, as its two numbers. */
export interface Place {
  epoch: number
  number: number
}

/** Filled by one message after another; one is enough for a process. */
export class Envelope {
  kind: EnvelopeKind = ENVELOPE.invalid
  /** Of a place or a message. */
  readonly id: Place = { epoch: 0, number: 0 }
  /** Of a gap: the cursor that the client sent, where the stream goes on, an index of reasons. */
  readonly after: Place = { epoch: 0, number: 0 }
  readonly resume: Place = { epoch: 0, number: 0 }
  gapReason = 0
  /** Of an end: an index of reasons. */
  endReason = 0
  /** Of a message: its body, or the last line of it, without quotes. */
  bodyStart = 0
  bodyEnd = 0
  readonly #json = new JsonReader()

  /** Reads an object of the json or websocket format. Hot path: once a message. */
  readObject(bytes: Uint8Array, start: number, end: number): EnvelopeKind {
    this.#json.begin(bytes, start, end)
    const fields = this.#fields(bytes, OUTER)
    const isWhole = fields !== 0 && this.#json.isOver()
    const isText = !this.#json.hasHighBytes || decodeUtf8({ bytes, start, end }) !== null
    this.kind = isWhole && isText ? kindOf(fields) : ENVELOPE.invalid
    // A note says why an operator has ended the stream.
    const hasNote = (fields & FIELD.note) !== 0
    if (hasNote && END_REASONS[this.endReason] !== 'ended') this.kind = ENVELOPE.invalid
    return this.kind
  }

  /**
   * Reads an array of such objects; `onEach` is called behind each, and ends it by returning false.
   * Answers whether all of it was read and is valid.
   */
  readArray(bytes: Uint8Array, start: number, end: number, onEach: () => boolean): boolean {
    const json = this.#json
    json.begin(bytes, start, end)
    if (!json.take(BRACKET)) return false
    if (json.take(BRACKET_END)) return json.isOver()
    do {
      this.kind = kindOf(this.#fields(bytes, OUTER))
      const isText = !json.hasHighBytes || decodeUtf8({ bytes, start, end: json.at }) !== null
      if (this.kind === ENVELOPE.invalid || !isText || !onEach()) return false
    } while (json.take(COMMA))
    return json.take(BRACKET_END) && json.isOver()
  }

  /**
   * Reads an event, or what comes between events: all its lines, each with its end. Hot path: once
   * a message.
   */
  readEvent(bytes: Uint8Array, start: number, end: number): EnvelopeKind {
    this.kind = this.#event(bytes, start, end)
    return this.kind
  }

  /** The fields of an object, as bits; 0 if it is not valid or has others than those allowed. */
  #fields(bytes: Uint8Array, allowed: number): number {
    const json = this.#json
    if (!json.take(BRACE)) return 0
    let fields = 0
    do {
      if (!json.key()) return 0
      const field = fieldOf(bytes, json.start, json.end)
      if ((field & allowed & ~fields) === 0 || !this.#value(bytes, field)) return 0
      fields |= field
    } while (json.take(COMMA))
    return json.take(BRACE_END) ? fields : 0
  }

  #value(bytes: Uint8Array, field: number): boolean {
    const json = this.#json
    switch (field) {
      case FIELD.id:
        return json.string() && readPlace(bytes, json.start, json.end, this.id)
      case FIELD.after:
        return json.string() && readPlace(bytes, json.start, json.end, this.after)
      case FIELD.resume:
        return json.string() && readPlace(bytes, json.start, json.end, this.resume)
      case FIELD.subject:
      case FIELD.to:
        return json.peek() === QUOTE ? this.#text() : this.#id(bytes)
      case FIELD.event:
        return this.#text()
      case FIELD.note:
        return json.string()
      case FIELD.body:
        return json.string() && this.#body()
      case FIELD.data:
        return json.value() && this.#body()
      case FIELD.gap:
        return this.#fields(bytes, GAP_FIELDS) === GAP_FIELDS
      case FIELD.reason:
        this.gapReason = json.string() ? indexOf(bytes, json.start, json.end, GAP_WORDS) : -1
        return this.gapReason >= 0
      default:
        this.endReason = json.string() ? indexOf(bytes, json.start, json.end, END_WORDS) : -1
        return this.endReason > 0
    }
  }

  #text(): boolean {
    return this.#json.string() && this.#json.end > this.#json.start
  }

  /** A user's number. */
  #id(bytes: Uint8Array): boolean {
    const json = this.#json
    if (!json.value() || json.end - json.start > 10) return false
    for (let at = json.start; at < json.end; at++) {
      if ((bytes[at] as number) < 0x30 || (bytes[at] as number) > 0x39) return false
    }
    return true
  }

  #body(): boolean {
    this.bodyStart = this.#json.start
    this.bodyEnd = this.#json.end
    return true
  }

  #event(bytes: Uint8Array, start: number, end: number): EnvelopeKind {
    let hasId = false
    /** Of its name: where it begins, and its length; -1 for none. */
    let nameStart = 0
    let nameLength = -1
    let dataLines = 0
    let hasHighBytes = false
    for (let at = start; at < end; ) {
      let lineEnd = at
      let colon = -1
      for (; lineEnd < end; lineEnd++) {
        const byte = bytes[lineEnd] as number
        if (byte === LF || byte === CR) break
        if (byte === COLON && colon < 0) colon = lineEnd
        if (byte >= 0x80) hasHighBytes = true
      }
      const fieldEnd = colon < 0 ? lineEnd : colon
      const from = colon < 0 ? lineEnd : bytes[colon + 1] === SPACE ? colon + 2 : colon + 1
      const valueStart = Math.min(from, lineEnd)
      if (isWord(bytes, at, fieldEnd, DATA_FIELD)) {
        dataLines++
        this.bodyStart = valueStart
        this.bodyEnd = lineEnd
      } else if (isWord(bytes, at, fieldEnd, ID_FIELD)) {
        if (hasId || !readPlace(bytes, valueStart, lineEnd, this.id)) return ENVELOPE.invalid
        hasId = true
      } else if (isWord(bytes, at, fieldEnd, EVENT_FIELD)) {
        if (nameLength >= 0 || valueStart === lineEnd) return ENVELOPE.invalid
        nameStart = valueStart
        nameLength = lineEnd - valueStart
      } else if (fieldEnd > at) return ENVELOPE.invalid
      at = lineEnd + (bytes[lineEnd] === CR && bytes[lineEnd + 1] === LF ? 2 : 1)
    }
    if (hasHighBytes && decodeUtf8({ bytes, start, end }) === null) return ENVELOPE.invalid
    const nameEnd = nameStart + nameLength
    if (nameLength >= 0 && isWord(bytes, nameStart, nameEnd, START_EVENT)) {
      return hasId && dataLines === 1 ? this.#start(bytes) : ENVELOPE.invalid
    }
    if (nameLength >= 0 && isWord(bytes, nameStart, nameEnd, GAP_EVENT)) {
      return hasId || dataLines !== 1 ? ENVELOPE.invalid : this.#told(bytes, GAP_FIELDS)
    }
    if (nameLength >= 0 && isWord(bytes, nameStart, nameEnd, END_EVENT)) {
      return hasId || dataLines !== 1 ? ENVELOPE.invalid : this.#told(bytes, END_FIELDS)
    }
    if (dataLines > 0) return hasId ? ENVELOPE.message : ENVELOPE.invalid
    // Not every client keeps the id of an event without data.
    return nameLength >= 0 || hasId ? ENVELOPE.invalid : ENVELOPE.nothing
  }

  /** The object that is the data of a start, with the id that its event has. */
  #start(bytes: Uint8Array): EnvelopeKind {
    const { epoch, number } = this.id
    this.#json.begin(bytes, this.bodyStart, this.bodyEnd)
    const fields = this.#fields(bytes, FIELD.id)
    const isSame = this.id.epoch === epoch && this.id.number === number
    return fields !== 0 && isSame && this.#json.isOver() ? ENVELOPE.place : ENVELOPE.invalid
  }

  /** The object that is the data of a gap or an end. */
  #told(bytes: Uint8Array, wanted: number): EnvelopeKind {
    const [start, end] = [this.bodyStart, this.bodyEnd]
    this.#json.begin(bytes, start, end)
    const fields = this.#fields(bytes, wanted)
    if (!this.#json.isOver()) return ENVELOPE.invalid
    if (wanted === GAP_FIELDS) return fields === wanted ? ENVELOPE.gap : ENVELOPE.invalid
    const hasNote = fields === END_FIELDS && END_REASONS[this.endReason] === 'ended'
    return fields === FIELD.end || hasNote ? ENVELOPE.end : ENVELOPE.invalid
  }
}

function kindOf(fields: number): EnvelopeKind {
  switch (fields) {
    case FIELD.id:
      return ENVELOPE.place
    case FIELD.gap:
      return ENVELOPE.gap
    case FIELD.end:
    case END_FIELDS:
      return ENVELOPE.end
    default:
      return isMessage(fields) ? ENVELOPE.message : ENVELOPE.invalid
  }
}

function isMessage(fields: number): boolean {
  const allowed = FIELD.id | TARGETS | CONTENTS | FIELD.event
  const [target, content] = [fields & TARGETS, fields & CONTENTS]
  if ((fields & ~allowed) !== 0 || (fields & FIELD.id) === 0) return false
  return target !== 0 && target !== TARGETS && content !== 0 && content !== CONTENTS
}

function fieldOf(bytes: Uint8Array, start: number, end: number): number {
  for (let at = 0; at < FIELDS.length; at++) {
    const field = FIELDS[at] as (typeof FIELDS)[number]
    if (isWord(bytes, start, end, field.bytes)) return field.bit
  }
  return 0
}

function isWord(bytes: Uint8Array, start: number, end: number, wanted: Uint8Array): boolean {
  return end - start === wanted.length && isAt(bytes, start, end, wanted)
}

function indexOf(
  bytes: Uint8Array,
  start: number,
  end: number,
  words: readonly Uint8Array[],
): number {
  for (let at = 0; at < words.length; at++) {
    if (isWord(bytes, start, end, words[at] as Uint8Array)) return at
  }
  return -1
}

/** Digits of each part of a cursor. */
const PART = (CURSOR_LENGTH - 1) / 2

/** Reads a cursor without making a string. Hot path: once a message. */
export function readPlace(bytes: Uint8Array, start: number, end: number, into: Place): boolean {
  if (end - start !== CURSOR_LENGTH || bytes[start + PART] !== DASH) return false
  const epoch = hexNumber(bytes, start)
  const number = hexNumber(bytes, start + PART + 1)
  into.epoch = epoch
  into.number = number
  return epoch >= 0 && number >= 0
}

/** The number of a part; -1 if it is none. */
function hexNumber(bytes: Uint8Array, start: number): number {
  let value = 0
  for (let at = start; at < start + PART; at++) {
    const byte = bytes[at] as number
    if (byte >= 0x30 && byte <= 0x39) value = value * 16 + byte - 0x30
    else if (byte >= 0x61 && byte <= 0x66) value = value * 16 + byte - 0x57
    else return -1
  }
  return value
}
