// The closed table of errors of HTTP/1.1 requests: an error is its row here and the one place that
// finds it.

import { httpLimits } from '../core/http-limits.ts'

/**
 * Why bytes are no valid request. Where the next request begins is unknown then, so the connection
 * is closed after the answer.
 */
export const REQUEST_ERRORS = {
  invalid_line_end: { status: 400, text: 'End each line with CR LF, and use neither elsewhere' },
  invalid_request_line: { status: 400, text: 'Send a request line like: GET /path HTTP/1.1' },
  invalid_target: { status: 400, text: 'Send a target that is a path or an http URL' },
  invalid_encoding: { status: 400, text: 'Send a path that is percent-encoded UTF-8' },
  invalid_field: {
    status: 400,
    text: 'Send each header on one line, as a name, a colon and a value without control characters',
  },
  invalid_host: { status: 400, text: 'Send one Host header, with a valid host' },
  invalid_content_length: { status: 400, text: 'Send one Content-Length, in decimal digits' },
  two_lengths: { status: 400, text: 'Send Content-Length or Transfer-Encoding, not both' },
  invalid_transfer_encoding: {
    status: 400,
    text: 'Send chunked as the last Transfer-Encoding, once',
  },
  old_transfer_encoding: { status: 400, text: 'Send Transfer-Encoding in HTTP/1.1 only' },
  invalid_chunk: { status: 400, text: 'Send chunks as RFC 9112 section 7.1 defines them' },
  body_too_long: { status: 413, text: 'Send a shorter body' },
  chunk_extensions_too_long: { status: 413, text: 'Send shorter chunk extensions, or none' },
  trailers_too_long: {
    status: 413,
    text: `Send trailers of at most ${httpLimits.trailerBytesMax} bytes, or none`,
  },
  target_too_long: {
    status: 414,
    text: `Send a target of at most ${httpLimits.targetBytesMax} bytes`,
  },
  unknown_expectation: { status: 417, text: 'Send no Expect header except 100-continue' },
  head_too_long: {
    status: 431,
    text: `Send headers of at most ${httpLimits.headBytesMax} bytes in all`,
  },
  too_many_fields: { status: 431, text: `Send at most ${httpLimits.fieldsMax} headers` },
  unknown_method: { status: 501, text: 'Send a method that HTTP defines' },
  unknown_transfer_encoding: {
    status: 501,
    text: 'Send no Transfer-Encoding except chunked, or a Content-Length',
  },
  unsupported_version: { status: 505, text: 'Send the request as HTTP/1.1' },
} as const satisfies Record<string, { status: number; text: string }>

export type RequestErrorCode = keyof typeof REQUEST_ERRORS

export interface RejectedRequest {
  readonly kind: 'rejected'
  readonly code: RequestErrorCode
  readonly status: number
  /** What the client should do; no newline at its end. */
  readonly text: string
}

export function rejected(code: RequestErrorCode): RejectedRequest {
  return { kind: 'rejected', code, ...REQUEST_ERRORS[code] }
}
