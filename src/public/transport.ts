// A transport: how a user's messages are carried to a client. Data and a few functions; one class
// of streams writes for all of them (bun-stream.ts).

import type { Frame } from '../hub/frame.ts'
import type { ServerConfig } from '../hub/settings.ts'

/** The head of a request, as transports and admission read it: no server's type of request. */
export interface Head {
  readonly method: string
  /**
   * The path without its query and without a `/` at its end; percent-encoded characters are
   * decoded, except `/`.
   */
  readonly path: string
  /** A field's value, by its name in lower case; null if it is not there. */
  header(name: string): string | null
  /** The address of the other end of the connection; null if it is closed already. */
  readonly peer: string | null
}

/** An answer of the public port that is no stream. */
export interface Answer {
  readonly status: number
  readonly text: string
  readonly headers?: Readonly<Record<string, string>>
}

/** What a request asks of a transport: the user whose stream it opens, or why it opens none. */
export type Match = { readonly user: number } | { readonly answer: Answer }

export interface Transport {
  /** The path that it is routed by, in the syntax of Elysia. */
  readonly path: string
  /** The fields of the response that a stream begins with. */
  readonly headers: Readonly<Record<string, string>>
  match(head: Head, settings: Pick<ServerConfig, 'userIdMax'>): Match
  /** The bytes before all messages. */
  greeting(user: number): Uint8Array
  /**
   * The bytes of one message. Hot path: once a delivery, so what it makes it keeps on the frame.
   */
  encode(frame: Frame): Uint8Array
}

/**
 * Message bodies are untrusted: a browser that is shown a stream runs none of it, loads nothing for
 * it, embeds it in no other page, and treats it as no page of this server.
 */
export const UNTRUSTED_BODY = {
  'content-security-policy': "sandbox; default-src 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
} as const
