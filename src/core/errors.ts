// The closed table of everything that can go wrong with a request, and the status of each.
// Every error that leaves the server is one row of it; it must not know how it is sent.

import { type Static, Type } from '@sinclair/typebox'

/** Each code with its HTTP status (RFC 9110 section 15) and the moment it is issued. */
export const ERRORS = {
  /** The text is not JSON (RFC 8259). */
  invalid_json: { status: 400 },
  /** The bytes are not UTF-8, or the JSON holds half of a surrogate pair. */
  invalid_utf8: { status: 400 },
  /** The request ended before its body did, or its body cannot be read. */
  body_unreadable: { status: 400 },
  /** The request names no valid host, or two of them (RFC 9112 section 3.2). */
  invalid_host: { status: 400 },
  /** A user id in a path is not a positive decimal integer. */
  invalid_user_id: { status: 400 },
  /** The query of a list is not what it takes. */
  invalid_query: { status: 400 },
  /** A line of a bulk change is no pair of two user ids; the text says why. */
  invalid_subscription: { status: 400 },
  /** The control port has a token, and the request does not know it. */
  unauthorized: { status: 401 },
  /** A page of another server asks, by the browser of somebody who can reach this one. */
  foreign_origin: { status: 403 },
  /** No resource has that path. */
  not_found: { status: 404 },
  /** A user id is above the highest that may open a stream. */
  unknown_user: { status: 404 },
  /** The path exists, but not with that method; `Allow` names those it has. */
  method_not_allowed: { status: 405 },
  /** The body came too slowly; what it had until then is told. */
  body_timeout: { status: 408 },
  /** The user follows as many others as anybody may. */
  subscription_limit: { status: 409 },
  /** A message's body is longer than 65,536 bytes. */
  message_too_large: { status: 413 },
  /** A request, or one line of it, is longer than any valid message could be. */
  request_too_large: { status: 413 },
  /** `POST /messages` takes `application/json` and `application/x-ndjson` only. */
  unsupported_media_type: { status: 415 },
  /** The control port is not known by the host of the request: a page's name may have been pointed at it. */
  unknown_host: { status: 421 },
  /** The JSON is well-formed but is no message; the text says which field is wrong. */
  invalid_message: { status: 422 },
  /** A message's body is empty: an empty chunk would end the stream. */
  message_empty: { status: 422 },
  /** A user cannot follow himself: everybody gets his own messages anyway. */
  subscription_to_self: { status: 422 },
  /** A bug: the log has the details under the same time. */
  internal: { status: 500 },
  /** The database did not take the change, and nothing has changed; the log tells why. */
  storage_failed: { status: 503 },
  /** The server is stopping and takes nothing new. */
  draining: { status: 503 },
} as const satisfies Record<string, { status: number }>

export type ErrorCode = keyof typeof ERRORS

const CODES = Object.keys(ERRORS) as ErrorCode[]

/** The one shape of an error on the control port. */
export const ErrorBody = Type.Object(
  {
    error: Type.Object({
      code: Type.Unsafe<ErrorCode>(Type.Union(CODES.map((code) => Type.Literal(code)))),
      message: Type.String(),
    }),
  },
  { description: 'Every error has this shape; the codes are a closed table.' },
)

/** Why a request failed: a code from the table, and a sentence for the person who reads it. */
export interface Failure {
  readonly code: ErrorCode
  readonly message: string
}

/**
 * A value, or why there is none: a {@link Failure} for a request, a text for a person who starts comet.
 * Expected failures are values; bugs throw.
 */
export type Result<T, Why = Failure> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly why: Why }

export function success<T>(value: T): { ok: true; value: T } {
  return { ok: true, value }
}

export function refused<Why>(why: Why): { ok: false; why: Why } {
  return { ok: false, why }
}

export function failed(code: ErrorCode, message: string): { ok: false; why: Failure } {
  return { ok: false, why: { code, message } }
}

/** The body of an answer to a failed request. */
export function errorBody(failure: Failure): Static<typeof ErrorBody> {
  return { error: { code: failure.code, message: failure.message } }
}
