// The bounds of the format `poll`, with their units and reasons; limits.ts has the others.

const KIB = 1024

/** The format `poll`. */
export const longPollLimits = {
  /** Milliseconds that a request waits for a message: less than the least time limit that proxies
   * have, which is 30 s. `?timeout=` asks for less, or for more where none is in between. */
  waitMsDefault: 25_000,
  waitMsMin: 1_000,
  waitMsMax: 60_000,
  /** Milliseconds between two looks for requests that have waited long enough: 100,000 are looked
   * at in about a millisecond. */
  lookEveryMs: 250,
  /** Bytes of an answer to one that has waited, those of its last message aside. The client has the
   * rest with its next request, from the log, as fast as all take what they get. */
  answerBytesMax: 64 * KIB,
  /** `Stream-Cursor` of the protocol (section 10.1): milliseconds during which all answers have the
   * same one, seconds by which it is ahead of a client's, at most, and digits of a client's: one
   * that asks a thousand times a second has as many after centuries. */
  intervalMs: 20_000,
  jitterSecondsMax: 3_600,
  digitsMax: 15,
} as const
