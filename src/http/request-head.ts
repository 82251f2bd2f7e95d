// Reads the head of an HTTP/1.1 request (RFC 9112, RFC 9110) from bytes: strictly, so that nothing
// in front of comet can read the same bytes as another request. No I/O.

import { parseHost } from '../core/address.ts'
import { latin1Of } from '../core/bytes.ts'
import { httpLimits } from '../core/http-limits.ts'
import { FieldLines, NUMBERS_PER_FIELD } from './field-lines.ts'
import { type RejectedRequest, type RequestErrorCode, rejected } from './request-errors.ts'

/** What follows the head (RFC 9112 section 6.3); a body of length 0 is none. */
export type BodyFraming =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly length: number }
  | { readonly kind: 'chunked' }

const NO_BODY: BodyFraming = { kind: 'none' }
const CHUNKED: BodyFraming = { kind: 'chunked' }

export interface CompleteHead {
  readonly kind: 'complete'
  readonly head: RequestHead
  /** Counts its last empty line and the empty lines before it. */
  readonly length: number
}

export type HeadResult =
  /** All bytes are valid so far. */
  { readonly kind: 'incomplete' } | CompleteHead | RejectedRequest

const INCOMPLETE: HeadResult = { kind: 'incomplete' }

const TAB = 0x09
const LF = 0x0a
const CR = 0x0d
const SPACE = 0x20
const SLASH = 0x2f
const ZERO = 0x30
const ONE = 0x31
const NINE = 0x39
const COLON = 0x3a
/** Of CONNECT. */
const LETTER_C = 0x43

