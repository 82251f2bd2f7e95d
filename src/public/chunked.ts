// The chunked transport: `GET /test/{id}`, the address of 2008, answered with a response that never
// ends and carries one chunk a message, the bytes as they were published; and the same without a
// welcome, as `/stream/{user}?format=raw`, whose head says where the client is in the log.

import { cursorText } from '../core/cursor.ts'
import { encodeChunk } from '../http/response.ts'
import type { Frame } from '../hub/frame.ts'
import type { StreamStart } from '../hub/stream.ts'
import { NO_BYTES, STREAM_HEADERS, type Transport } from './transport.ts'

const encoder = new TextEncoder()

/** Hot path: once a delivery. The chunk is built once a message. */
function encode(frame: Frame, isChunked: boolean): Uint8Array {
  if (!isChunked) return frame.bytes
  frame.chunk ??= encodeChunk(frame.bytes)
  return frame.chunk
}

export const chunked = {
  hasCursor: false,
  tellsGaps: false,
  headers: { ...STREAM_HEADERS, 'content-type': 'text/html; charset=utf-8' },
  greeting(user: number, isChunked: boolean): Uint8Array {
    const bytes = encoder.encode(`Welcome, Url: '/test/${user}' Id: ${user}\n`)
    return isChunked ? encodeChunk(bytes) : bytes
  },
  encode,
  // It would be part of a message.
  heartbeat: () => NO_BYTES,
  ending: () => NO_BYTES,
} as const satisfies Transport

export const raw = {
  hasCursor: true,
  tellsGaps: false,
  headersOf: ({ cursor, gap }: StreamStart) => ({
    'comet-cursor': cursorText(cursor),
    ...(gap !== null && { 'comet-gap': gap.reason }),
  }),
  headers: { ...STREAM_HEADERS, 'content-type': 'application/octet-stream' },
  greeting: () => NO_BYTES,
  encode,
  // It would be part of a message.
  heartbeat: () => NO_BYTES,
  ending: () => NO_BYTES,
} as const satisfies Transport
