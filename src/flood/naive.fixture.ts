// A reader of whole responses to compare the real one with: it sees all bytes at once, and is as
// simple as possible. Written from RFC 9112, WHATWG HTML section 9.2 and RFC 6455.

import { floodLimits } from '../core/tool-limits.ts'
import type { CutFraming } from './framing.ts'
import type { ReadResult } from './response.ts'

/** What a response said. Text is latin1, a letter for each byte. */
export interface Seen {
  readonly statuses: number[]
  readonly messages: string[]
  readonly pings: string[]
  readonly result: ReadResult
}

/** Reads a response whose body is cut by a framing. */
export function readNaively(wire: Uint8Array, framing: CutFraming): Seen {
  const text = Buffer.from(wire).toString('latin1')
  const head = headIn(text)
  if (typeof head === 'string') return { statuses: [], messages: [], pings: [], result: head }
  const statuses = [head.status]
  const rest = text.slice(head.end)
  const body = head.isChunked
    ? chunksIn(rest, framing === 'chunk' ? floodLimits.messageBytesMax : floodLimits.chunkBytesMax)
    : { chunks: [], bytes: rest, result: 'more' as const }
  if (framing === 'chunk') {
    const pieces = rest === '' ? [] : [rest]
    const messages = head.isChunked ? body.chunks : pieces
    return { statuses, messages, pings: [], result: body.result }
  }
  // A body is read as it comes: its own fault or end is before that of the chunks around it.
  const { messages, pings, result } = FRAMINGS[framing](body.bytes)
  return { statuses, messages, pings, result: result ?? body.result }
}

interface Head {
  readonly status: number
  readonly isChunked: boolean
  readonly end: number
}

/** The first head that is not an early one. */
function headIn(text: string): Head | ReadResult {
  for (let from = 0; ; ) {
    const blank = text.indexOf('\r\n\r\n', from)
    const end = blank < 0 ? text.length : blank + 4
    if (end - from > floodLimits.headBytesMax) return 'head_too_large'
    if (blank < 0) return 'more'
    const head = text.slice(from, blank)
    from = end
    const [statusLine = ''] = head.split('\r')
    const [, digits] = /^HTTP\/1\.[01] ([1-5]\d\d)( .*)?$/s.exec(statusLine) ?? []
    if (digits === undefined) return 'bad_status_line'
    const status = Number(digits)
    // A response of the hundreds has no body, so no chunks (RFC 9112 section 6.3).
    if (status === 101 || status >= 200) {
      return { status, isChunked: status !== 101 && saysChunked(head), end }
    }
  }
}

function saysChunked(head: string): boolean {
  return head.split(/[\r\n]/).some((line) => {
    const [name = '', ...value] = line.toLowerCase().split(':')
    const codings = value.join(':').split(',')
    return name === 'transfer-encoding' && /^[ \t]*chunked[ \t]*$/.test(codings.at(-1) ?? '')
  })
}

interface Body {
  /** Whole ones. */
  readonly chunks: string[]
  /** All that came, of a last chunk in part too. */
  readonly bytes: string
  readonly result: ReadResult
}

function chunksIn(text: string, chunkBytesMax: number): Body {
  const chunks: string[] = []
  let bytes = ''
  for (let rest = text; ; ) {
    const size = sizeIn(rest, chunkBytesMax)
    if (typeof size === 'string') return { chunks, bytes, result: size }
    rest = rest.slice(size.end)
    if (size.value === 0) return { chunks, bytes, result: trailerIn(rest) }
    const chunk = rest.slice(0, size.value)
    bytes += chunk
    if (chunk.length < size.value) return { chunks, bytes, result: 'more' }
    chunks.push(chunk)
    const end = rest.slice(size.value, size.value + 2)
    if (!'\r\n'.startsWith(end)) return { chunks, bytes, result: 'bad_chunk_end' }
    if (end.length < 2) return { chunks, bytes, result: 'more' }
    rest = rest.slice(size.value + 2)
  }
}

