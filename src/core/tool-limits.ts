// Every bound of the commands that are no server, with its unit and the reason for its value; those of
// the server are in limits.ts. A queue, buffer, table or wait without a line in either is a bug.

const KIB = 1024
const MIB = 1024 * KIB

/** The flood client. */
export const floodLimits = {
  /** Connections of one run that await their first byte, unless told otherwise. Half of the 512 that
   * wait in the listen queue of a Bun server: from fifty processes, 1,024 overflow the queue of one
   * server process, after which the kernel tries again only after 1, 3 and 7 s. */
  pendingDefault: 256,
  pendingMax: 65_536,
  /** Milliseconds until a connection without its first byte counts as failed. */
  firstByteMs: 10_000,
  /** Milliseconds between two looks for such connections, and for those that are due by the rate:
   * as often as one is due, within these bounds. */
  checkEveryMsMin: 5,
  checkEveryMsMax: 250,
  /** Milliseconds between two looks for streams that are to be tried again. */
  reconnectEveryMs: 25,
  /** Milliseconds that a stream waits at most, in the mean, before it is tried again. */
  reconnectMsMax: 30_000,
  /** Milliseconds after it was due from which a connection was begun late. */
  lateMs: 100,
  /** Wrong messages that are shown of each kind. */
  examplesMax: 5,
  /** Bytes of the note of all sequence numbers that came, in one process, while they are compared with
   * what the generator was promised: a bit for each. */
  arrivalsBytesMax: 64 * MIB,
  /** Of a core, from which a process counts as busy all the time. */
  busyCores: 0.9,
  /** Milliseconds that a loop is late, from which what it measures is its own lateness. */
  loopLateMs: 100,
  /** Bytes of a response head; what servers and proxies allow at most. */
  headBytesMax: 64 * KIB,
  /** Bytes of one message that may be held while it is incomplete. */
  messageBytesMax: MIB,
  /** Bytes of one chunk where it is no message itself, and may pass in pieces: eight digits. */
  chunkBytesMax: 4 * 1024 * MIB - 1,
  /** Ports to go on by when one is busy: other runs hold thousands in a row. */
  portStride: 997,
  /** Local ports tried for one connection before it counts as failed. After a large run most of an
   * address's ports are busy for a minute. */
  portTriesMax: 1_024,
  /** Local ports bound explicitly: above the well-known ones, and not the last thousand of those
   * that Linux hands out by itself, 32,768 to 60,999. It passes over every number that anybody has
   * bound, on whatever address, so that a flood which took them all would leave the whole machine
   * unable to connect anywhere. */
  portFirst: 10_000,
  portLast: 59_999,
  /** Connections from one loopback address before the next address is taken, so that a run of
   * a million spreads over few addresses and still passes over busy ports. */
  connectionsPerAddress: 40_000,
  /** (stream, generator) pairs whose last sequence numbers are kept: 22 bytes a place, in a table
   * that is four to seven eighths full. */
  trackedPairsMax: 4 * MIB,
  /** Milliseconds of silence after which a generator has ended: its pairs are forgotten when others need
   * their room. */
  generatorForgetMs: 30_000,
  /** Generators told apart at the same time. */
  generatorsMax: 65_536,
  /** Milliseconds of silence after which a run that ends stops waiting for what is under way. */
  quietMs: 300,
  /** Milliseconds that a run that ends waits at most. */
  settleMsMax: 5_000,
  /** Milliseconds until a name without an address counts as unknown: resolvers ask twice, for 5 s. */
  lookupMsMax: 15_000,
  /** Milliseconds until a file of `--expect` that gives nothing, as a pipe may, cannot be read. */
  expectMsMax: 10_000,
  /** Milliseconds in which the server's count of streams is asked for again while it is below the
   * client's: a process tells once a second what ended. And milliseconds between two such looks. */
  compareMsMax: 3_000,
  compareEveryMs: 500,
  /** Milliseconds until a server that is asked for its count, or for a user, has not answered. */
  statsMsMax: 5_000,
  /** Streams that are named of those which the server does not have. To find them it is asked for so
   * many users and for so many milliseconds at most, with so many questions under way. */
  missingNamedMax: 10,
  missingAskedMax: 20_000,
  missingAskMsMax: 3_000,
  missingAskedAtOnce: 32,
  /** Milliseconds in which a process lists the streams that it believes to be open. */
  listMsMax: 5_000,
  /** Open files that a flood process keeps for itself. */
  reserveDescriptors: 64,
  /** Connections that one process must have room for; below it a run would be all processes. */
  connectionsPerProcessMin: 64,
  /** Processes of one run. */
  processesMax: 1_024,
  /** Milliseconds that a process may take to close its streams and to report after the run has ended:
   * fifty processes close a million in about twenty seconds. */
  reportMsMax: 60_000,
  /** Milliseconds between two tellings of a process to its parent; what is shown is no older. */
  reportEveryMs: 1_000,
  /** Chunks after which one process of many collects what reading left behind; some megabytes. */
  collectChunks: 8_192,
  /** Milliseconds between two such collections at least, each of which takes some ten. */
  collectMsMin: 10_000,
  /** Milliseconds between two samples of `--ndjson`. */
  sampleEveryMs: 1_000,
} as const

