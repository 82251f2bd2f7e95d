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
