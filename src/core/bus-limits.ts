// Every bound of the bus, the log that several machines share, with its unit and the reason for its
// value; those of the rest are in limits.ts.

const KIB = 1024
const MIB = 1024 * KIB

/** Connections to Redis. */
export const redisLimits = {
  /** Milliseconds until a connection is open and the server has said what it is. */
  openMsMax: 3_000,
  /** Milliseconds without an answer to a command, beyond which its connection counts as lost: a
   * server that forks for a snapshot of gigabytes stands still for less. */
  answerMsMax: 3_000,
  /** Milliseconds more for what has arrived and was not read: after this process itself stood
   * still, its timers run first. */
  graceMs: 100,
  /** Commands without an answer on one connection; the bus itself has fewer under way. */
  commandsMax: 1_024,
  /** Milliseconds before the next connection after a failure; it doubles. Each node waits a random
   * part of it, so that they do not come back together. */
  firstRetryMs: 50,
  maxRetryMs: 2_000,
  /** Milliseconds that a connection has to last, so that the next failure counts as the first. */
  forgetMs: 5_000,
  /** The oldest major version whose streams have all that the bus needs. */
  versionMin: 7,
} as const

export type RedisLimits = { readonly [Name in keyof typeof redisLimits]: number }

/** The log in Redis. */
export const busLimits = {
  /** Bytes and messages that wait to be in the log, beyond which publishers are refused: a second
   * and more at full load. Far below the least window, so that a burst after an outage does not
   * trim what other nodes have still to read. */
  queueBytesMax: 16 * MIB,
  queueMessagesMax: 200_000,
  /** Milliseconds that a message waits for its place in the log, before its publisher is told. */
  waitMsMax: 10_000,
  /** Milliseconds between two looks at who has waited for so long. */
  waitCheckEveryMs: 250,
  /** Bytes and messages of one entry: a turn of the loop has less, and a reader takes one whole. */
  batchBytesMax: 256 * KIB,
  batchMessagesMax: 1_024,
  /** Entries whose answers are outstanding; meanwhile the next one grows. */
  batchesUnderWayMax: 16,
  /** Entries of one answer to a reader, which are taken in one turn of the loop; and milliseconds
   * that it waits for the first one. */
  readEntries: 100,
  readBlockMs: 1_000,
  /** Times in a row that a node looks at the log anew because Redis has not taken its entries,
   * before it connects anew, which it does ever more slowly. */
  looksMax: 8,
  /** Bytes of an entry besides those of its messages, about, in the memory of Redis. */
  entryBytes: 128,
  /** Bytes between two places at which the log may be cut: 64 MiB are a thousand places. */
  cutEveryBytes: 64 * KIB,
  /** Bytes of entries that were read last and can be added again, if a failover has lost them. A
   * replica is behind by milliseconds, a file by a second. */
  recentBytesMax: 8 * MIB,
  /** Epochs whose cursors are known: one for each restart of Redis within the window. */
  epochsMax: 256,
  /** Nodes whose last batch is kept, to know what comes twice; each start is one. All of them go in
   * one command to a Redis that has lost everything, in about 30 KiB. */
  originsMax: 1_000,
  /** Keys of messages that a Redis that has lost everything gets back, the newest ones: in one
   * command of about 6 MiB, which takes it a quarter of a second. */
  keysAgainMax: 65_536,
  /** Seconds that Redis keeps the number of a node's last batch: longer than any connection that
   * may still bring one. */
  originSeconds: 86_400,
  /** Characters of the prefix of the keys in Redis. */
  prefixLengthMax: 64,
} as const

export type BusLimits = { readonly [Name in keyof typeof busLimits]: number }
