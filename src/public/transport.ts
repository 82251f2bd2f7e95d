// A transport: how a user's messages are carried to a client. Data and a few functions, of which
// stream-opener.ts makes what the store knows of its streams.

import type { Head } from '../http/exchange.ts'
import type { Frame } from '../hub/frame.ts'
import type { ServerConfig } from '../hub/settings.ts'

/** An answer of the public port that is no stream. */
export interface Answer {
  readonly status: number
  readonly text: string
  readonly headers?: Readonly<Record<string, string>>
}

/** What a request asks of a transport: the user whose stream it opens, or why it opens none. */
export type Match = { readonly user: number } | { readonly answer: Answer }

export interface Transport {
  /** What the paths of its streams begin with, and no others. */
  readonly prefix: string
  /** The fields of the response that a stream begins with. */
  readonly headers: Readonly<Record<string, string>>
  match(head: Head, settings: Pick<ServerConfig, 'userIdMax'>): Match
  /**
   * The bytes before all messages.
   *
   * @param isChunked false for a client of HTTP/1.0, which has no chunks
   */
  greeting(user: number, isChunked: boolean): Uint8Array
  /**
   * The bytes of one message. Hot path: once a delivery, so what it makes it keeps on the frame.
   */
  encode(frame: Frame, isChunked: boolean): Uint8Array
}

/**
 * Message bodies are untrusted: a browser that is shown a stream runs none of it, loads nothing for
 * it, embeds it in no other page, and treats it as no page of this server.
 */
export const UNTRUSTED_BODY = {
  'content-security-policy': "sandbox; default-src 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
} as const
