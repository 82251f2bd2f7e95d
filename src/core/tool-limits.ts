// Every bound of the commands that are no server, with its unit and the reason for its value; those of
// the server are in limits.ts. A queue, buffer, table or wait without a line in either is a bug.

const KIB = 1024
const MIB = 1024 * KIB

/** The flood client. */
export const floodLimits = {
  /** Default and maximum of connections of one run that wait for their first byte. Half of the 512
   * that fit in the listen queue of a Bun server: from fifty processes, 1,024 overflow the queue of one
   * server process, after which the kernel tries again only after 1, 3 and 7 s. */
  pendingDefault: 256,
  pendingMax: 65_536,
  /** Milliseconds until a connection without its first byte counts as failed. */
  firstByteMs: 10_000,
  /** Bounds of the interval of checks for such connections and for those that are due by the rate. */
  checkEveryMsMin: 5,
  checkEveryMsMax: 250,
  /** Interval of checks for streams to reconnect. */
  reconnectEveryMs: 25,
  /** Maximum of the mean delay before a stream is tried again. */
  reconnectMsMax: 30_000,
  /** Delay from which a connection counts as late. */
  lateMs: 100,
  /** Wrong messages shown of each kind. */
  examplesMax: 5,
  /** Bytes of one process for which messages came, a bit for each, in a run that is compared with what
   * generators were promised. */
  arrivalsBytesMax: 64 * MIB,
  /** Share of a core from which a process counts as busy. */
  busyCores: 0.9,
  /** Lag of the event loop from which measured times may be its own. */
  loopLateMs: 100,
  /** Bytes of a response head; what servers and proxies allow at most. */
  headBytesMax: 64 * KIB,
  /** Bytes of one message. */
  messageBytesMax: MIB,
  /** Bytes of one chunk that is not itself a message and need not be kept: eight digits. */
  chunkBytesMax: 4 * 1024 * MIB - 1,
  /** Ports to skip when one is busy: other runs have thousands in a row. */
  portStride: 997,
  /** Local ports tried for one connection before it counts as failed. After a large run most of an
   * address's ports are busy for a minute. */
  portTriesMax: 1_024,
  /** Local ports bound explicitly: above the well-known ones, and not the last thousand of those
   * that Linux assigns itself, 32,768 to 60,999. It skips every number that is bound on any address,
   * so a flood that took them all would leave the whole machine unable to connect anywhere. */
  portFirst: 10_000,
  portLast: 59_999,
  /** Connections from one loopback address before the next address is taken, so that a run of
   * a million spreads over few addresses and can still skip busy ports. */
  connectionsPerAddress: 40_000,
  /** (stream, generator) pairs whose last sequence numbers are kept: 24 bytes a row, in a table that is
   * four to seven eighths full. */
  trackedPairsMax: 4 * MIB,
  /** Silence after which the pairs of a generator may be forgotten when others need their room. */
  generatorForgetMs: 30_000,
  /** Generators tracked at the same time. */
  generatorsMax: 65_536,
  /** Silence after which a run that ends stops waiting for bytes under way. */
  quietMs: 300,
  /** How long a run that ends waits for them at most. */
  settleMsMax: 5_000,
  /** Time limit for resolving a name: resolvers ask twice, for 5 s each. */
  lookupMsMax: 15_000,
  /** Time limit for reading a file of `--expect`, which may be a pipe. */
  expectMsMax: 10_000,
  /** How long, and how often, the server's count of streams is compared again while it is below the
   * client's: a process reports once a second what ended. */
  compareMsMax: 3_000,
  compareEveryMs: 500,
  /** Time limit of one request to the control port. */
  statsMsMax: 5_000,
  /** Most streams named of those that the server lacks; and most users, milliseconds and concurrent
   * requests that looking for them takes. */
  missingNamedMax: 10,
  missingAskedMax: 20_000,
  missingAskMsMax: 3_000,
  missingAskedAtOnce: 32,
  /** Time limit for a process to list its open streams. */
  listMsMax: 5_000,
  /** Open files of a flood process besides its connections. */
  reserveDescriptors: 64,
  /** Connections that one process must have room for, or a run would need too many processes. */
  connectionsPerProcessMin: 64,
  /** Processes of one run. */
  processesMax: 1_024,
  /** Time limit for a process to close its streams and report after the run has ended: fifty processes
   * close a million in about twenty seconds. */
  reportMsMax: 60_000,
  /** Interval of reports of a process to its parent; no figure shown is older. */
  reportEveryMs: 1_000,
  /** Chunks after which a child process collects the garbage of reading; some megabytes. */
  collectChunks: 8_192,
  /** Minimum interval of such collections, each of which takes some ten milliseconds. */
  collectMsMin: 10_000,
  /** Interval of samples. */
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
