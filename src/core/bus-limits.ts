// Every bound of the bus, the log that nodes share in Redis, with its unit and the reason for its
// value; other bounds are in limits.ts.

const KIB = 1024
const MIB = 1024 * KIB

/** Connections to Redis. */
export const redisLimits = {
  /** Milliseconds to open a connection and read the server's `INFO`. */
  openMsMax: 3_000,
  /** Milliseconds for the answer to a command, beyond which the connection counts as lost: a fork
   * for a snapshot of gigabytes blocks the server for less. */
  answerMsMax: 3_000,
  /** Extra milliseconds for answers that have arrived and are not read: after this process was
   * stopped, its timers run before its sockets. */
  graceMs: 100,
  /** Commands without an answer on one connection; the bus has fewer in flight. */
  commandsMax: 1_024,
  /** Milliseconds before the next connection after a failure; it doubles. Each node waits a random
   * part of it, so that they do not come back together. */
  firstRetryMs: 50,
  maxRetryMs: 2_000,
  /** Milliseconds of connection after which the next failure counts as the first. */
  forgetMs: 5_000,
  /** Milliseconds between two `INFO` requests, for figures such as memory, which change slowly.
   * Each costs the server a tenth of a millisecond, and a thousand nodes send them. */
  infoEveryMs: 10_000,
  /** The oldest major version whose streams have all that the bus needs. */
  versionMin: 7,
  /** Characters of a password: the tokens that clouds give out instead have 2 KiB. */
  passwordLengthMax: 4_096,
} as const

export type RedisLimits = { readonly [Name in keyof typeof redisLimits]: number }

/** The log in Redis. */
export const busLimits = {
  /** Bytes and messages of the publish queue, beyond which publishers are refused: over a second at
   * full load. Far below the smallest window, so that a burst after an outage does not trim entries
   * that other nodes have not read. */
  queueBytesMax: 16 * MIB,
  queueMessagesMax: 200_000,
  /** Milliseconds that a message waits in the queue before its publisher gets a failure. */
  waitMsMax: 10_000,
  /** Milliseconds that a starting node waits for Redis and its log before it exits: the service
   * manager starts it again. */
  startMsMax: 10_000,
  /** `Retry-After` of a refused publisher, in seconds: a failover takes some. */
  retryAfterSeconds: 2,
  /** Milliseconds that a stopping node waits until its queue is in the log, and between two checks
   * of it. */
  closeMsMax: 2_000,
  closeCheckMs: 5,
  /** Milliseconds between two looks at who has waited for so long, and at whether this node has
   * read what another one has. */
  waitCheckEveryMs: 250,
  /** Milliseconds after a failover in which clients wait that were in a part which Redis has lost:
   * another node may add it again. One takes up to five seconds to connect to the new server. */
  addAgainMsMax: 5_000,
  /** Bytes and messages of one entry: a usual turn of the loop has less, and a reader handles an
   * entry in one turn. */
  batchBytesMax: 256 * KIB,
  batchMessagesMax: 1_024,
  /** Batches in flight, without an answer; meanwhile the next one grows. */
  batchesUnderWayMax: 16,
  /** Entries of one read, which are handled in one turn of the loop; and milliseconds that Redis
   * blocks until there is one. */
  readEntries: 100,
  readBlockMs: 1_000,
  /** Milliseconds between two requests for the end of the log while a node lags behind it: for its
   * figures, and a dozen microseconds of Redis each. */
  topEveryMs: 1_000,
  /** Times in a row that a node reads to the end of the log again because Redis refused its
   * batches, before it reconnects, with backoff. */
  looksMax: 8,
  /** Bytes of an entry besides those of its messages, about, in the memory of Redis. */
  entryBytes: 128,
  /** Bytes between two ids at which the log may be trimmed: a thousand ids for 64 MiB. */
  cutEveryBytes: 64 * KIB,
  /** Bytes of the last entries read, which can be added again if a failover has lost them. A
   * replica lags by milliseconds, a file by a second. */
  recentBytesMax: 8 * MIB,
  /** Epochs whose cursors are known: one for each restart of Redis within the window. */
  epochsMax: 256,
  /** Bytes of the list of forks in Redis, each of about 35: longer than any node is away. It is in
   * the answer to each node that asks how far the log goes, once a second while nothing comes. */
  forksLengthMax: 1_024,
  /** Origins whose last batch is kept, to detect repeated batches. A Redis that has lost everything
   * gets all of them in one command of about 30 KiB. */
  originsMax: 1_000,
  /** Keys of messages that a Redis that has lost everything gets back, the newest ones: one command
   * of about 6 MiB, which takes it a quarter of a second. */
  keysAgainMax: 65_536,
  /** Seconds that Redis keeps the number of an origin's last batch: longer than any connection that
   * may still deliver one. */
  originSeconds: 86_400,
  /** Fields of a hash that one command reads: less than a millisecond of Redis. */
  scanFields: 1_000,
  /** Characters of the prefix of the keys in Redis. */
  prefixLengthMax: 64,
} as const

