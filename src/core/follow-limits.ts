// Every bound of who follows whom where machines share it in Redis, with its unit and the reason
// for its value; those of a database are in limits.ts.

export const followLimits = {
  /** Changes that come while all sets are read, beyond which they are read anew: 20 s of as many as
   * Redis takes. 12 bytes each. */
  changesMax: 1_000_000,
  /** Keys that Redis looks at in one command, and subjects of a large set that one command has:
   * a millisecond of Redis each, so that others wait no longer. */
  scanKeys: 500,
  scanSubjects: 1_000,
  /** Commands without an answer while sets are read or written: enough that Redis never waits, and
   * each has a few hundred bytes, or those of `scanSubjects`. */
  commandsMax: 512,
  /** Subjects of one command that adds them. */
  addSubjects: 1_000,
  /** Milliseconds until a node has read the log as far as the sets may be ahead of it, and between
   * two looks at how far it is. */
  catchUpMsMax: 10_000,
  catchUpEveryMs: 5,
  /** Times in a row that sets are read at once because Redis was another one, or had lost a part of
   * the log, by the end: more is a Redis that does not stay. */
  epochsMax: 3,
  /** Milliseconds before sets are read again that could not be read; it doubles. */
  firstRetryMs: 100,
  maxRetryMs: 5_000,
} as const

export type FollowLimits = { readonly [Name in keyof typeof followLimits]: number }
