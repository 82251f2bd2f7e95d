// The transport of JSON lines (application/x-ndjson), `GET /stream/{user}`: a message is one line,
// an object with where it is in the log, what it is about or to whom, and its body as a string or
// its data as it is.

import { encodeChunk } from '../http/response.ts'
import type { Frame } from '../hub/frame.ts'
import type { StreamEnd, StreamStart } from '../hub/stream.ts'
import { endJson, frameJson, gapJson, idJson } from './message-json.ts'
import { NO_BYTES, STREAM_HEADERS, type Transport } from './transport.ts'

export const jsonLines = {
  hasCursor: true,
  tellsGaps: true,
  headers: { ...STREAM_HEADERS, 'content-type': 'application/x-ndjson' },

  /** So a client knows where it is before there is a message; and `fetch` of Firefox answers a page
   * only with the first byte of the body. */
  greeting(_: number, isChunked: boolean, start: StreamStart | null): Uint8Array {
    if (start === null) return NO_BYTES
    const gap = gapJson(start)
    return linesOf(gap === null ? idJson(start) : `{"gap":${gap}}\n${idJson(start)}`, isChunked)
  },

  /** Hot path: once a delivery. The line is built once a message. */
  encode(frame: Frame, isChunked: boolean): Uint8Array {
    frame.line ??= linesOf(frameJson(frame), false)
    if (!isChunked) return frame.line
    frame.lineChunk ??= encodeChunk(frame.line)
    return frame.lineChunk
  },

  /** An empty line. */
  heartbeat: (isChunked: boolean) => linesOf('', isChunked),

  ending: (end: StreamEnd, isChunked: boolean) => linesOf(endJson(end), isChunked),
} as const satisfies Transport

function linesOf(text: string, isChunked: boolean): Uint8Array {
  const bytes = Buffer.from(`${text}\n`)
  return isChunked ? encodeChunk(bytes) : bytes
}
