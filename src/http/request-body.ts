// Reads the body of an HTTP/1.1 request from bytes that arrive in pieces: by length or by chunks
// (RFC 9112 sections 6.3 and 7.1). No I/O, and nothing is copied or kept.

import { httpLimits } from '../core/http-limits.ts'
import { type RejectedRequest, type RequestErrorCode, rejected } from './request-errors.ts'
import { type BodyFraming, BYTE_KINDS, TOKEN, VALUE } from './request-head.ts'

export type BodyResult =
  /** All bytes of the piece belong to the body, and more must follow. */
  | { readonly kind: 'incomplete' }
  /** So many bytes of the piece belong to the body; behind them the next request begins. */
  | { readonly kind: 'complete'; readonly length: number }
  | RejectedRequest

const INCOMPLETE: BodyResult = { kind: 'incomplete' }

/** Called with each piece of data: a view of the piece that was read, valid during the call. */
export type OnData = (data: Uint8Array) => void

/** What the next byte of a chunked body belongs to. */
type Part =
  | 'size-start'
  | 'size'
  | 'extension'
  | 'name-start'
  | 'name'
  | 'name-end'
  | 'value-start'
  | 'value'
  | 'quoted'
  | 'escaped'
  | 'value-end'
  | 'line-feed'
  | 'data'
  | 'data-return'
  | 'data-feed'
  | 'trailer-start'
  | 'trailer-name'
  | 'trailer-value'
  | 'trailer-feed'
  | 'last-feed'

const TAB = 0x09
const LF = 0x0a
const CR = 0x0d
const SPACE = 0x20
const QUOTE = 0x22
const COLON = 0x3a
const SEMICOLON = 0x3b
const EQUALS = 0x3d
const BACKSLASH = 0x5c

/** Reads one body. */
export class BodyReader {
  readonly #onData: OnData
  readonly #isChunked: boolean
  /** Bytes of the data still to come: of the body, or of the chunk. */
  #left: number
  #part: Part = 'size-start'
  #digits = 0
  /** Bytes of the extensions of this chunk, of all chunks, and of the trailer section. */
  #extensionBytes = 0
  #bodyExtensionBytes = 0
  #trailerBytes = 0

  constructor(framing: BodyFraming, onData: OnData) {
    this.#onData = onData
    this.#isChunked = framing.kind === 'chunked'
    this.#left = framing.kind === 'length' ? framing.length : 0
  }

  /**
   * Reads a piece, from `start` to before `end`. Not to be called again after the body was complete
   * or was rejected.
   */
  read(bytes: Uint8Array, start: number, end: number): BodyResult {
    if (!this.#isChunked) {
      const next = this.#data(bytes, start, end)
      return this.#left === 0 ? { kind: 'complete', length: next - start } : INCOMPLETE
    }
    for (let at = start; at < end; ) {
      if (this.#part === 'data') {
        at = this.#data(bytes, at, end)
        if (this.#left === 0) this.#part = 'data-return'
        continue
      }
      const byte = bytes[at++] as number
      if (this.#part === 'last-feed') {
        if (byte !== LF) return rejected('invalid_line_end')
        return { kind: 'complete', length: at - start }
      }
      const code = this.#framing(byte)
      if (code !== null) return rejected(code)
    }
    return INCOMPLETE
  }

  #data(bytes: Uint8Array, at: number, end: number): number {
    const next = Math.min(end, at + this.#left)
    if (next === at) return at
    this.#left -= next - at
    this.#onData(bytes.subarray(at, next))
    return next
  }

  /** A byte that is no data. */
  #framing(byte: number): RequestErrorCode | null {
    switch (this.#part) {
      case 'size-start':
      case 'size':
        return this.#size(byte)
      case 'line-feed':
        return this.#expect(byte, LF, this.#left > 0 ? 'data' : 'trailer-start')
      case 'data-return':
        return this.#expect(byte, CR, 'data-feed')
      case 'data-feed':
        return this.#expect(byte, LF, 'size-start')
      case 'trailer-start':
      case 'trailer-name':
      case 'trailer-value':
      case 'trailer-feed':
        return this.#trailer(byte)
      default:
        return this.#extension(byte)
    }
  }