export type BusLimits = { readonly [Name in keyof typeof busLimits]: number }

/** The nodes of a cluster: heartbeats, members, and their questions. */
export const nodeLimits = {
  /** Milliseconds between two heartbeats of a node, and for how long one counts: two may be
   * late or lost. A node without any for longer is declared dead, and joins again. */
  beatEveryMs: 500,
  aliveMs: 1_500,
  /** Milliseconds that a node has to be connected before it declares another one dead. After an
   * outage of Redis all heartbeats have expired, and nodes reconnect within
   * {@link redisLimits.maxRetryMs}. */
  judgeAfterMs: 2_500,
  /** Nodes that one node watches, the next ones in the order of origins: so the cost a node is the
   * same for any size of cluster, and several nodes watch each one. */
  watchedMax: 3,
  /** Nodes of a cluster: more than one log has room for. */
  membersMax: 1_000,
  /** Changes of the members that are kept while all members are requested from Redis. */
  changesMax: 1_000,
  /** Milliseconds that a stopping node waits until its leave is in the log. */
  leaveMsMax: 500,
  /** Seconds that Redis keeps the members after the last heartbeat of any. */
  membersSeconds: 86_400,
  /** Characters of a node's name, as of a host (RFC 1035), of its address and of its version. */
  nameLengthMax: 255,
  addressLengthMax: 300,
  versionLengthMax: 64,
  /** Entries in the inbox of a node, about, and the milliseconds until they expire: longer than any
   * question waits for its answer. */
  inboxEntries: 1_000,
  inboxMs: 10_000,
  /** Bytes of one inbox entry, about, if it has more than one item. */
  inboxEntryBytes: 256 * KIB,
  /** Items of one turn of the loop to all nodes; more are dropped. */
  inboxItemsMax: 20_000,
  /** Characters of an inbox entry that is read: the longest answer, with escapes. */
  inboxEntryLengthMax: 8 * MIB,
  /** Milliseconds that a question waits for answers. A node answers within one; the rest is for
   * busy nodes. */
  answerMs: 250,
  /** Questions without all their answers, and questions of other nodes being answered. */
  asksMax: 1_024,
  handledMax: 1_024,
  /** Characters of a question or an answer: the figures of all workers are a tenth. */
  bodyLengthMax: 1 * MIB,
  /** Messages that wait for the counts of other nodes: twice as many as 16,000 a second for
   * 250 ms. */
  receiptsMax: 8_192,
  receiptMs: 250,
  /** Counts of other nodes that arrived before this node has read the message. */
  earlyReceiptsMax: 1_024,
} as const

export type NodeLimits = { readonly [Name in keyof typeof nodeLimits]: number }

/** The figures of the bus. */
export const busFigureLimits = {
  /** Fill ratio of the queue from which a warning is shown: at full load, the queue empties within
   * a round trip. */
  queueRatio: 0.5,
  /** Nodes that the dashboard lists: more do not fit a page that is updated every second. */
  nodesShownMax: 100,
} as const
