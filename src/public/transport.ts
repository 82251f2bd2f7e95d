// A transport: how a user's messages are carried to a client. Data and a few functions, of which
// stream-opener.ts makes what the store knows of its streams.

import type { Reply } from '../http/response.ts'
import type { Frame } from '../hub/frame.ts'
import type { StreamBeginning, StreamEnd, StreamStart } from '../hub/stream.ts'

/** An answer of the public port that is no stream. */
export interface Answer {
  readonly status: number
  readonly text: string
  readonly headers?: Readonly<Record<string, string>>
}

/** What a stream begins with: */
export interface TransportBeginning {
  /** its bytes, */
  readonly bytes: Uint8Array
  /** or an answer instead of a stream, for which there is none. */
  readonly refusal: Reply | null
  /** Does the stream end with them? */
  readonly isOver: boolean
}

export interface Transport {
  /** Has a stream the connection for both directions, behind a head of its own? Then it has no
   * fields and no chunks. */
  readonly isUpgrade?: boolean
  /** The fields of the response that a stream begins with. */
  readonly headers: Readonly<Record<string, string>>
  /** Are its clients told where they are in the log, so that they can come back to it? */
  readonly hasCursor: boolean
  /** Can its clients be told of a gap while their streams are open? */
  readonly tellsGaps: boolean
  /** Fields of the response that are different for each stream. */
  readonly headersOf?: (start: StreamStart) => Readonly<Record<string, string>>
  /** All that a stream begins with, for a transport that has no greeting. */
  readonly begin?: (beginning: StreamBeginning) => TransportBeginning
  /**
   * The bytes before all messages; may be none.
   *
   * @param isChunked false for a client of HTTP/1.0, which has no chunks
   * @param start null without {@link hasCursor}
   */
  greeting(user: number, isChunked: boolean, start: StreamStart | null): Uint8Array
  /**
   * The bytes of one message. Hot path: once a delivery, so what it makes it keeps on the frame.
   */
  encode(frame: Frame, isChunked: boolean): Uint8Array
  /** What a silent stream is sent as a sign of life; may be empty. */
  heartbeat(isChunked: boolean): Uint8Array
  /** What tells a client why its stream ends properly; may be empty. */
  ending(end: StreamEnd, isChunked: boolean): Uint8Array
}

/**
 * Message bodies are untrusted: a browser that is shown a stream runs none of it, loads nothing for
 * it, embeds it in no other page, and treats it as no page of this server.
 */
export const UNTRUSTED_BODY = {
  'content-security-policy': "sandbox; default-src 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
} as const

/** A stream is for nobody else, and comes as it is sent. */
export const STREAM_HEADERS = {
  ...UNTRUSTED_BODY,
  // RFC 9111: not to be stored, and not to be recompressed, which would buffer it.
  'cache-control': 'no-store, no-transform',
  // nginx's own switch for its response buffer.
  'x-accel-buffering': 'no',
} as const

export const NO_BYTES = new Uint8Array(0)