/** Of each byte: may it be part of a token, of a target, of a field's value? */
export const TOKEN = 1
const TARGET = 2
export const VALUE = 4
export const BYTE_KINDS = Uint8Array.from({ length: 256 }, (_, byte) => {
  const char = String.fromCharCode(byte)
  const isVisible = byte > SPACE && byte < 0x7f
  return (
    (/[\w!#$%&'*+.^`|~-]/.test(char) ? TOKEN : 0) |
    (isVisible ? TARGET : 0) |
    (isVisible || byte >= 0x80 || byte === SPACE || byte === TAB ? VALUE : 0)
  )
})

/** A version; its two digits are checked apart. */
const VERSION = Buffer.from('HTTP/1.1')
const MAJOR_AT = 5
const MINOR_AT = 7

export interface RequestHead {
  readonly method: string
  /** As it was sent. */
  readonly target: string
  /**
   * The path of the target, not decoded and without the query: `*` of `OPTIONS *`, empty for
   * CONNECT. A `#` is part of it, since a request has no fragment, so that no route matches.
   */
  readonly path: string
  /** What follows the first `?` of the target. */
  readonly query: string
  /** Of HTTP/1.0 or HTTP/1.1. */
  readonly minor: 0 | 1
  /**
   * The host that the request is for, as `parseHost` writes it; null if a request of HTTP/1.0 names
   * none.
   */
  readonly host: string | null
  /** Names in lower case, each followed by its value. Made anew each time, for all of them. */
  readonly fields: readonly string[]
  readonly framing: BodyFraming
  /** May another request follow on the connection (RFC 9112 section 9.3)? */
  readonly keepAlive: boolean
  /** Does the client wait for a 100 before it sends the body (RFC 9110 section 10.1.1)? */
  readonly expectsContinue: boolean
  /** A field's value, by its name in lower case; several lines are joined. Null without any. */
  header(name: string): string | null
}

/**
 * Reads the head that begins at `start`. Hot path: once a request.
 *
 * Bytes are judged from the first to the last, and the rules for all fields together at the end of
 * the head, so the result is the same however the bytes are cut. A head that arrives slowly is read
 * again only when one more of its lines is complete.
 *
 * @param end of the bytes that have arrived
 * @param searchedTo the end when this head was incomplete before
 */
export function readRequestHead(
  bytes: Uint8Array,
  start: number,
  end: number,
  searchedTo = start,
): HeadResult {
  if (searchedTo > start && end - start < httpLimits.headBytesMax) {
    const lineEnd = bytes.indexOf(LF, searchedTo)
    if (lineEnd < 0 || lineEnd >= end) return INCOMPLETE
  }
  return scanner.read(bytes, start, end)
}

/** Finds the parts of a head. One for all: what it holds is valid during a call only. */
class HeadScanner {
  #at = 0
  #limit = 0
  #minor: 0 | 1 = 1
  /** Of a target that is no path: the line is read when its end is. */
  #line: RequestLine | null = null
  #methodAt = 0
  #targetAt = 0
  #targetEnd = 0
  #fieldCount = 0
  readonly #fields = new Int32Array(httpLimits.fieldsMax * NUMBERS_PER_FIELD)

  read(bytes: Uint8Array, start: number, end: number): HeadResult {
    this.#at = start
    this.#limit = Math.min(end, start + httpLimits.headBytesMax)
    const ended = this.#emptyLines(bytes) ?? this.#requestLine(bytes) ?? this.#fieldLines(bytes)
    if (ended === null) return this.#head(bytes, start)
    const isTooLong = ended === INCOMPLETE && end - start >= httpLimits.headBytesMax
    return isTooLong ? rejected('head_too_long') : ended
  }

  #emptyLines(bytes: Uint8Array): HeadResult | null {
    for (let count = 0; this.#at < this.#limit && bytes[this.#at] === CR; count++) {
      if (count === httpLimits.emptyLinesMax) return rejected('invalid_request_line')
      const wrong = this.#lineEnd(bytes, this.#at)
      if (wrong !== null) return wrong
    }
    return null
  }

  #requestLine(bytes: Uint8Array): HeadResult | null {
    const limit = this.#limit
    const methodAt = this.#at
    let at = methodAt
    const methodLimit = Math.min(limit, methodAt + httpLimits.methodBytesMax + 1)
    while (at < methodLimit && (kindsOf(bytes, at) & TOKEN) !== 0) at++
    if (at - methodAt > httpLimits.methodBytesMax) return rejected('unknown_method')
    if (at === limit) return INCOMPLETE
    if (at === methodAt || bytes[at] !== SPACE) return rejected('invalid_request_line')
    const targetAt = at + 1
    at = targetAt
    const targetLimit = Math.min(limit, targetAt + httpLimits.targetBytesMax + 1)
    while (at < targetLimit && (kindsOf(bytes, at) & TARGET) !== 0) at++
    if (at - targetAt > httpLimits.targetBytesMax) return rejected('target_too_long')
    if (at === limit) return INCOMPLETE
    if (at === targetAt || bytes[at] !== SPACE) return rejected('invalid_request_line')
    this.#at = at + 1
    const wrong = this.#version(bytes)
    if (wrong !== null) return wrong
    this.#methodAt = methodAt
    this.#targetAt = targetAt
    this.#targetEnd = at
    this.#line = null
    // A path is valid for all methods but that of a tunnel.
    if (bytes[targetAt] === SLASH && bytes[methodAt] !== LETTER_C) return null
    const method = latin1Of(bytes, methodAt, targetAt - 1)
    const target = latin1Of(bytes, targetAt, at)
    this.#line = parseRequestLine(method, target)
    return this.#line === null ? rejected('invalid_target') : null
  }

  #version(bytes: Uint8Array): HeadResult | null {
    const from = this.#at
    const end = Math.min(this.#limit, from + VERSION.length)
    for (let at = from; at < end; at++) {
      const byte = bytes[at] as number
      const place = at - from
      const isDigit = byte >= ZERO && byte <= NINE
      const isRight = place === MAJOR_AT || place === MINOR_AT ? isDigit : byte === VERSION[place]
      if (!isRight) return rejected('invalid_request_line')
    }
    if (end - from < VERSION.length) return INCOMPLETE
    const wrong = this.#lineEnd(bytes, end)
    if (wrong !== null) return wrong
    const minor = bytes[from + MINOR_AT] as number
    if (bytes[from + MAJOR_AT] !== ONE || minor > ONE) return rejected('unsupported_version')
    this.#minor = minor === ONE ? 1 : 0
    return null
  }

  #fieldLines(bytes: Uint8Array): HeadResult | null {
    const limit = this.#limit
    let count = 0
    for (; this.#at < limit && bytes[this.#at] !== CR; count++) {
      if (count === httpLimits.fieldsMax) return rejected('too_many_fields')
      const nameAt = this.#at
      let at = nameAt
      while (at < limit && (kindsOf(bytes, at) & TOKEN) !== 0) at++
      if (at === limit) return INCOMPLETE
      if (at === nameAt || bytes[at] !== COLON) return rejected('invalid_field')
      const nameEnd = at++
      while (at < limit && isBlank(bytes[at])) at++
      const valueAt = at
      while (at < limit && (kindsOf(bytes, at) & VALUE) !== 0) at++
      if (at === limit) return INCOMPLETE
      if (bytes[at] !== CR && bytes[at] !== LF) return rejected('invalid_field')
      const wrong = this.#lineEnd(bytes, at)
      if (wrong !== null) return wrong
      while (at > valueAt && isBlank(bytes[at - 1])) at--
      const fields = this.#fields
      const place = count * NUMBERS_PER_FIELD
      fields[place] = nameAt
      fields[place + 1] = nameEnd
      fields[place + 2] = valueAt
      fields[place + 3] = at
    }
    if (this.#at >= limit) return INCOMPLETE
    this.#fieldCount = count
    return this.#lineEnd(bytes, this.#at)
  }

  /** Passes over CR LF. */
  #lineEnd(bytes: Uint8Array, at: number): HeadResult | null {
    if (at >= this.#limit) return INCOMPLETE
    if (bytes[at] !== CR) return rejected('invalid_line_end')
    if (at + 1 >= this.#limit) return INCOMPLETE
    if (bytes[at + 1] !== LF) return rejected('invalid_line_end')
    this.#at = at + 2
    return null
  }

  #head(bytes: Uint8Array, start: number): HeadResult {
    const end = this.#at
    // One text for all takes half the time of decoding its parts one by one.
    const text = latin1Of(bytes, start, end)
    const line = this.#line ?? this.#pathLine(text, start)
    const places: number[] = []
    const count = this.#fieldCount * NUMBERS_PER_FIELD
    for (let at = 0; at < count; at++) places.push((this.#fields[at] as number) - start)
    const head = new Head(line, this.#minor, text, places)
    const code = head.readHost() ?? head.readFraming() ?? head.readExpectation()
    return code === null ? { kind: 'complete', head, length: end - start } : rejected(code)
  }

  #pathLine(text: string, start: number): RequestLine {
    const method = text.slice(this.#methodAt - start, this.#targetAt - start - 1)
    const target = text.slice(this.#targetAt - start, this.#targetEnd - start)
    return lineOf(method, target, target, null)
  }
}

const scanner = new HeadScanner()

function kindsOf(bytes: Uint8Array, at: number): number {
  return BYTE_KINDS[bytes[at] as number] as number
}

function isBlank(byte: number | undefined): boolean {
  return byte === SPACE || byte === TAB
}

interface RequestLine {
  readonly method: string
  readonly target: string
  readonly path: string
  readonly query: string
  /** Of a target in absolute form; null in all others. */
  readonly authority: string | null
}

/** Null if the target has none of the four forms of RFC 9112 section 3.2. */
function parseRequestLine(method: string, target: string): RequestLine | null {
  const line = { method, target, query: '', authority: null }
  if (method === 'CONNECT') {
    const isAuthority = /:\d+$/.test(target) && parseHost(target) !== undefined
    return isAuthority ? { ...line, path: '' } : null
  }
  if (target === '*') return method === 'OPTIONS' ? { ...line, path: '*' } : null
  let authority: string | null = null
  let rest = target
  if (!target.startsWith('/')) {
    ;[, authority = '', rest = ''] = /^https?:\/\/([^/?#]*)(.*)$/i.exec(target) ?? []
    if (parseHost(authority) === undefined) return null
  }
  return lineOf(method, target, rest, authority)
}

/** @param rest what follows the authority: a path and a query, each of which may be missing */
function lineOf(
  method: string,
  target: string,
  rest: string,
  authority: string | null,
): RequestLine {
  const mark = rest.indexOf('?')
  const path = (mark < 0 ? rest : rest.slice(0, mark)) || '/'
  return { method, target, path, query: mark < 0 ? '' : rest.slice(mark + 1), authority }
}

class Head extends FieldLines implements RequestHead {
  readonly method: string
  readonly target: string
  readonly path: string
  readonly query: string
  readonly minor: 0 | 1
  host: string | null = null
  framing: BodyFraming = NO_BODY
  expectsContinue = false
  readonly #authority: string | null
  #keepAlive: boolean | null = null

  constructor(line: RequestLine, minor: 0 | 1, text: string, places: readonly number[]) {
    super(text, places)
    this.method = line.method
    this.target = line.target
    this.path = line.path
    this.query = line.query
    this.minor = minor
    this.#authority = line.authority
  }

  get keepAlive(): boolean {
    this.#keepAlive ??= this.#readKeepAlive()
    return this.#keepAlive
  }

  #readKeepAlive(): boolean {
    const connection = this.header('connection')
    if (connection === null) return this.minor === 1
    return !CLOSE.test(connection) && (this.minor === 1 || KEEP_ALIVE.test(connection))
  }

  /** The host of an absolute form is the one that counts (RFC 9112 section 3.2.2). */
  header(name: string): string | null {
    return this.#authority !== null && name === 'host' ? this.#authority : this.line(name)
  }

  get fields(): string[] {
    const fields = this.lines()
    if (this.#authority === null) return fields
    const at = fields.findIndex((text, place) => place % 2 === 0 && text === 'host')
    if (at >= 0) fields[at + 1] = this.#authority
    else fields.push('host', this.#authority)
    return fields
  }

  readHost(): RequestErrorCode | null {
    const text = this.line('host')
    const host = text === null ? null : hostOf(text)
    if (host === undefined || (host === null && this.minor === 1)) return 'invalid_host'
    this.host = this.#authority === null ? host : (hostOf(this.#authority) ?? null)
    return null
  }

  /** RFC 9112 section 6.3. */
  readFraming(): RequestErrorCode | null {
    const length = this.header('content-length')
    const coding = this.header('transfer-encoding')
    if (coding !== null) {
      if (this.minor === 0) return 'old_transfer_encoding'
      if (length !== null) return 'two_lengths'
      this.framing = CHUNKED
      return coding.toLowerCase() === 'chunked' ? null : codingError(coding)
    }
    if (length === null) return null
    // A list of equal numbers is one in RFC 9110 section 8.6, but only a broken client sends it.
    if (!/^\d+$/.test(length)) return 'invalid_content_length'
    const bytes = Number(length)
    if (!Number.isSafeInteger(bytes)) return 'body_too_long'
    if (bytes > 0) this.framing = { kind: 'length', length: bytes }
    return null
  }

  readExpectation(): RequestErrorCode | null {
    const expectation = this.header('expect')
    if (expectation === null) return null
    if (expectation.toLowerCase() !== '100-continue') return 'unknown_expectation'
    // HTTP/1.0 has no 100, and without a body there is nothing to wait for.
    this.expectsContinue = this.minor === 1 && this.framing.kind !== 'none'
    return null
  }
}

/** The last host that was read: most requests of a port are for the same. */
let lastText = ''
let lastHost: string | undefined

function hostOf(text: string): string | undefined {
  if (text === lastText) return lastHost
  lastHost = parseHost(text)
  lastText = text
  return lastHost
}

const CLOSE = /(?:^|,)[ \t]*close[ \t]*(?:,|$)/i
const KEEP_ALIVE = /(?:^|,)[ \t]*keep-alive[ \t]*(?:,|$)/i

/** Why a Transfer-Encoding other than `chunked` alone is rejected. */
function codingError(coding: string): RequestErrorCode {
  const codings = coding.toLowerCase().split(/[ \t]*,[ \t]*/)
  const isList = codings.every((each) => /^[\w!#$%&'*+.^`|~-]+$/.test(each))
  const chunkedAt = codings.indexOf('chunked')
  const isLast = chunkedAt < 0 || chunkedAt === codings.length - 1
  return isList && isLast ? 'unknown_transfer_encoding' : 'invalid_transfer_encoding'
}
