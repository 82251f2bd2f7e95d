// The chunked transport: `GET /test/{id}`, the address of 2008, answered with a response that never
// ends and carries one chunk a message, the bytes as they were published.

import { userIdOf } from '../core/user.ts'
import type { Head } from '../http/exchange.ts'
import { encodeChunk } from '../http/response.ts'
import type { Frame } from '../hub/frame.ts'
import { type Answer, type Match, type Transport, UNTRUSTED_BODY } from './transport.ts'

export const USER_NOT_FOUND: Answer = {
  status: 404,
  text: 'User id not found, try /test/123 instead\n',
}

export const ALLOWED_METHODS = 'GET, HEAD, OPTIONS'

const METHOD_NOT_ALLOWED: Answer = {
  status: 405,
  text: 'A stream is opened with GET\n',
  headers: { allow: ALLOWED_METHODS },
}

const PREFIX = '/test/'

const encoder = new TextEncoder()

export const chunked = {
  prefix: PREFIX,
  headers: {
    ...UNTRUSTED_BODY,
    'content-type': 'text/html; charset=utf-8',
    // RFC 9111: not to be stored, and not to be recompressed, which would buffer it.
    'cache-control': 'no-store, no-transform',
    // nginx's own switch for its response buffer.
    'x-accel-buffering': 'no',
  },

  match({ method, path }: Head, { userIdMax }: { readonly userIdMax: number }): Match {
    if (method !== 'GET' && method !== 'HEAD') return { answer: METHOD_NOT_ALLOWED }
    const user = path.startsWith(PREFIX) ? userIdOf(path.slice(PREFIX.length)) : 0
    if (user === 0) return { answer: USER_NOT_FOUND }
    if (user <= userIdMax) return { user }
    return { answer: { status: 503, text: `Max uid allowed is ${userIdMax}\n` } }
  },

  greeting(user: number, isChunked: boolean): Uint8Array {
    const bytes = encoder.encode(`Welcome, Url: '/test/${user}' Id: ${user}\n`)
    return isChunked ? encodeChunk(bytes) : bytes
  },

  /** Hot path: once a delivery. The chunk is built once a message. */
  encode(frame: Frame, isChunked: boolean): Uint8Array {
    if (!isChunked) return frame.bytes
    frame.chunk ??= encodeChunk(frame.bytes)
    return frame.chunk
  },
} as const satisfies Transport
