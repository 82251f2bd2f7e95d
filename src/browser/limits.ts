// Every bound of the client library, with its unit and the reason for its value. Single constants,
// since the bundler puts their values where they are used.

/** Milliseconds of the server's heartbeat, by default. */
export const HEARTBEAT_MS = 25_000

/** Milliseconds for a connection to be opened and its first record to come: a phone on a bad
 * network needs three to be connected and answered over TLS. */
export const OPEN_MS = 8_000

/** Milliseconds of the first wait at most, and of any: a server that restarts gets its clients
 * spread over the first, and one that is away for long is asked twice a minute by each. */
export const RETRY_MS = 1_000
export const RETRY_MS_MAX = 30_000

/** A connection that lasted so many times the first wait was a good one: waits are short again. */
export const LASTED = 10

/** Seconds that a server may have a client wait: longer ones may be a mistake, and more
 * milliseconds than 2^31 would be none. */
export const RETRY_AFTER_SECONDS_MAX = 3_600

/** Messages that wait for the iterator: as many as the server sends again at once. */
export const QUEUE_MAX = 1_000

/** Characters of a line: of 64 KiB each byte may be written as six. */
export const LINE_LENGTH_MAX = 1_048_576

/** Milliseconds that the tab with the connection has to answer the others. */
export const TAB_ANSWER_MS = 3_000

/** Milliseconds that a long poll without a message takes at least: something on the way answers
 * sooner, and would be asked in a loop. */
export const POLL_MS_MIN = 500
