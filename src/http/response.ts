// The bytes of an HTTP/1.1 response: status line, fields, body (RFC 9112 section 4).

import { copyInto } from '../core/bytes.ts'
import { httpLimits } from '../core/http-limits.ts'

/**
 * Values are Latin-1. Several are a line each, for `set-cookie`, which cannot be joined (RFC 9110
 * section 5.3).
 */
export type ReplyHeaders = Readonly<Record<string, string | readonly string[]>>

/** An answer whose body is known whole. */
export interface Reply {
  readonly status: number
  /** Without those of the message's framing, which are added. */
  readonly headers?: ReplyHeaders
  /** Text is sent as UTF-8. */
  readonly body?: string | Uint8Array
}

/** The same, after which the connection is closed. */
export function closingReply(reply: Reply): Reply {
  return { ...reply, headers: { ...reply.headers, connection: 'close' } }
}

export const CHUNKED = 'chunked'
/** HTTP/1.0 has no chunks. */
export const UNTIL_CLOSE = 'until close'

/** How a client finds the end of a body (RFC 9112 section 6.3): by its length in bytes, or so. */
export type ReplyFraming = number | typeof CHUNKED | typeof UNTIL_CLOSE

/** What follows from the request. See {@link replyContext}. */
export interface ReplyContext {
  readonly isHead: boolean
  /** May another request follow? */
  readonly keepAlive: boolean
  /** Of HTTP/1.0, a client that asked to keep the connection is told that it may. */
  readonly minor: 0 | 1
}

const CONTEXTS: readonly ReplyContext[] = Array.from({ length: 8 }, (_, bits) => ({
  isHead: (bits & 4) !== 0,
  keepAlive: (bits & 2) !== 0,
  minor: (bits & 1) !== 0 ? 1 : 0,
}))

/** Always the same object for the same values. */
export function replyContext(isHead: boolean, keepAlive: boolean, minor: 0 | 1): ReplyContext {
  return CONTEXTS[(isHead ? 4 : 0) | (keepAlive ? 2 : 0) | minor] as ReplyContext
}

const REASONS: Readonly<Record<number, string>> = {
  200: 'OK',
  204: 'No Content',
  304: 'Not Modified',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  410: 'Gone',
  413: 'Content Too Large',
  414: 'URI Too Long',
  415: 'Unsupported Media Type',
  417: 'Expectation Failed',
  421: 'Misdirected Request',
  422: 'Unprocessable Content',
  426: 'Upgrade Required',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
  505: 'HTTP Version Not Supported',
}

/** Informs a client that its body is wanted (RFC 9110 section 15.2.1). */
export const CONTINUE = Buffer.from('HTTP/1.1 100 Continue\r\n\r\n')

/** The last chunk of a body, without trailers. */
export const LAST_CHUNK = Buffer.from('0\r\n\r\n')

/** The answer to a request that met a bug. */
export const INTERNAL_ERROR: Reply = {
  status: 500,
  headers: { 'content-type': 'text/plain;charset=utf-8', connection: 'close' },
  body: 'Internal error\n',
}

const HAS_NO_BODY = new Set([204, 304])

