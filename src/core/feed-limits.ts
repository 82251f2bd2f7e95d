// Every bound of the feed of connections, with its unit and the reason for its value; those of the
// rest are in limits.ts.

const KIB = 1024
const MIB = 1024 * KIB

/** The feed of which connections were opened and closed. */
export const feedLimits = {
  /** Bytes of the window at most, in one array; and at least, unless there is none: one event has
   * up to a hundred. */
  bytesMax: 1024 * MIB,
  bytesMin: 4 * KIB,
  /** Requests that follow it at the same time: presence services, and an operator who looks. Each
   * event is written once for each of them. */
  readersMax: 16,
  /** Events that are written together, in about half a millisecond. One such page, of 64 KB, waits
   * for a reader; the rest waits in the window. */
  eventsPerPage: 256,
  /** Milliseconds between an event and when readers are told that there are some. */
  gatherMs: 5,
  /** Random bytes of the ids of all connections of a run: no two servers have the same. */
  runBytes: 6,
} as const

/** The feed that servers share through Redis. */
export const sharedFeedLimits = {
  /** Events of one entry: of what comes in 5 ms at 25,000 a second, half. Redis takes a quarter of
   * a millisecond for it. */
  eventsPerEntry: 256,
  /** Milliseconds between two entries of a server, unless they are full: an entry costs Redis as
   * much as fifty events, and a hundred servers add theirs. */
  gatherMs: 25,
  /** Bytes of an event in Redis, about, by which --feed says how many are kept there: 27 to 46 in
   * large entries, and 80 where each entry has one. */
  eventBytes: 64,
  /** Entries of one answer to a reader that is behind: 2,000 events, of which it takes a page. */
  entriesPerRead: 8,
  /** Events that were read last and are kept here for all readers, and up to as many more, in about
   * 2 MB. */
  tailEventsMax: 4_096,
  /** Milliseconds that Redis waits for the next entry; and between two looks whether the feed there
   * is the one that is read. */
  readBlockMs: 1_000,
  /** Milliseconds between the last reader and the end of its connections. */
  idleMs: 5_000,
  /** Milliseconds that a reader which comes waits for Redis. */
  beginMsMax: 2_000,
  /** Milliseconds between two looks of a server whether Redis still has its connections, */
  lookEveryMs: 2_000,
  /** and for servers that have died, whose connections no server has reported: one that began to
   * has ended, too. All servers are in the answer, and each of a thousand asks. */
  forgottenEveryMs: 5_000,
  /** Milliseconds for which a server that removes those of another one has this for itself; each
   * page of them begins it again. */
  claimMs: 2_000,
  /** Connections of one page of these. */
  connectionsPerPage: 256,
  /** Milliseconds before something is tried again that Redis has refused; it doubles. */
  firstRetryMs: 50,
  maxRetryMs: 2_000,
  /** Milliseconds that a server which stops waits until its last events are in Redis. */
  closeMsMax: 2_000,
} as const

export type SharedFeedLimits = { readonly [Name in keyof typeof sharedFeedLimits]: number }
