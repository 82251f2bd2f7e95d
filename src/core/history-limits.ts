// Every bound of the log of messages and of streams that begin with what their clients have missed,
// with its unit and the reason for its value; those of the rest are in limits.ts.

const MIB = 1024 * 1024

/** The log of recent messages, and how much of it one client gets again. */
export const historyLimits = {
  /** Bytes of the window by default; at most, in one array; and of a message's key, whose length is
   * a byte. */
  bytesDefault: 64 * MIB,
  bytesMax: 2 * 1024 * MIB,
  keyBytesMax: 255,
  /** Messages and bytes of their bodies that a client gets again; one that has missed more is told
   * so and reads its state anew. More than a slow client can have in its outbox and in the kernel
   * when it is cut, so that it loses nothing. */
  messagesMax: 8_192,
  bodyBytesMax: MIB,
  /** Entries that are read in one turn of the loop for a reader that gets too much in pages: in
   * about a millisecond. */
  pageEntriesMax: 100_000,
  /** Changes of what one user follows that are read for it, in about half a millisecond. */
  changesMax: 10_000,
  /** Followed subjects from which on it is faster to read all messages since then, if these are no
   * more than so many for each subject: an entry takes about as long as a subject. */
  scanSubjectsMin: 1_000,
  scanRatio: 1,
  /** Places of the table of the newest message of each subject or user, 70 % of which are used: a
   * table takes 32 MiB at most, unless the window alone has more of them. Beyond it, it is not
   * known who has missed what had left the window by then. */
  headPlacesMax: 2 ** 22,
  /** Milliseconds between two looks whether these are to be written, and between the steps of it;
   * places of one step, in about a millisecond: a million subjects in seven seconds. A window that
   * turns over in less time has no file of them after a kill. */
  maintainEveryMs: 1_000,
  maintainStepMs: 25,
  headPlacesPerStep: 8_192,
} as const

export type HistoryLimits = { readonly [Name in keyof typeof historyLimits]: number }

/** Keys by which publishers may send a message again without a second one. */
export const keyLimits = {
  /** Characters of a key: a UUID has 36, a SHA-512 in hexadecimal 128. */
  lengthMax: 128,
  /** Milliseconds that a key is kept: longer than what clients retry for. */
  keptMs: 300_000,
  /** Keys that are kept at most: of 3,495 a second, in 64 MiB. One more is refused, since one that
   * is forgotten early would let its message go out twice. */
  keysMax: 2 ** 20,
  /** Keys that are forgotten with each message that has one, in a few microseconds: many that are
   * due together keep nobody waiting. */
  forgottenTogetherMax: 16,
} as const

/** Streams that begin with what their clients have missed. */
export const resumeLimits = {
  /** Messages that `?last=` may ask for. */
  lastMax: 1_000,
  /** Bytes of messages that were read from the log and are kept for the next stream that has missed
   * them; a message takes about so many besides its own. */
  framesBytesMax: 8 * MIB,
  frameBytesMin: 200,
  /** Bytes that wait for the clients of one process that came back, beyond which the next ones
   * wait; and streams that wait for the answer of the process with the log. */
  beginningBytesMax: 64 * MIB,
  beginningsMax: 64,
  /** Milliseconds that a client that comes back waits for the shared log to be mended, or for this
   * server to read as far as another one, before it is told of a gap: as long as publishers wait.
   * To notice that Redis stands still, and to connect anew, takes a server up to nine seconds. */
  settleMsMax: 10_000,
  /** Milliseconds between two looks whether there is room again, and streams that begin in one. */
  roomCheckMs: 10,
  begunTogetherMax: 1_000,
  /** Milliseconds between two looks, while others wait, for streams whose clients took nothing
   * since the last one. They are cut: one that has lost its network for so long loses nothing, and
   * those of somebody who means harm are soon behind the others. */
  stallCheckMs: 1_000,
  /** Milliseconds that a stream waits for room; then it is ended, and its client may come again.
   * Less than a name is kept that no open stream refers to; see `namePassMs`. */
  waitMsMax: 30_000,
  /** Subscriptions that change together and are each an entry of the log; more are one entry, and a
   * slice of a bulk change has a few hundred. */
  followsTogetherMax: 16,
} as const
