// The transport of JSON lines (application/x-ndjson), `GET /stream/{user}`: a message is one line,
// an object with what it is about or to whom, and its body as a string or its data as it is.

import { encodeChunk } from '../http/response.ts'
import { EVERYONE, type Frame } from '../hub/frame.ts'
import type { StreamEnd } from '../hub/stream.ts'
import { STREAM_HEADERS, type Transport } from './transport.ts'

/**
 * A stream begins with an empty line, which says nothing but that it is open: `fetch` of Firefox
 * answers a page only with the first byte of the body.
 */
const EMPTY_LINE = Buffer.from('\n')
const EMPTY_LINE_CHUNK = encodeChunk(EMPTY_LINE)

export const jsonLines = {
  headers: { ...STREAM_HEADERS, 'content-type': 'application/x-ndjson' },
  greeting: (_, isChunked) => (isChunked ? EMPTY_LINE_CHUNK : EMPTY_LINE),

  /** Hot path: once a delivery. The line is built once a message. */
  encode(frame: Frame, isChunked: boolean): Uint8Array {
    frame.line ??= lineOf(frame)
    if (!isChunked) return frame.line
    frame.lineChunk ??= encodeChunk(frame.line)
    return frame.lineChunk
  },

  ending({ reason, note }: StreamEnd, isChunked: boolean): Uint8Array {
    const line = Buffer.from(`${JSON.stringify({ end: reason, ...(note !== null && { note }) })}\n`)
    return isChunked ? encodeChunk(line) : line
  },
} as const satisfies Transport

/** Nothing of a body is taken away, not even a byte order mark. */
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

function lineOf({ bytes, isAbout, target, name, event, isJson }: Frame): Uint8Array {
  const text = target === EVERYONE ? '*' : name
  // The characters of names and events need no escape.
  const head = `{"${isAbout ? 'subject' : 'to'}":${text === null ? target : `"${text}"`}`
  const withEvent = event === null ? head : `${head},"event":"${event}"`
  const body = decoder.decode(bytes)
  return Buffer.from(
    isJson ? `${withEvent},"data":${body}}\n` : `${withEvent},"body":${JSON.stringify(body)}}\n`,
  )
}
