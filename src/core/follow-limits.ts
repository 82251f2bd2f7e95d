// Every bound of who follows whom in Redis, with its unit and the reason for its value; those of a
// database are in limits.ts.

export const followLimits = {
  /** Changes that arrive while all sets are read, beyond which they are read again: 20 s at the
   * highest rate of Redis, 12 bytes each. */
  changesMax: 1_000_000,
  /** Keys that one `SCAN` visits, and subjects of a large set that one `SSCAN` returns: a
   * millisecond of Redis each, so that other commands wait no longer. */
  scanKeys: 500,
  scanSubjects: 1_000,
  /** Commands without an answer while sets are read or written: enough that Redis never waits, and
   * each has a few hundred bytes, or those of `scanSubjects`. */
  commandsMax: 512,
  /** Subjects of one command that adds them. */
  addSubjects: 1_000,
  /** Milliseconds that a node may take to read the log up to where the sets are, and between two
   * checks of it. */
  catchUpMsMax: 10_000,
  catchUpEveryMs: 5,
  /** Times in a row that the sets are read without a pause because the epoch of the log changed
   * meanwhile: more means that Redis does not stay up. */
  epochsMax: 3,
  /** Milliseconds before a failed reading is tried again; it doubles. */
  firstRetryMs: 100,
  maxRetryMs: 5_000,
} as const

export type FollowLimits = { readonly [Name in keyof typeof followLimits]: number }
