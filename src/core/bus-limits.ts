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
  /** Milliseconds between two questions how much memory the server uses: it grows for hours. Each
   * costs it a tenth of a millisecond, and a thousand nodes ask. */
  infoEveryMs: 10_000,
  /** The oldest major version whose streams have all that the bus needs. */
  versionMin: 7,
  /** Characters of a password: the tokens that clouds give out instead have 2 KiB. */
  passwordLengthMax: 4_096,
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
  /** Milliseconds that a server waits for Redis and its log when it starts, before it gives up: who
   * has started it starts it again. */
  startMsMax: 10_000,
  /** Seconds after which a publisher that was refused is to try again: a failover takes some. */
  retryAfterSeconds: 2,
  /** Milliseconds that a server which stops waits until what it has taken is in the log, and
   * between two looks whether it is. */
  closeMsMax: 2_000,
  closeCheckMs: 5,
  /** Milliseconds between two looks at who has waited for so long, and at whether this node has
   * read what another one has. */
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
  /** Milliseconds between two questions how far the log goes, while a node always finds more to
   * read: for its figures, and a dozen microseconds of Redis each. */
  topEveryMs: 1_000,
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
  /** Fields of a hash that one command reads: less than a millisecond of Redis. */
  scanFields: 1_000,
  /** Characters of the prefix of the keys in Redis. */
  prefixLengthMax: 64,
} as const

export type BusLimits = { readonly [Name in keyof typeof busLimits]: number }

/** The nodes of one cluster: who is there, and what they ask each other. */
export const nodeLimits = {
  /** Milliseconds between two heartbeats of a node, and for how long one counts: two may be
   * late or lost. Whoever stands still for longer has left, and joins again. */
  beatEveryMs: 500,
  aliveMs: 1_500,
  /** Milliseconds that a node has to be connected before it takes another one for dead. After an
   * outage of Redis all heartbeats are over, and nodes come back within
   * {@link redisLimits.maxRetryMs}. */
  judgeAfterMs: 2_500,
  /** Nodes that one node watches, the next ones in the order of their origins: what each costs is
   * the same for any number of nodes, and all but one of a small cluster are watched by several. */
  watchedMax: 3,
  /** Nodes of a cluster: more than one log has room for. */
  membersMax: 1_000,
  /** Changes of the members that are kept while Redis is asked for all of them. */
  changesMax: 1_000,
  /** Milliseconds that a node waits, when it stops, until others know. */
  leaveMsMax: 500,
  /** Seconds that Redis keeps the members after the last heartbeat of any. */
  membersSeconds: 86_400,
  /** Characters of a node's name, as of a host (RFC 1035), of its address and of its version. */
  nameLengthMax: 255,
  addressLengthMax: 300,
  versionLengthMax: 64,
  /** Entries that wait for one node in Redis, about, and the milliseconds until they are forgotten:
   * nobody waits for an answer that long. */
  inboxEntries: 1_000,
  inboxMs: 10_000,
  /** Bytes of what is sent to one node as one entry, about, if it is more than one item. */
  inboxEntryBytes: 256 * KIB,
  /** Items of one turn of the loop to all nodes, beyond which others are dropped. */
  inboxItemsMax: 20_000,
  /** Characters of an entry that is read: the longest answer, with escapes. */
  inboxEntryLengthMax: 8 * MIB,
  /** Milliseconds until who asked all nodes goes on without those that have not answered. A node
   * answers within one; this is for those that are busy. */
  answerMs: 250,
  /** Questions without all their answers, and those of others that are being answered. */
  asksMax: 1_024,
  handledMax: 1_024,
  /** Characters of what a node asks or answers: figures of all its workers are a tenth. */
  bodyLengthMax: 1 * MIB,
  /** Messages whose counts of other nodes are outstanding: at 16,000 a second for 250 ms, twice
   * over. */
  receiptsMax: 8_192,
  receiptMs: 250,
  /** Counts that came before their message was read back here. */
  earlyReceiptsMax: 1_024,
} as const

export type NodeLimits = { readonly [Name in keyof typeof nodeLimits]: number }

/** What operators are shown of the bus. */
export const busFigureLimits = {
  /** Share of the queue from which it fills: at full load, it is empty within a round trip. */
  queueRatio: 0.5,
  /** Nodes that the dashboard lists: what a page can show and a second can send. */
  nodesShownMax: 100,
} as const
