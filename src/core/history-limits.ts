// Every bound of the log of messages and of streams that begin with what their clients have missed,
// with its unit and the reason for its value; those of the rest are in limits.ts.

const MIB = 1024 * 1024

/** The log of recent messages, and how much of it one client gets again. */
export const historyLimits = {
  /** Bytes of the window by default, at most, and of a message's key, whose length is a byte. */
  bytesDefault: 64 * MIB,
  bytesMax: 8 * 1024 * MIB,
  keyBytesMax: 255,
  /** Messages and bytes of their bodies that a client gets again; one that has missed more is told
   * so and reads its state anew. As many as an outbox holds, in one turn of the loop. */
  messagesMax: 1_000,
  bodyBytesMax: MIB,
  /** Changes of what one user follows that are read for it, in about half a millisecond. */
  changesMax: 10_000,
  /** Followed subjects from which on it is faster to read all messages since then, if these are no
   * more than so many for each subject: measured by `bench --suite log`. */
  scanSubjectsMin: 1_000,
  scanRatio: 4,
  /** Places of the table of the newest message of each subject or user, 70 % of which are used: a
   * table takes 32 MiB at most, unless the window alone has more of them. Beyond it, it is not
   * known who has missed what had left the window by then. */
  headPlacesMax: 2 ** 22,
} as const

/** Streams that begin with what their clients have missed. */
export const resumeLimits = {
  /** Bytes of messages that were read from the log and are kept for the next stream that has missed
   * them; a message takes about so many besides its own. */
  framesBytesMax: 8 * MIB,
  frameBytesMin: 200,
  /** Bytes that wait for the clients of one process that came back, beyond which the next ones
   * wait; and streams that wait for the answer of the process with the log. */
  beginningBytesMax: 64 * MIB,
  beginningsMax: 64,
  /** Milliseconds between two looks whether there is room again. */
  roomCheckMs: 10,
  /** Subscriptions that change together and are each an entry of the log; more are one entry, and a
   * slice of a bulk change has a few hundred. */
  followsTogetherMax: 16,
} as const
