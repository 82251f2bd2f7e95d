// The closed table of the errors that the server answers with.

import { type Static, Type } from '@sinclair/typebox'

/** Each code with its HTTP status (RFC 9110 section 15) and when it is issued. */
export const ERRORS = {
  /** The body or line is not JSON (RFC 8259). */
  invalid_json: { status: 400 },
  /** The bytes are not UTF-8, or the JSON has an unpaired surrogate. */
  invalid_utf8: { status: 400 },
  /** The request ended before its body did, or its body cannot be read. */
  body_unreadable: { status: 400 },
  /** The request has no valid Host header, or more than one (RFC 9112 section 3.2). */
  invalid_host: { status: 400 },
  /** The bytes are no HTTP request, or not one that is taken; the status says which. */
  invalid_request: { status: 400 },
  /** A user or subject in a path is neither a name nor a positive decimal integer. */
  invalid_user_id: { status: 400 },
  /** A parameter of the query is invalid. */
  invalid_query: { status: 400 },
  /** A line of a bulk change is not a pair of users; the message says why. */
  invalid_subscription: { status: 400 },
  /** The control port requires a token, which the request does not have. */
  unauthorized: { status: 401 },
  /** The token is not for this, by its role. */
  forbidden: { status: 403 },
  /** The request comes from a page of another origin, by the browser of someone with access. */
  foreign_origin: { status: 403 },
  /** No resource has that path. */
  not_found: { status: 404 },
  /** A user id is above the highest allowed one. */
  unknown_user: { status: 404 },
  /** The path exists, but not with that method; `Allow` lists its methods. */
  method_not_allowed: { status: 405 },
  /** The body arrived too slowly; the answer counts what was accepted before. */
  body_timeout: { status: 408 },
  /** The user follows the maximum number of others. */
  subscription_limit: { status: 409 },
  /** The key of a message was another message's, less than five minutes ago. */
  key_conflict: { status: 409 },
  /** A message's body is longer than 65,536 bytes. */
  message_too_large: { status: 413 },
  /** A request, or one line of it, is longer than any valid message. */
  request_too_large: { status: 413 },
  /** `POST /messages` accepts `application/json` and `application/x-ndjson` only. */
  unsupported_media_type: { status: 415 },
  /** The request's host is no name of the control port, as in DNS rebinding by a page. */
  unknown_host: { status: 421 },
  /** The JSON is well-formed but not a message; the error names the invalid field. */
  invalid_message: { status: 422 },
  /** The JSON is well-formed but does not ask for a ticket. */
  invalid_ticket: { status: 422 },
  /** A message's body is empty; an empty chunk would end the stream. */
  message_empty: { status: 422 },
  /** A user cannot follow themselves: each user receives their own messages anyway. */
  subscription_to_self: { status: 422 },
  /** A bug; the log has the details at the same time. */
  internal: { status: 500 },
  /** The database rejected the change, and nothing has changed; the log says why. */
  storage_failed: { status: 503 },
  /** Redis, which machines share, is away, or too much waits for it; nothing has changed. */
  bus_unavailable: { status: 503 },
  /** As many names as there may be are in use. */
  too_many_names: { status: 503 },
  /** As many keys as are kept were used in five minutes; `Retry-After` says when there is room. */
  too_many_keys: { status: 503 },
  /** As many tickets as there may be wait to be used. */
  too_many_tickets: { status: 503 },
  /** As many requests as may follow the feed of connections. */
  too_many_readers: { status: 503 },
  /** The server is stopping and accepts nothing new. */
  draining: { status: 503 },
  /** Redis did not answer: the request may have taken effect or not. */
  outcome_unknown: { status: 504 },
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
  { description: 'Every error has this shape, with a code of a closed table.' },
)

/** Why a request failed: a code from the table, and a sentence for the person who reads it. */
export interface Failure {
  readonly code: ErrorCode
  readonly message: string
}

export function failed(code: ErrorCode, message: string): { ok: false; why: Failure } {
  return { ok: false, why: { code, message } }
}

export const TOO_MANY_NAMES: Failure = {
  code: 'too_many_names',
  message: 'There is no room for another name.',
}

/** The body of an answer to a failed request. */
export function errorBody(failure: Failure): Static<typeof ErrorBody> {
  return { error: { code: failure.code, message: failure.message } }
}
