// What users of the client library see: options, messages, events, errors, the stream. Types, and
// nothing at run time but the error.

/** `websocket`, server-sent events, JSON lines, or long polls (Durable Streams). */
export type CometFormat = 'websocket' | 'sse' | 'json' | 'poll'

/** A message, as it was published. */
export interface CometMessage {
  /** Its place in the log: the cursor of a client that has had it. */
  readonly id: string
  /** What it is about, or for whom it is; `to` is `*` for everyone. */
  readonly subject?: number | string
  readonly to?: number | string
  readonly event?: string
  /** A text, or any JSON. */
  readonly body?: string
  readonly data?: unknown
}

/** Messages between two cursors are not known to this client. */
export interface CometGap {
  readonly after: string
  /** The stream goes on from here. */
  readonly resume: string
  /** Lost: older than what the server keeps. Too many to be sent again. Unknown: another log. */
  readonly reason: 'lost' | 'too_many' | 'unknown'
}

/** What an iterator has in the place of the messages that it did not get, if asked to. */
export interface CometGapItem {
  readonly gap: CometGap
}

/** The server ended the stream for good. */
export interface CometEnd {
  readonly end: 'ended'
  readonly note?: string
}

/** The connection is over, and the next one is opened after a wait. */
export interface CometReconnect {
  readonly waitMs: number
  /** Why; a text that is for people. */
  readonly reason: string
}

/**
 * Connecting: for the first time or again. Waiting: for the next try. Paused: nothing is received
 * until the iterator has taken what is queued. Closed: for good.
 */
export type CometState = 'connecting' | 'open' | 'waiting' | 'paused' | 'closed'

/** One or several. */
export type CometSubjects = number | string | readonly (number | string)[]

export interface ConnectOptions {
  /** Subjects to follow on this stream, beside those that its user follows. */
  readonly subjects?: readonly (number | string)[]
  /**
   * A JWT, or what gets one: called for the first connection, and again when the server says that
   * the last one has expired or is not valid. It may fail, and is then called again after a wait;
   * an empty answer closes the stream. Sent as a header, never in a URL, so not by WebSocket.
   */
  readonly token?: string | (() => string | null | undefined | Promise<string | null | undefined>)
  /** Gets a ticket, used once, for each connection: what WebSocket needs without a cookie. */
  readonly ticket?: () => string | Promise<string>
  /** The formats to try, in this order; `websocket`, `sse`, `poll` by default. */
  readonly format?: CometFormat | readonly CometFormat[]
  /** Begin behind this cursor, or with the oldest message that is kept. */
  readonly after?: string
  /** Begin with so many of the last messages; long polls cannot. */
  readonly last?: number
  /**
   * One connection for all tabs of the page's origin that ask for the same: the address, the
   * subjects, and this text if it is one. Give the user where the address does not name it, or tabs
   * of different users would share.
   */
  readonly shared?: boolean | string
  /** Closes the stream when it is aborted. */
  readonly signal?: AbortSignal
  /** `include` sends the cookie to another origin. */
  readonly credentials?: 'omit' | 'same-origin' | 'include'
  /** Let iterators have gaps, too. */
  readonly gaps?: boolean
  /** Messages that wait for the iterator; then there is no connection until it has taken them. */
  readonly queueMax?: number
  /** Milliseconds after which the server sends a heartbeat; two without one are too many. */
  readonly heartbeatMs?: number
  /** Milliseconds for a connection to show that it works; then the next format is tried. */
  readonly openMs?: number
  /** Milliseconds before the first try of a connection that was lost, at most, and of any. */
  readonly retryMs?: number
  readonly retryMsMax?: number
}

/** Why a stream was closed; what the server answered, if it was that. */
export class CometError extends Error {
  override readonly name = 'CometError'
  /** The HTTP status; 0 without one. */
  declare readonly status: number
  /** That the server asked to wait; 0 for none. */
  declare readonly retryAfterSeconds: number
  /** One word for programs, as `token_expired` or `subject`; empty without one. */
  declare readonly code: string

  constructor(message: string, status = 0, retryAfterSeconds = 0) {
    super(message)
    this.status = status
    this.retryAfterSeconds = retryAfterSeconds
    // `code: what people read`, as servers of comet answer.
    this.code = /^\w+(?=:)/.exec(message)?.[0] ?? ''
  }
}

/** The detail of each event of a stream; the others are those that publishers name. */
export interface CometEventMap {
  /** Every message. One with an event is an event of that name, too, unless it is in this list. */
  message: CometMessage
  gap: CometGap
  open: undefined
  reconnect: CometReconnect
  /** The server ended it; then, as after an error and close(): `close`. */
  end: CometEnd
  error: CometError
  close: undefined
}

/** As every target of events takes them, in browsers and in Node. */
export type CometListenerOptions = Parameters<EventTarget['addEventListener']>[2]

export interface CometStream
  extends Omit<EventTarget, 'addEventListener'>,
    AsyncIterable<CometMessage> {
  readonly state: CometState
  /** How the messages come; undefined before, and in a tab whose messages another one receives. */
  readonly format: CometFormat | undefined
  /**
   * Where the stream is: behind the last message that was handed out. What `after` takes; undefined
   * until the first connection is open.
   */
  readonly cursor: string | undefined
  /**
   * Follows more subjects. Settles when the server does, rejects if it refuses them, and the stream
   * goes on as before.
   */
  subscribe(subjects: CometSubjects): Promise<void>
  unsubscribe(subjects: CometSubjects): Promise<void>
  /** Leaving a `for await` does the same. */
  close(): void
  addEventListener<Name extends keyof CometEventMap>(
    type: Name,
    listener: (event: CustomEvent<CometEventMap[Name]>) => void,
    options?: CometListenerOptions,
  ): void
  addEventListener(
    type: string,
    listener: (event: CustomEvent<CometMessage>) => void,
    options?: CometListenerOptions,
  ): void
}

/** A stream whose iterators have gaps, too. */
export interface CometGapStream extends Omit<CometStream, typeof Symbol.asyncIterator> {
  [Symbol.asyncIterator](): AsyncIterator<CometMessage | CometGapItem>
}