/** RFC 9110 sections 5.1 and 5.5; of 16-bit characters only the lower half would be sent. */
const NAME = /^[\w!#$%&'*+.^`|~-]+$/
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

/**
 * The head of a response, as Latin-1.
 *
 * @throws Error for a header that would not be one line of its name and value
 */
export function responseHead(
  { status, headers = {} }: Reply,
  framing: ReplyFraming,
  { keepAlive, minor }: ReplyContext,
): string {
  const lines = fixedLines.get(headers) ?? fieldLines(headers)
  let text = `HTTP/1.1 ${status} ${REASONS[status] ?? ''}\r\n${lines}Date: ${date()}\r\n`
  if (!keepAlive) text += 'Connection: close\r\n'
  else if (minor === 0) text += 'Connection: keep-alive\r\n'
  if (framing === CHUNKED) text += 'Transfer-Encoding: chunked\r\n'
  else if (framing !== UNTIL_CLOSE && !HAS_NO_BODY.has(status)) {
    text += `Content-Length: ${framing}\r\n`
  }
  return `${text}\r\n`
}

/** The same as bytes. */
export function encodeHead(reply: Reply, framing: ReplyFraming, context: ReplyContext): Uint8Array {
  return Buffer.from(responseHead(reply, framing, context), 'latin1')
}

/** The lines of headers that many replies have. */
const fixedLines = new WeakMap<ReplyHeaders, string>()

/** Headers that many replies have, checked and written once. They must not be changed. */
export function fixedHeaders<Headers extends ReplyHeaders>(headers: Headers): Headers {
  fixedLines.set(headers, fieldLines(headers))
  return headers
}

function fieldLines(headers: ReplyHeaders): string {
  let text = ''
  for (const name in headers) {
    const value = headers[name] as string | readonly string[]
    if (name === 'connection') continue
    if (typeof value === 'string') text += fieldLine(name, value)
    else for (const each of value) text += fieldLine(name, each)
  }
  return text
}

function fieldLine(name: string, value: string): string {
  if (!VALUE.test(value)) throw new Error(`the header ${name} has an invalid value`)
  return `${nameOf(name)}: ${value}\r\n`
}

/** Some bytes of an array, from its beginning. */
export interface EncodedReply {
  readonly bytes: Uint8Array
  readonly length: number
}

/**
 * A whole response, in one piece, so that it takes one system call. Small ones are written into one
 * buffer for all, which leaves no garbage, and are valid until the next one. Those are less than
 * their array; other arrays are the response's own. Hot path: once a request.
 *
 * @throws Error for a header that would not be one line of its name and value
 */
export function encodeReply(reply: Reply, context: ReplyContext): EncodedReply {
  const { body = '' } = reply
  const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length
  const hasBody = !context.isHead && !HAS_NO_BODY.has(reply.status)
  if (length > httpLimits.sharedReplyBodyBytesMax)
    return encodeLong(reply, length, hasBody, context)
  const bodyStart = writeHead(reply, length, context)
  if (bodyStart === null) return encodeLong(reply, length, hasBody, context)
  shared.length = bodyStart
  if (!hasBody) return shared
  if (typeof body === 'string') shared.bytes.write(body, bodyStart)
  else copyInto(shared.bytes, bodyStart, body)
  shared.length += length
  return shared
}

/** The buffer of small replies, and the length of the last one. */
const shared = {
  bytes: Buffer.allocUnsafeSlow(
    httpLimits.sharedReplyHeadBytesMax + httpLimits.sharedReplyBodyBytesMax + 1,
  ),
  length: 0,
}

interface WrittenHead {
  status: number
  headers: ReplyHeaders | null
  bodyLength: number
  /** Null for a head that is not to be used again. */
  context: ReplyContext | null
  date: string
  length: number
}

/** What the buffer's head was written for: publishers get the same a thousand times a second. */
const lastHead: WrittenHead = {
  status: 0,
  headers: null,
  bodyLength: 0,
  context: null,
  date: '',
  length: 0,
}

/** Writes a head into the buffer. Answers where the body begins; null if it is too long. */
function writeHead(reply: Reply, bodyLength: number, context: ReplyContext): number | null {
  const { status, headers = null } = reply
  const now = date()
  if (
    headers === lastHead.headers &&
    bodyLength === lastHead.bodyLength &&
    now === lastHead.date &&
    context === lastHead.context &&
    status === lastHead.status
  ) {
    return lastHead.length
  }
  const head = responseHead(reply, bodyLength, context)
  if (head.length > httpLimits.sharedReplyHeadBytesMax) return null
  shared.bytes.write(head, 'latin1')
  lastHead.status = status
  lastHead.headers = headers
  lastHead.bodyLength = bodyLength
  // Headers that are not fixed might be changed: it is no head to be used again.
  lastHead.context = headers !== null && fixedLines.has(headers) ? context : null
  lastHead.date = now
  lastHead.length = head.length
  return head.length
}

function encodeLong(
  reply: Reply,
  bodyLength: number,
  hasBody: boolean,
  context: ReplyContext,
): EncodedReply {
  const { body = '' } = reply
  const head = responseHead(reply, bodyLength, context)
  const length = head.length + (hasBody ? bodyLength : 0)
  const bytes = Buffer.allocUnsafe(length)
  bytes.write(head, 0, 'latin1')
  if (!hasBody) return { bytes, length }
  if (typeof body === 'string') bytes.write(body, head.length)
  else bytes.set(body, head.length)
  return { bytes, length }
}

/** One chunk (RFC 9112 section 7.1); never empty, which would be the last. */
export function encodeChunk(data: Uint8Array): Uint8Array {
  const { length } = data
  let at = 1
  for (let rest = length >>> 4; rest !== 0; rest >>>= 4) at++
  const bytes = new Uint8Array(at + 2 + length + 2)
  for (let rest = length, digit = at - 1; digit >= 0; digit--, rest >>>= 4) {
    bytes[digit] = HEX_DIGITS.charCodeAt(rest & 0xf)
  }
  bytes[at++] = CR
  bytes[at++] = LF
  copyInto(bytes, at, data)
  bytes[at + length] = CR
  bytes[at + length + 1] = LF
  return bytes
}

const HEX_DIGITS = '0123456789abcdef'
const CR = 0x0d
const LF = 0x0a

/** Names as people are used to reading them; the names that the server sends are few. */
const names = new Map<string, string>()

function nameOf(name: string): string {
  let written = names.get(name)
  if (written === undefined) {
    if (!NAME.test(name)) throw new Error(`${JSON.stringify(name)} is not the name of a header`)
    written = name.replace(/(?<![a-z])[a-z]/g, (letter) => letter.toUpperCase())
    names.set(name, written)
  }
  return written
}

let dateSecond = 0
let dateText = ''

/** RFC 9110 section 6.6.1; made once a second. */
function date(): string {
  const second = Math.floor(Date.now() / 1_000)
  if (second !== dateSecond) {
    dateSecond = second
    dateText = new Date(second * 1_000).toUTCString()
  }
  return dateText
}
