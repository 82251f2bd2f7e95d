// Every bound of the commands other than the server, with its unit and the reason for its value;
// those of the server are in limits.ts. A queue, buffer, table or wait without a line in either is
// a bug.

const KIB = 1024
const MIB = 1024 * KIB

/** The flood client. */
export const floodLimits = {
  /** Default and maximum of connections of one run that wait for their first byte. Half of the 512
   * that fit in the listen queue of a Bun server: from fifty processes, 1,024 overflow the queue of
   * one server process, after which the kernel tries again only after 1, 3 and 7 s. */
  pendingDefault: 256,
  pendingMax: 65_536,
  /** Milliseconds until a connection without its first byte counts as failed. The kernel tries to
   * connect again after 1, 3, 7 and 15 s, and two hundred processes of a run that share two cores
   * may each be delayed for seconds. */
  firstByteMs: 30_000,
  /** Bounds of the interval of checks for such connections and for those that are due by the
   * rate. */
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
  /** Bytes of one process for which messages came, a bit for each, in a run that is compared with
   * what generators were promised. */
  arrivalsBytesMax: 64 * MIB,
  /** Share of a core from which a process counts as busy. */
  busyCores: 0.9,
  /** Lag of the event loop from which measured times may be its own. */
  loopLateMs: 100,
  /** Bytes of one read, into a buffer that all connections of a process share, and reads of one
   * connection in a row: others have their turn after a mebibyte. */
  receiveBytes: 64 * KIB,
  readsPerTurn: 16,
  /** Events of one `epoll_wait`. */
  eventsPerWait: 512,
  /** Milliseconds that a process handles and awaits events before Bun's loop has its turn, with its
   * timers, signals and reports; and most waits of such a turn. With 5 ms, 300 messages a second
   * took 2.8 system calls each, with 20 ms 2.2, and on sockets of Bun 1.8. */
  turnMs: 20,
  waitsPerTurn: 256,
  /** Milliseconds of waiting without an event after which Bun's loop waits, which takes a dozen
   * system calls for the next event. No more, since its timers are late while a process waits in
   * the kernel. */
  idleMs: 20,
  /** How often a process then looks for events by itself, in case Bun has not reported them. */
  checkEventsMs: 1_000,
  /** Time limit of the first connection over a descriptor, which shows that it works. */
  firstDescriptorMs: 2_000,
  /** Bytes of a response head; what servers and proxies allow at most. */
  headBytesMax: 64 * KIB,
  /** Bytes of one message. */
  messageBytesMax: MIB,
  /** Bytes of one body of messages: a server answers with a mebibyte of them, in JSON. */
  pollBytesMax: 8 * MIB,
  /** Bytes of one chunk that is not itself a message and need not be kept: eight digits. */
  chunkBytesMax: 4 * 1024 * MIB - 1,
  /** Ports to skip when one is busy: other runs have thousands in a row. */
  portStride: 997,
  /** Local ports tried for one connection before it counts as failed. After a large run most of an
   * address's ports are busy for a minute. */
  portTriesMax: 1_024,
  /** Local ports bound explicitly: above the well-known ones, and not the last thousand of those
   * that Linux assigns itself, 32,768 to 60,999. It skips every number that is bound on any
   * address, so a flood that took them all would leave the whole machine unable to connect
   * anywhere. */
  portFirst: 10_000,
  portLast: 59_999,
  /** Connections from one loopback address before the next address is taken, so that a run of
   * a million spreads over few addresses and can still skip busy ports. */
  connectionsPerAddress: 40_000,
  /** (stream, generator) pairs whose last sequence numbers are kept: 24 bytes a row, in a table
   * that is four to seven eighths full. */
  trackedPairsMax: 4 * MIB,
  /** Silence after which the pairs of a generator may be forgotten when others need their room. */
  generatorForgetMs: 30_000,
  /** Generators tracked at the same time. */
  generatorsMax: 65_536,
  /** Streams of one process whose gaps are judged at the same time: each has a set of the
   * generators that it has heard of. */
  judgedGapsMax: 4_096,
  /** Mean delay until a stream that ended resumes, where none is given. */
  resumeMs: 1_000,
  /** Interval of the points of a storm's curve; how long one is watched; how long nothing that was
   * missed may have come before all streams count as caught up; and how long streams are open
   * before and after it, where it is not given. */
  stormEveryMs: 100,
  stormMsMax: 60_000,
  caughtUpAfterMs: 1_000,
  stormHoldMs: 5_000,
  /** Columns of the curves in a summary. */
  curveColumns: 60,
  /** How long a run that ends waits for the streams that are away to come back, so that what they
   * missed is known. */
  returnMsMax: 15_000,
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
  /** Time limit for a process to close its streams and report after the run has ended: fifty
   * processes close a million in about twenty seconds. */
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
  /** Messages of one request; a batch is in memory while it is sent. */
  batchDefault: 1_000,
  batchMax: 10_000,
  /** Concurrent requests. */
  publishersDefault: 4,
  publishersMax: 256,
  /** Generators of one run; the flood client can track as many. While messages of a generator are
   * pending, its next ones wait, so many generators send more evenly; but they need more requests
   * with fewer messages each, and more memory of the flood client. */
  generatorsDefault: 16,
  generatorsMax: 65_536,
  /** Milliseconds during which due messages are gathered into one request: a thousand requests a
   * second would cost client and server more than their messages. */
  gatherMs: 2,
  /** Milliseconds until a request without an answer counts as failed. The server may answer only
   * after it has replaced a worker that hangs, in ten seconds. */
  answerMs: 15_000,
  /** Milliseconds past the end of a run in which late messages are still sent. */
  lateMsMax: 1_000,
  /** Consecutive failed requests before the first answer: then there is no server. One that has
   * answered is waited for until the run ends. */
  failuresAtStartMax: 5,
  /** Milliseconds to wait after a failed request, doubled each time up to the second number. */
  retryMs: 20,
  retryMsMax: 1_000,
  /** Milliseconds for which a request with keys is sent again until it is answered: a server that
   * restarts has a million streams to admit. */
  retriedMsMax: 60_000,
  /** Pairs of user and generator of `--chain`, in about 200 MB; messages of others have none. */
  chainsMax: 4 * MIB,
  /** Users of `--subjects file:`: 4 bytes each, 64 MiB; and those of them that have names, up to
   * 130 bytes more each, 130 MiB. */
  subjectsMax: 2 ** 24,
  subjectNamesMax: 2 ** 20,
  /** Bytes of a line of that file: a user, and room for a comment. */
  subjectLineBytesMax: 1_024,
  /** Exponent of `--subjects zipf:`; from ten on all but a thousandth of the messages go to user
   * 1. */
  zipfExponentMax: 10,
  /** Time limit for the next bytes of that file, which may be a pipe. */
  subjectsMsMax: 10_000,
  /** Bytes of an answer to `--post` that are searched for its promise. */
  promiseBytesMax: 4_096,
} as const