  #size(byte: number): RequestErrorCode | null {
    const digit = hexDigit(byte)
    if (this.#part === 'size-start') {
      if (digit < 0) return 'invalid_chunk'
      this.#part = 'size'
      this.#digits = 0
      this.#extensionBytes = 0
    } else if (digit < 0) {
      if (byte !== CR) return this.#extension(byte, 'extension')
      this.#part = 'line-feed'
      return null
    }
    this.#left = this.#left * 16 + digit
    this.#digits++
    const isTooLong =
      this.#digits > httpLimits.chunkSizeDigitsMax || !Number.isSafeInteger(this.#left)
    return isTooLong ? 'body_too_long' : null
  }

  /** Extensions (RFC 9112 section 7.1.1) are checked and dropped. */
  #extension(byte: number, part = this.#part): RequestErrorCode | null {
    const next = afterExtensionByte(part, byte)
    if (next === null) return 'invalid_chunk'
    this.#part = next
    if (next === 'line-feed') return null
    const isTooLong =
      ++this.#extensionBytes > httpLimits.chunkExtensionBytesMax ||
      ++this.#bodyExtensionBytes > httpLimits.bodyExtensionBytesMax
    return isTooLong ? 'chunk_extensions_too_long' : null
  }

  /** Trailer fields (RFC 9112 section 7.1.2) are checked as those of a head, and dropped. */
  #trailer(byte: number): RequestErrorCode | null {
    const isFirst = this.#part === 'trailer-start'
    if (isFirst && byte === CR) return this.#expect(byte, CR, 'last-feed')
    if (++this.#trailerBytes > httpLimits.trailerBytesMax) return 'trailers_too_long'
    const kinds = BYTE_KINDS[byte] as number
    switch (this.#part) {
      case 'trailer-start':
      case 'trailer-name':
        if (!isFirst && byte === COLON) this.#part = 'trailer-value'
        else if ((kinds & TOKEN) !== 0) this.#part = 'trailer-name'
        else return 'invalid_field'
        return null
      case 'trailer-value':
        if (byte === CR) this.#part = 'trailer-feed'
        else if ((kinds & VALUE) === 0) return 'invalid_field'
        return null
      default:
        return this.#expect(byte, LF, 'trailer-start')
    }
  }

  #expect(byte: number, expected: number, next: Part): RequestErrorCode | null {
    if (byte !== expected) return 'invalid_line_end'
    this.#part = next
    return null
  }
}

/** What follows a byte of `;name`, `;name=token` or `;name="text"`; null if it is invalid. */
function afterExtensionByte(part: Part, byte: number): Part | null {
  const kinds = BYTE_KINDS[byte] as number
  const isBlank = byte === SPACE || byte === TAB
  const isToken = (kinds & TOKEN) !== 0
  const isValue = (kinds & VALUE) !== 0
  if (part === 'quoted' || part === 'escaped') {
    if (part === 'quoted' && byte === QUOTE) return 'value-end'
    if (part === 'quoted' && byte === BACKSLASH) return 'escaped'
    return isValue ? 'quoted' : null
  }
  if (isToken) return AFTER_TOKEN[part] ?? null
  if (isBlank) return AFTER_BLANK[part] ?? null
  switch (byte) {
    case SEMICOLON:
      return part === 'name-start' || part === 'value-start' ? null : 'name-start'
    case EQUALS:
      return part === 'name' || part === 'name-end' ? 'value-start' : null
    case QUOTE:
      return part === 'value-start' ? 'quoted' : null
    case CR:
      // A blank belongs to the `;` or `=` behind it, so none may end the line.
      return part === 'name' || part === 'value' || part === 'value-end' ? 'line-feed' : null
    default:
      return null
  }
}

const AFTER_TOKEN: Partial<Record<Part, Part>> = {
  'name-start': 'name',
  name: 'name',
  'value-start': 'value',
  value: 'value',
}

const AFTER_BLANK: Partial<Record<Part, Part>> = {
  extension: 'extension',
  'name-start': 'name-start',
  name: 'name-end',
  'name-end': 'name-end',
  'value-start': 'value-start',
  value: 'extension',
  'value-end': 'extension',
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}