/** The line of a chunk's size, with extensions or without. */
function sizeIn(rest: string, most: number): { value: number; end: number } | ReadResult {
  const [digits = ''] = /^[0-9a-f]*/i.exec(rest) ?? []
  if (Number.parseInt(digits.slice(0, floodLimits.headBytesMax + 1), 16) > most) {
    return 'chunk_too_large'
  }
  const [line] = /^[0-9a-f]+([;\t ][^\n]*)?\r\n/i.exec(rest) ?? []
  const seen = line ?? rest
  const [lineText = ''] = seen.split('\n')
  const extensionBytes = Math.max(0, lineText.length - digits.length - 1)
  if (digits.length + extensionBytes > floodLimits.headBytesMax) return 'bad_chunk_size'
  if (line !== undefined) return { value: Number.parseInt(digits, 16), end: line.length }
  return /^([0-9a-f]*|[0-9a-f]+\r|[0-9a-f]+[;\t ][^\n]*)$/i.test(rest) ? 'more' : 'bad_chunk_size'
}

/** Fields up to an empty line; a bare LF ends a line too (RFC 9112 section 2.2). */
function trailerIn(rest: string): ReadResult {
  const match = /(?:^|\n)\r?\n/.exec(rest)
  const bytes = match === null ? rest.length : match.index + match[0].length - 1
  if (bytes > floodLimits.headBytesMax) return 'head_too_large'
  return match === null ? 'more' : 'ended'
}

interface Messages {
  readonly messages: string[]
  readonly pings: string[]
  readonly result: ReadResult | null
}

const FRAMINGS = { line: linesIn, sse: eventsIn, websocket: framesIn } as const

function linesIn(body: string): Messages {
  const lines = body.split('\n')
  const rest = lines.pop() ?? ''
  const messages: string[] = []
  for (const line of lines) {
    if (line.length > floodLimits.messageBytesMax) return tooLarge(messages)
    const text = line.endsWith('\r') ? line.slice(0, -1) : line
    if (text !== '') messages.push(text)
  }
  return rest.length > floodLimits.messageBytesMax
    ? tooLarge(messages)
    : { messages, pings: [], result: null }
}

function tooLarge(messages: string[]): Messages {
  return { messages, pings: [], result: 'message_too_large' }
}

/** An event as it came, without the empty line at its end. */
function eventsIn(whole: string): Messages {
  const body = whole.replace(/^\xef\xbb\xbf/, '')
  const messages: string[] = []
  let event = ''
  let isDispatched = false
  let end = 0
  for (const [all, line = ''] of body.matchAll(/([^\r\n]*)(?:\r\n|\r|\n)/g)) {
    end += all.length
    if (line !== '') {
      event += all
      if (line.split(':')[0] === 'data') isDispatched = true
      continue
    }
    if (event.length > floodLimits.messageBytesMax) return tooLarge(messages)
    if (isDispatched) messages.push(event)
    event = ''
    isDispatched = false
  }
  const rest = event.length + body.length - end
  return rest > floodLimits.messageBytesMax
    ? tooLarge(messages)
    : { messages, pings: [], result: null }
}

function framesIn(body: string): Messages {
  const messages: string[] = []
  const pings: string[] = []
  const stop = (result: ReadResult | null): Messages => ({ messages, pings, result })
  let parts: string | null = null
  for (let bytes = Buffer.from(body, 'latin1'); bytes.length > 0; ) {
    const [first = 0, second] = bytes
    const isFinal = first >= 128
    const opcode = first % 16
    const isControl = opcode >= 8
    if ((first >> 4) % 8 !== 0 || ![0, 1, 2, 8, 9, 10].includes(opcode)) return stop('bad_frame')
    if (second === undefined) return stop(null)
    if (second >= 128 || (isControl && (second > 125 || !isFinal))) return stop('bad_frame')
    const head = second < 126 ? 2 : second === 126 ? 4 : 10
    if (bytes.length < head) return stop(null)
    const long = second === 126 ? BigInt(bytes.readUInt16BE(2)) : 0n
    const size = second < 126 ? BigInt(second) : second === 126 ? long : bytes.readBigUInt64BE(2)
    if (size > BigInt(floodLimits.messageBytesMax)) return stop('message_too_large')
    const end = head + Number(size)
    if (bytes.length < end) return stop(null)
    const text = bytes.subarray(head, end).toString('latin1')
    if (opcode === 8) return stop(text.length === 1 ? 'bad_frame' : 'ended')
    if (opcode === 9) pings.push(text)
    if (!isControl) {
      if ((opcode === 0) !== (parts !== null)) return stop('bad_frame')
      if (parts !== null || !isFinal) {
        parts = (parts ?? '') + text
        if (parts.length > floodLimits.messageBytesMax) return stop('message_too_large')
      }
      if (isFinal) {
        messages.push(parts ?? text)
        parts = null
      }
    }
    bytes = bytes.subarray(end)
  }
  return stop(null)
}