/** The search for the highest rate, `comet gen --find-rate`. */
export const findLimits = {
  /** Factor by which the rate is raised: from 1,000 a second to a million in ten attempts. */
  factor: 2,
  /** Rates tried between the highest that passed and the lowest that failed: 2^(1/16), within 5
   * %. */
  bisections: 4,
  /** Attempts of one search: each rate that fails takes two. */
  attemptsMax: 20,
  /** Milliseconds between two checks of what has arrived, or of how many streams are open. */
  lookEveryMs: 50,
  /** Milliseconds without a new message after which an attempt is over: when all have arrived, and
   * when some are missing. The process with the streams reports once a second. */
  stillMs: 1_100,
  stillMissingMs: 2_200,
  /** Milliseconds that an attempt waits for pending messages at most. */
  arriveMsMax: 60_000,
  /** Attempts to open all streams, and milliseconds between them: a server may still be closing the
   * streams of the last run. */
  openTriesMax: 3,
  openPauseMs: 1_000,
  /** Milliseconds without a new stream after which opening them has failed: longer than one stream
   * may take, with the report of its process. */
  openStillMsMax: 20_000,
} as const

/** The live view of a run, and its page. */
export const viewLimits = {
  /** Seconds, and columns, of a curve of the live view. */
  curveSeconds: 60,
  /** Kinds of errors in the live view, the most frequent first: those that fit a line of 80. */
  errorKindsMax: 4,
  /** Samples of a page: an hour. In a longer run each covers several seconds. Even, since two
   * neighbours are folded into one. A chart is about a third as many pixels wide. */
  samplesMax: 3_600,
  /** Points of the latency distribution for each halving of the remaining messages, as in the plots
   * of HdrHistogram. A billion messages have a hundred and fifty. */
  pointsPerHalving: 5,
} as const

