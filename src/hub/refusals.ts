// The two closed tables of why a stream is not: refused before it was opened, closed after. A
// reason is its row here and the one place that decides it; figures, metrics, answers and logs
// follow the table.

export interface Refusal {
  /** 429 is what the client itself can change (RFC 6585 section 4). */
  readonly status: 503 | 429
  /** The body of the answer. */
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
  busy: {
    status: 503,
    text: 'The server is busy\n',
    event: 'refused_busy',
    message: () => 'A stream was refused: the server did not answer its worker in time.',
    help: 'The parent did not answer its worker in time.',
  },
} as const satisfies Record<string, Refusal>

/** Also the label of the metric. */
export type RefusalReason = keyof typeof REFUSALS

/** Why a stream ended, and what the figure counts. */
export const CLOSES = {
  client: 'The client left.',
  slow: 'The client read too slowly; its outbox was full.',
  drained: 'The server was stopping.',
} as const

export type CloseReason = keyof typeof CLOSES

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