/** The generator. */
export const genLimits = {
  /** Messages of one request, unless told otherwise. */
  batchDefault: 1_000,
  /** Messages of one request at most: a batch is held in memory while it is sent. */
  batchMax: 10_000,
  /** Requests under way at the same time. */
  publishersDefault: 4,
  publishersMax: 256,
  /** Generators of one run, unless told otherwise, and at most; the flood client can tell as many
   * apart. While a generator's messages are under way its next ones wait, which speaks for many; but
   * more requests are under way then, each with less, and what the flood client keeps grows. */
  generatorsDefault: 16,
  generatorsMax: 65_536,
  /** Milliseconds in which messages that come due are gathered into one request: a thousand requests
   * a second would cost client and server more than what they carry. */
  gatherMs: 2,
  /** Milliseconds until a request without an answer counts as failed. The server's answer may wait
   * until it has replaced a worker that hangs, for ten seconds. */
  answerMs: 15_000,
  /** Milliseconds past the end of a run in which late messages are still sent. */
  lateMsMax: 1_000,
  /** Requests that may fail one after another while none has ever been answered: then there is no
   * server. One that was there is waited for until the run ends. */
  failuresAtStartMax: 5,
  /** Milliseconds to wait after a failed request, doubled each time up to the second number. */
  retryMs: 20,
  retryMsMax: 1_000,
  /** Users of `--subjects file:`: 4 bytes each, 64 MiB. */
  subjectsMax: 2 ** 24,
  /** Bytes of a line of that file: an id, and room for a comment. */
  subjectLineBytesMax: 1_024,
  /** The exponent of `--subjects zipf:`; from ten on all but a thousandth goes to user 1. */
  zipfExponentMax: 10,
  /** Milliseconds until the next bytes of that file, which may be a pipe, have not come. */
  subjectsMsMax: 10_000,
  /** Bytes of an answer to `--post` in which its promise is looked for. */
  promiseBytesMax: 4_096,
} as const

/** The search for the highest rate, `comet gen --find-rate`. */
export const findLimits = {
  /** By how much the rate is raised: from 1,000 a second to a million in ten attempts. */
  factor: 2,
  /** Rates between the highest that held and the lowest that did not: 2^(1/16), so within 5 %. */
  bisections: 4,
  /** Attempts of one search: each rate that fails takes two. */
  attemptsMax: 20,
  /** Milliseconds between two looks at what has arrived, or at how many streams are open. */
  lookEveryMs: 50,
  /** Milliseconds without anything new after which an attempt is over, once all has arrived and while
   * something is missing. The process that holds the streams tells once a second what came. */
  stillMs: 1_100,
  stillMissingMs: 2_200,
  /** Milliseconds that an attempt waits for what is under way at most. */
  arriveMsMax: 60_000,
  /** Times that opening all streams is tried, and milliseconds in between: a server that was just
   * flooded may be busy with closing the last ones. */
  openTriesMax: 3,
  openPauseMs: 1_000,
  /** Milliseconds without another stream open after which opening all of them has failed: longer than
   * one stream may take, and its process to tell of it. */
  openStillMsMax: 20_000,
} as const

/** What is shown of a run while it goes, and kept of it for its page. */
export const viewLimits = {
  /** Seconds in the small curves of the live view; as many columns. */
  curveSeconds: 60,
  /** Kinds of errors in the live view, the most frequent first: what fits a line of 80. */
  errorKindsMax: 4,
  /** Samples of a page, an hour of them; a longer run has each stand for several seconds. Even, since
   * neighbours become one. A chart has about a third as many points across. */
  samplesMax: 3_600,
  /** Points of the latency distribution each time the rest of the messages halves, as in the plots of
   * HdrHistogram. A billion messages are a hundred and fifty. */
  pointsPerHalving: 5,
} as const

/** The doctor. */
export const doctorLimits = {
  /** Streams that one asks for at most: a thousand processes of a million each. */
  connectionsMax: 1_000_000_000,
  /** Settings that a start warns of, one line each; the doctor tells of all. */
  warningsMax: 3,
} as const

/** `comet health`. */
export const healthLimits = {
  /** Milliseconds for the whole answer; Docker, Kubernetes and systemd wait for longer. */
  answerMs: 3_000,
  /** Characters of an answer that are looked at; comet's has one word and the numbers of workers. */
  answerLengthMax: 4_096,
} as const