/** The commands of `comet friends`. */
export const friendsLimits = {
  /** Invalid lines of a file that are shown; more would scroll the reason away. */
  badShownMax: 10,
} as const

/** The doctor. */
export const doctorLimits = {
  /** Streams of `--connections`: a thousand processes with a million each. */
  connectionsMax: 1_000_000_000,
  /** Settings that the start of a server warns of, one line each; the doctor reports all. */
  warningsMax: 3,
  /** Bytes of the first answers of a Redis, which take about 600, and characters that are shown of
   * what it says. */
  greetingBytesMax: 65_536,
  shownLengthMax: 200,
  /** Round trips to Redis that are measured: two are above the 99th percentile. */
  roundTrips: 200,
  /** Milliseconds of a round trip, half of them and nearly all: a message takes two until its
   * publisher has an answer. */
  roundTripMsMax: 5,
  roundTripMsP99Max: 50,
  /** Milliseconds that the clock of Redis may differ: ages of messages are by both. */
  clockMsMax: 1_000,
  /** Memory of Redis for each byte of messages: entries take 1.02 to 1.24 of it, measured with
   * Redis 7.0 and messages of 100 to 10,000 bytes; the rest is for what is on its way. */
  memoryFactor: 1.5,
  /** Seconds after which Redis forgets the key that its user's rights are tried with. */
  trialSeconds: 60,
} as const

/** `comet publish` and `comet listen`. */
export const clientLimits = {
  /** Characters of one line of a stream: a body of 64 KiB of which each byte takes six in JSON, and
   * the fields beside it. */
  lineLengthMax: 512 * 1024,
  /** Characters of an answer that are shown. */
  shownLengthMax: 500,
  /** Bytes of an answer to one message. */
  answerBytesMax: 64 * 1024,
  /** Milliseconds for the answer to one message: workers that hang are waited for a second. */
  answerMsMax: 10_000,
  /** Milliseconds for the head of a stream, and until a connection is tried again: at most so many
   * after the first failure, twice as many after each next one. One that lasted for
   * `retryForgetMs` was none. */
  headMsMax: 30_000,
  retryMs: 500,
  retryMsMax: 15_000,
  retryForgetMs: 10_000,
  /** Milliseconds that a server may ask a client to wait. */
  retryAfterMsMax: 300_000,
  /** Silence after which a connection counts as lost, once it has had a heartbeat: three of a
   * server that says nothing of them, or three times the longest silence before one. */
  silenceMsMin: 75_000,
  silenceRatio: 3,
} as const

/** `comet health`. */
export const healthLimits = {
  /** Milliseconds for the whole answer; Docker, Kubernetes and systemd wait longer. */
  answerMs: 3_000,
  /** Characters of an answer that are read; comet's has one word and the numbers of workers. */
  answerLengthMax: 4_096,
} as const
