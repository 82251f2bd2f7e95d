// The two closed tables of why a stream is not: refused before it was opened, closed after. A
// reason is its row here and the one place that decides it; figures, metrics, answers and logs
// follow the table.

import { identityLimits } from '../core/identity-limits.ts'

export interface Refusal {
  /**
   * 401: no valid token. 403: the token does not allow it. 429: the client itself exceeds a limit
   * (RFC 6585 section 4). 503: the server has no room.
   */
  readonly status: 401 | 403 | 429 | 503
  /** What the answer says after the reason. */
  readonly text: string
  /** The event of the log, written at most once a second; null for what is in the log anyway. */
  readonly event: string | null
  /** What the log says of it. */
  readonly message: (detail: string) => string
  /** What the figure counts, as /openapi describes it. */
  readonly help: string
}

export const REFUSALS = {
  full: {
    status: 503,
    text: 'All streams are taken\n',
    event: 'refused',
    message: (open: string) => `A stream was refused: ${open} are open, the limit.`,
    help: 'There was no room for one more.',
  },
  draining: {
    status: 503,
    text: 'The server is stopping\n',
    event: null,
    message: () => 'A stream was refused: the server is stopping.',
    help: 'The server was stopping.',
  },
  rate: {
    status: 503,
    text: 'Too many streams are being opened\n',
    event: 'refused_rate',
    message: () => 'A stream was refused: more come a second than --max-new-streams allows.',
    help: 'More came than --max-new-streams allows a second.',
  },
  address: {
    status: 429,
    text: 'Too many streams from this address\n',
    event: 'refused_address',
    message: (network: string) =>
      `A stream was refused: ${network} has as many open as --max-streams-per-address allows.`,
    help: 'Its address had as many open as --max-streams-per-address allows.',
  },
  names: {
    status: 503,
    text: 'There is no room for another name\n',
    event: 'refused_names',
    message: () =>
      `A stream was refused: ${identityLimits.namesMax} names are in use, the maximum.`,
    help: 'Its user had a name that was not in use, and there was no room for another.',
  },
  busy: {
    status: 503,
    text: 'The server is busy\n',
    event: 'refused_busy',
    message: () => 'A stream was refused: the server did not answer its worker in time.',
    help: 'The parent did not answer its worker in time.',
  },
  token_missing: tokenRefusal('Send a token: Authorization: Bearer <token>', 'It had no token.'),
  token_malformed: tokenRefusal(
    `This is no JWT of at most ${identityLimits.tokenBytesMax} bytes`,
    'Its token was no JWT.',
  ),
  token_algorithm: tokenRefusal(
    'The token is signed by an algorithm that its key is not for',
    'The algorithm of its token was not that of the key.',
  ),
  token_key: tokenRefusal(
    'The token is signed with a key that this server does not have',
    'No key had the id that its token named.',
  ),
  token_signature: tokenRefusal(
    'The signature of the token is wrong',
    'The signature of its token was wrong.',
  ),
  token_issuer: tokenRefusal('The token is of another issuer', 'Its token was of another issuer.'),
  token_audience: tokenRefusal(
    'The token is for another audience',
    'Its token was for another audience.',
  ),
  token_claims: tokenRefusal(
    'The token lacks exp or sub, or a claim is invalid',
    'A claim of its token was missing or invalid.',
  ),
  token_early: tokenRefusal('The token is not valid yet', 'Its token was not valid yet.'),
  token_expired: tokenRefusal('The token has expired', 'Its token had expired.'),
  ticket: tokenRefusal(
    `The ticket was used before, or is older than ${identityLimits.ticketMs / 1_000} s`,
    'Its ticket was used before, too old, or none.',
  ),
  token_revoked: tokenRefusal('The token was revoked', 'Its token was revoked.'),
  user: {
    status: 403,
    text: 'The token is not for the stream of this user\n',
    event: 'refused_user',
    message: () => 'A stream was refused: its token is not for this user.',
    help: 'Its token was not for the stream of this user.',
  },
  subject: {
    status: 403,
    text: 'The token does not allow to read all of these subjects\n',
    event: 'refused_subject',
    message: () => 'A stream was refused: its token does not allow to read all of its subjects.',
    help: 'Its token did not allow to read all subjects that it was to follow.',
  },
  origin: {
    status: 403,
    text: 'Pages of this origin may not open the stream; --cors-origin lists those that may\n',
    event: 'refused_origin',
    message: () =>
      'A stream was refused: --cors-origin does not list its page, and it has a cookie or is a WebSocket.',
    help: 'It had a cookie or was a WebSocket, and came from a page whose origin is not allowed.',
  },
} as const satisfies Record<string, Refusal>

/** One line of the log is enough for all reasons, which figures tell apart. */
function tokenRefusal(text: string, help: string) {
  return {
    status: 401,
    text: `${text}\n`,
    event: 'refused_token',
    message: () => `A stream was refused: ${help.charAt(0).toLowerCase()}${help.slice(1)}`,
    help,
  } as const
}

/** Also the label of the metric, and the first word of the answer. */
export type RefusalReason = keyof typeof REFUSALS

/** Why a stream ended, and what the figure counts. */
export const CLOSES = {
  client: 'The client left.',
  slow: 'The client read too slowly; its outbox was full.',
  protocol: 'The client sent what its format does not allow.',
  drained: 'The server was stopping.',
  expired: 'The token of the client expired.',
  ended: 'It was ended on the control port.',
  answered: 'It was a request of the format poll, and was answered.',
} as const

export type CloseReason = keyof typeof CLOSES

/** Why the server ends a stream whose client has done no wrong; the client is told. */
export type EndReason = Extract<CloseReason, 'drained' | 'expired' | 'ended' | 'answered'>

/** One count a reason. */
export type RefusalCounts = Readonly<Record<RefusalReason, number>>
export type CloseCounts = Readonly<Record<CloseReason, number>>

/** A count of 0 for each row of a table. */
export function zeroCounts<Reason extends string>(
  table: Readonly<Record<Reason, unknown>>,
): Record<Reason, number> {
  return Object.fromEntries(Object.keys(table).map((reason) => [reason, 0])) as Record<
    Reason,
    number
  >
}

export function addCounts<Reason extends string>(
  one: Readonly<Record<Reason, number>>,
  other: Readonly<Record<Reason, number>>,
): Record<Reason, number> {
  const reasons = Object.keys(one) as Reason[]
  return Object.fromEntries(
    reasons.map((reason) => [reason, one[reason] + other[reason]]),
  ) as Record<Reason, number>
}

/** All reasons together. */
export function totalOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0)
}
