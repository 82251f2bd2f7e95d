// The transport of server-sent events (text/event-stream; WHATWG HTML, section 9.2), which browsers
// read by themselves: an event is one message, its body alone or its whole JSON object.

import { cursorText } from '../core/cursor.ts'
import { encodeChunk } from '../http/response.ts'
import type { Frame } from '../hub/frame.ts'
import type { StreamEnd, StreamStart } from '../hub/stream.ts'
import { endJson, frameJson, gapJson, idJson, openGapJson } from './message-json.ts'
import { NO_BYTES, STREAM_HEADERS, type Transport } from './transport.ts'

/** Nothing of a body is taken away, not even a byte order mark. */
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

const COMMON = {
  hasCursor: true,
  tellsGaps: true,
  headers: { ...STREAM_HEADERS, 'content-type': 'text/event-stream' },

  /**
   * An event with a name, which only those get who ask for it. It has data: Firefox and others do
   * not keep the id of an event without, and would lose what they miss before their first message.
   */
  greeting(_: number, isChunked: boolean, start: StreamStart | null): Uint8Array {
    if (start === null) return NO_BYTES
    const gap = gapJson(start)
    const told = gap === null ? '' : `event: gap\ndata: ${gap}\n\n`
    const id = cursorText(start.cursor)
    return bytesOf(`${told}id: ${id}\nevent: start\ndata: ${idJson(start)}\n\n`, isChunked)
  },

  /** A comment without text. */
  heartbeat: (isChunked: boolean) => bytesOf(':\n\n', isChunked),

  ending: (end: StreamEnd, isChunked: boolean) =>
    bytesOf(`event: end\ndata: ${endJson(end)}\n\n`, isChunked),
} as const

export const serverSentEvents = {
  ...COMMON,
  /** Hot path: once a delivery. The event is built once a message. */
  encode(frame: Frame, isChunked: boolean): Uint8Array {
    frame.sse ??= eventOf(frame, decoder.decode(frame.bytes))
    if (!isChunked) return frame.sse
    frame.sseChunk ??= encodeChunk(frame.sse)
    return frame.sseChunk
  },
} as const satisfies Transport

/** `?envelope=json`: the data of an event is what a line of JSON would be. */
export const serverSentEnvelopes = {
  ...COMMON,
  /** Hot path: once a delivery. The event is built once a message. */
  encode(frame: Frame, isChunked: boolean): Uint8Array {
    frame.sseEnvelope ??= eventOf(frame, frameJson(frame))
    if (!isChunked) return frame.sseEnvelope
    frame.sseEnvelopeChunk ??= encodeChunk(frame.sseEnvelope)
    return frame.sseEnvelopeChunk
  },
} as const satisfies Transport

/** Each of these ends a line of an event stream, so data that has them is several lines. */
const LINE_END = /\r\n|\r|\n/

function eventOf(frame: Frame, data: string): Uint8Array {
  const { event, gapAfter } = frame
  if (gapAfter !== null) {
    return Buffer.from(`id: ${cursorText(frame)}\nevent: gap\ndata: ${openGapJson(frame)}\n\n`)
  }
  const lines = data.split(LINE_END).join('\ndata: ')
  // The characters of events need no escape.
  const type = event === null ? '' : `event: ${event}\n`
  return Buffer.from(`id: ${cursorText(frame)}\n${type}data: ${lines}\n\n`)
}

function bytesOf(text: string, isChunked: boolean): Uint8Array {
  const bytes = Buffer.from(text)
  return isChunked ? encodeChunk(bytes) : bytes
}
