// Every bound of the server, with its unit and the reason for its value; others are in files of
// their own: http-limits.ts, identity-limits.ts, history-limits.ts (the log), bus-limits.ts, and
// tool-limits.ts (the other commands). A queue, buffer, table or wait without a line in one of them
// is a bug. A default is used unless an option says otherwise.

const KIB = 1024
const MIB = 1024 * KIB

/** Messages and the requests that carry them. */
export const messageLimits = {
  /** Bytes of a message's body. 64 KiB, as the Comet and WebSocket servers of our time allow. */
  bodyBytesMax: 64 * KIB,
  /** Characters of the name of an event. */
  eventLengthMax: 64,
  /** Characters of what the clients of streams that are ended are told. */
  noteLengthMax: 200,
  /** Bytes of one JSON message: each byte of a body may be written as `\u00XX`, which is six. */
  requestBytesMax: 6 * 64 * KIB + 4 * KIB,
  /** Bytes of a message that is read byte by byte; longer ones take less time with the functions of
   * the platform. */
  plainBytesMax: 1 * KIB,
  /** Milliseconds without the next bytes of a body, or without the end of a line of one without a
   * declared length. The maximum keeps clients that have stopped from holding connections for
   * hours. */
  bodyTimeoutMsDefault: 30_000,
  bodyTimeoutMsMax: 235_000,
  /** Bytes a second of the slowest body: the longest message may take two minutes. */
  bodyBytesPerSecondMin: 4 * KIB,
  /** Rejected lines listed in an answer; the rest are only counted. */
  rejectedListedMax: 1_000,
  /** Bytes of a batch that are parsed between two readings of the clock. */
  sliceBytes: 4 * KIB,
  /** Milliseconds that a batch may keep the event loop before all other events have a turn. */
  turnMsMax: 5,
  /** Messages of one request whose receivers are not counted yet; beyond it, reading waits. */
  pendingMax: 10_000,
  /** A user id has 32 bits, so that tables of ids can be typed arrays; half of them are names'. */
  userIdMax: 2_147_483_647,
} as const

/** Streams and the process that holds them. */
export const streamLimits = {
  /** Addresses of the public port; each is a listening socket of each process. */
  addressesMax: 16,
  /** Highest user id that may open a stream: 17 planes of 65,536. */
  userIdMaxDefault: 17 * 65_536,
  /** Frames queued for one stream. A frame takes about a hundred bytes besides its own, which for
   * small messages would be more than the bytes that are counted. */
  outboxFramesMax: 1_024,
  /** Milliseconds that a connection has to send a complete request head. */
  headTimeoutMsMax: 10_000,
  /** Milliseconds between two checks for connections without a head. */
  headCheckEveryMs: 1_000,
  /** Milliseconds that a client may wait between two requests that open no stream. */
  publicIdleMs: 10_000,
  /** The same for a publisher, and for the head of its request: pools keep connections for about a
   * minute. */
  controlHeadMs: 10_000,
  controlIdleMs: 60_000,
  /** Milliseconds between two steps of the heartbeats: 200 of 20,000 silent streams get one. */
  heartbeatStepMs: 250,
  /** Seconds after which a refused client should try again. */
  retryAfterSeconds: 5,
  /** The same when very many are refused: no user waits for a page for more than a minute. */
  retryAfterSecondsMax: 60,
  /** Streams a second of a limit of new streams; no machine opens a tenth of it. */
  newPerSecondMax: 10_000_000,
  /** Streams closed in one turn of the event loop, so that the control port still answers: about
   * 20 ms. */
  drainBatch: 1_000,
  /** Milliseconds between two checks of how many streams are due to close, and between two lines of
   * the log that say how many are left. */
  drainCheckMs: 10,
  drainReportMs: 5_000,
  /** Streams a second that are closed: as many as one server was measured to open while it had a
   * million. And the most milliseconds that it takes, however many there are. */
  drainPerSecondMin: 10_000,
  drainMsDefault: 30_000,
  /** Milliseconds that pending requests of the control port have at a stop. */
  controlGraceMs: 1_000,
  /** Bytes that a client may send on its open stream; they are dropped. */
  droppedBytesMax: 1024 * KIB,
  /** Milliseconds that draining waits for clients to receive what is queued for them. */
  drainMsMax: 10_000,
} as const

/** Streams on descriptors of this process, past Bun. */
export const wireLimits = {
  /** Descriptors: sixteen times as many as Linux allows a process by default. Their numbers and
   * generations together are safe integers. */
  descriptorsMax: 2 ** 24,
  generationsMax: 2 ** 29,
  /** Events handled in one turn of the loop, in about a millisecond; the others are next. */
  eventsPerTurn: 512,
  /** Bytes that a client sent on its open stream and that are dropped in one turn of the loop. */
  droppedBytesPerTurn: 1024 * KIB,
  /** The same of streams that read: of one read, which is a message of the longest kind, and of all
   * streams in one turn, in at most some milliseconds. */
  receiveBytes: 16 * KIB,
  receivedBytesPerTurn: 64 * KIB,
  /** Milliseconds between two polls for events: while there are some, while a socket is full or the
   * kernel is out of memory, and at most; that a client has left is noticed so late. */
  pollMsMin: 1,
  pollMsFull: 4,
  pollMsMax: 256,
  /** The same while there are streams that read: their clients wait for an answer. */
  pollMsReading: 32,
  /** Polls one after the other when it is asked who is there: for all streams of a process. */
  pollsMax: 64,
  /** Milliseconds that the check at the start may take. */
  checkMsMax: 2_000,
} as const

/** WebSocket streams, and what their clients send. */
export const websocketLimits = {
  /** Bytes of a message of a client: the longest one that means something is a list of subjects,
   * which has about 7 KB. */
  messageBytesMax: 16 * KIB,
  /** Bytes of all frames and messages together that are not complete; beyond it the stream that
   * began first is closed. */
  incompleteBytesMax: 16 * MIB,
  /** Messages of a client that wait for their answers, and their bytes; beyond it the stream is
   * closed. Clients mostly subscribe to all that they want in one go, of up to a hundred. */
  waitingMax: 256,
  waitingBytesMax: 64 * KIB,
  /** Subjects that a stream may ask to follow in a window, and its milliseconds: a name that was
   * asked for is kept for about two minutes, whether it is followed or not. */
  subjectsPerWindowMax: 2_000,
  windowMs: 60_000,
  /** Milliseconds that a client has to close its half once it was told the end: some round trips
   * of a slow network. */
  closeMsMax: 2_000,
} as const

/** What one turn of the event loop has for the streams, and sends when it is over. */
export const deliveryLimits = {
  /** Messages for one stream each, of 12 bytes; more of them are sent before the turn is over. */
  entriesPerTurnMax: 256 * KIB,
  messagesPerTurnMax: 16 * KIB,
  /** Streams that a message for all is sent to in one turn of the loop, in about five
   * milliseconds. */
  broadcastPerTurn: 512,
  /** Bytes of one write of several messages: what a socket takes at once by default. */
  bytesPerWriteMax: 64 * KIB,
} as const

/** Polling for connections to be accepted past Bun. */
export const pollLimits = {
  /** Milliseconds between two polls while there are many events, and how many that is; after fewer,
   * Bun reports the next one. */
  everyMs: 1,
  manyEvents: 4,
  /** Milliseconds between two polls of one of a crowd of workers, which then takes more streams
   * each time that it runs: with 55 of them a stream took 112 µs of CPU time, and 181 without. */
  batchEveryMs: 50,
  /** Calls of Bun without an event in a row, after which it is not asked for a while: a Bun that
   * closes at once what it is to poll would keep the loop busy. */
  emptyWakesMax: 64,
  /** Milliseconds until it is asked again. */
  retryMs: 1_000,
} as const

/** Accepting connections as descriptors, past Bun. */
export const acceptLimits = {
  /** Connections that wait to be accepted, of which Linux keeps as many by default. */
  backlog: 4_096,
  /** Seconds that the kernel holds back a connection that has sent nothing. */
  deferSeconds: 1,
  /** Bytes that the kernel takes of a connection and cannot send yet: a burst for a client that is
   * far away. They are lost when a slow client is cut; the kernel's own limit is 4 MB. */
  unsentBytesMax: 256 * KIB,
  /** Bytes of the first read: a request without a body has less, unless it has many cookies. */
  receiveBytes: 4 * KIB,
  /** Connections accepted in one turn of the loop, in about five milliseconds. */
  perTurn: 128,
} as const

/** Collecting the garbage of new streams, about a kilobyte each. Bun also drops compiled code then:
 * 55 processes that did so after each thousand streams took 400 µs a stream, half to compile. */
export const garbageLimits = {
  /** Streams opened before it is worth a pause of some ten milliseconds. */
  openedMin: 1_000,
  /** Milliseconds between two checks, and streams opened meanwhile while a burst still lasts: one
   * of a hundred processes that open streams together has only some tens. */
  lookEveryMs: 5_000,
  burstMin: 5,
} as const

/** Keepalive probes, which find out whether silent clients are still connected. */
export const keepaliveLimits = {
  /** Consecutive probes without an answer before a client counts as gone: fewer would mistake a
   * short network failure, or a full queue, for a client that left. */
  probes: 6,
  /** Milliseconds of silence before a probe: the kernel counts whole seconds. */
  probeSilenceMsMin: 1_000,
  /** Milliseconds between two probes to one client: an answer may take as long. */
  probeEveryMsMin: 1_000,
  /** Descriptors checked in one tick, so that their probes fit into any queue of the network; and
   * bounds of the milliseconds between two ticks that follow from it. */
  descriptorsPerTick: 32,
  tickMsMin: 4,
  tickMsMax: 500,
  /** Descriptors checked in one tick after the process was delayed. */
  checksPerTickMax: 256,
} as const

/** Worker processes and the parent's link to each. */
export const workerLimits = {
  /** Workers of one server, and open files of its parent for each: the link and the process. */
  countMax: 1_024,
  parentFilesEach: 2,
  /** Bytes of frames and receivers that were sent to a worker and not acknowledged. Beyond it the
   * worker is too far behind, and gets nothing until it acknowledges some. */
  unackedBytesMax: 4 * MIB,
  /** Frames of the same; each takes about a hundred bytes of the parent besides its own. */
  unackedFramesMax: 32_768,
  /** Users and subjects of messages that such a worker did not get, which are listed; of more, all
   * of its streams that can come back end. */
  skippedMax: 4_096,
  /** When there are more workers than cores, waking one costs more than what it does for one frame.
   * From so many frames a millisecond, of all workers together, those for one worker are
   * gathered. */
  gatherFromPerMs: 5,
  /** Milliseconds between two sends to the same worker, for each frame a millisecond, and at most;
   * a frame waits no longer. */
  gatherMsEach: 0.3,
  gatherMsMax: 12,
  /** Milliseconds between two checks of which workers are due. */
  gatherCheckMs: 1,
  /** Milliseconds over which that rate is measured. */
  gatherMeasuredMs: 100,
  /** Milliseconds between two checks for frames without an acknowledgement, and how many checks a
   * frame, or a worker with such frames, may miss before it is no longer waited for. Together less
   * than a second, so that a publisher has its answer within one. Counted, not timed: when a parent
   * that was stopped goes on, its workers are not to blame. */
  ackCheckEveryMs: 100,
  ackChecksMax: 9,
  /** Milliseconds between two heartbeats of a worker, each with its figures. It sends them by
   * itself: one that closes ten thousand streams answers requests late, but its timers run. */
  heartbeatEveryMs: 1_000,
  /** Missed heartbeats after which a worker counts as stuck and is replaced. Counted in ticks of
   * the parent, not timed: when a parent that was stopped goes on, its workers are not to blame.
   * Many, since a hundred processes that share two cores may each be delayed for seconds. */
  silentTicksMax: 10,
  /** Milliseconds that a worker has to open its port. */
  startMsMax: 30_000,
  /** Milliseconds until a worker that ended is restarted, doubled each time, and at most. */
  restartMs: 100,
  restartMsMax: 30_000,
  /** Milliseconds that a worker must have run for its next end to count as the first. */
  restartForgetMs: 60_000,
  /** Milliseconds that an answer of the control port waits for the replies of workers. */
  figuresMsMax: 1_000,
  /** Concurrent answers of the control port that may wait for the figures of one worker. */
  figuresRequestsMax: 64,
  /** Milliseconds that a new stream waits for the parent's decision. Then it is refused, since a
   * parent that is stuck for so long could not publish to it either. */
  admissionMsMax: 5_000,
  /** Requests over one link without a reply, including those that have timed out. */
  requestsMax: 65_536,
  /** Milliseconds that workers have to exit after draining. */
  endMsMax: 2_000,
  /** Capacity of each worker beyond its even share, in standard deviations: the kernel spreads
   * connections over workers by a hash, as if by chance, and about three in ten million
   * workers get more. */
  spreadDeviations: 5,
} as const

/** Timers of one process. */
export const clockLimits = {
  /** Milliseconds: timers that may run a little later run together, at multiples of it. */
  gridMs: 50,
} as const

/** Open files: every connection is one, and a process that has none left loops on accept. */
export const descriptorLimits = {
  /** Share of the open-files limit that is reserved for the control port, the database and logs. */
  reserveRatio: 0.05,
  reserveMin: 64,
  reserveMax: 1_024,
  /** Share of the reserve that is occupied by open files. When many connections arrive at once and
   * use up all descriptors, closing these leaves room for the control port. */
  reservedRatio: 0.25,
  /** Milliseconds between two counts of open files: when few are left, when none was opened or
   * closed since the last count, and when many are left. */
  checkEveryMs: 50,
  checkQuietEveryMs: 200,
  checkEveryMsMax: 1_000,
  /** Streams admitted before open files are counted again: at most so many, and at most this share
   * of the files that were left. */
  uncountedMax: 64,
  uncountedRatio: 0.01,
  /** Connections that a process accepts in a millisecond; about twenty were measured. */
  acceptedPerMsMax: 40,
} as const

/** Figures and health. */
export const figureLimits = {
  /** One message in so many is timed: two readings of the clock take a tenth of a microsecond, half
   * as long as routing a message to two users. A prime, so that it is in step with no
   * period of publishers. */
  timedEvery: 17,
  /** Milliseconds between two measurements of an event loop's lag. Those that are missed meanwhile
   * count too, so that rare ones measure as much; and a hundred processes may share two cores. */
  loopCheckMs: 250,
  /** Milliseconds of lag from which the process does not count as alive, though it answers. Long
   * for the reason that `workerLimits.silentTicksMax` is large. */
  loopLateMsMax: 10_000,
  /** Missed heartbeats after which a worker is reported as stuck and gets no streams: half of those
   * after which it is replaced. */
  silentTicksStuck: 5,
  /** Milliseconds until the public port's health follows that of the server; load balancers ask
   * every few seconds. */
  healthEveryMs: 1_000,
} as const

/** Files that people write: options, secrets, certificates. */
export const fileLimits = {
  /** Bytes of one file; a chain of certificates has some ten thousand. */
  bytesMax: MIB,
  /** Problems reported of one file; no user reads more at a time. */
  problemsMax: 20,
  /** Characters of an invalid line that are shown: one line of a wide terminal. */
  shownLengthMax: 120,
} as const

/** Notifications of the service manager. */
export const serviceLimits = {
  /** Milliseconds between two notifications of how many streams there are. */
  statusEveryMs: 10_000,
  /** Milliseconds of each extension that a stopping server requests, three times as often. */
  extendMs: 15_000,
} as const

/** Logs. */
export const logLimits = {
  /** Milliseconds during which a repeated event is only counted after it was written once. */
  repeatMs: 1_000,
  /** Milliseconds between attempts to report how many lines could not be written. */
  retryMs: 1_000,
} as const

/** The database. */
export const storageLimits = {
  /** Milliseconds between attempts to write to a database that rejects changes. */
  retryMs: 1_000,
} as const

/** Subscriptions. */
export const subscriptionLimits = {
  /** Subjects that one user may follow by the control port. */
  perUserDefault: 10_000,
  /** Users on one page of a list. */
  pageSizeDefault: 100,
  pageSizeMax: 1_000,
  /** Pairs of one transaction of a bulk change; a slice of its bytes has a few hundred. */
  batchPairs: 1_000,
  /** Pairs between two lines of progress in the answer to a bulk change. */
  progressPairs: 100_000,
  /** Bytes of a line: two ids, a separator, and room for blanks. */
  lineBytesMax: 1_024,
  /** Invalid lines of a file that are listed; no user reads more than two screens. */
  badListedMax: 100,
  /** Pairs of one file. Sorting them takes 16 bytes a pair: 1 GiB. */
  loadPairsMax: 2 ** 26,
  /** Pairs of a generated graph. Each has two ends of four bytes, and at this bound each end still
   * has four of the 2^32 random numbers. */
  graphPairsMax: 2 ** 29,
} as const

/** The Erlang node. */
export const erlangLimits = {
  /** Bytes of one packet from another node: a batch of ten thousand short messages. */
  packetBytesMax: MIB,
  /** Nesting of terms. An iolist made by appending is as deep as it has parts; more parts are a
   * batch. */
  termDepthMax: 512,
  /** Different atoms on one connection. A node that sends more makes them from data, which soon
   * ends an Erlang node too: it keeps every atom, and at most a million. */
  atomsMax: 65_536,
  /** Bytes of an atom: 255 characters of up to four. */
  atomBytesMax: 1_020,
  /** Bytes of a node's name, which is an atom of ASCII characters. */
  nameBytesMax: 255,
  /** Characters of a cookie; Erlang's digest uses no more. */
  cookieLengthMax: 255,
  /** Bytes of a handshake message: a name, and some numbers. */
  handshakeBytesMax: 512,
  /** Milliseconds for a handshake; as long as Erlang's own `net_setuptime`. */
  handshakeMsMax: 7_000,
  /** Nodes connected at the same time; each may exhaust all of its limits. */
  connectionsMax: 64,
  /** Handshakes opened by others. One more ends the oldest, so that idle connections keep no node
   * out. */
  handshakesMax: 64,
  /** Milliseconds for a response of epmd, and for connecting to a node. */
  answerMsMax: 5_000,
  /** Delays between attempts to connect or to register, and for how long a connection must have
   * lasted for its end to count as the first failure. */
  retry: { firstMs: 500, maxMs: 30_000, forgetMs: 5_000 },
  /** Milliseconds of silence after which a connection is dead, by default: Erlang's own
   * `net_ticktime`. In that time it is checked so many times, and a tick sent if due. */
  tickTimeMs: 60_000,
  checksPerTickTime: 4,
  /** Bytes that wait to be sent to a node; beyond it nothing more is read from it. */
  outBytesMax: MIB,
  /** Calls of one node without a reply; beyond it nothing more is read from it. */
  callsMax: 4_096,
  /** Bytes of packets, and messages of a batch, between two checks whether streams and the node
   * take more. */
  sliceBytes: 4 * KIB,
  sliceMessages: 64,
  /** Milliseconds that nodes have, when the server stops, to take what is still to be sent to
   * them. */
  shutdownMsMax: 2_000,
  /** Monitors and links of one node on comet's process, and bytes kept of each: a reference, a
   * process and a name take some hundred. */
  monitorsMax: 65_536,
  monitorBytesMax: 1_024,
} as const

/** The dashboard. */
export const dashboardLimits = {
  /** Milliseconds between two samples. Workers report their figures as often. */
  sampleEveryMs: 1_000,
  /** Samples of single seconds, for ten minutes; milliseconds that are folded into one sample after
   * that, and how many of those are kept, for an hour. 43 figures each: 330 KB. */
  secondsKept: 600,
  foldMs: 10_000,
  tensKept: 360,
  /** Processes whose memory is read for one sample, in 10 µs each; the others are read next. */
  memoryReadsMax: 8,
  /** Samples that a warning is based on: few, so that it ends soon after its cause. */
  recentSamples: 60,
  /** Milliseconds of lag of an event loop that users notice; a bound of its histogram. */
  loopLateMs: 250,
  /** Share of a limit from which it is near, and share of the memory that should be left. */
  nearRatio: 0.9,
  memoryLeftRatio: 0.1,
  /** Milliseconds of silence above which the page shows a worker as silent: two heartbeats, which
   * may only be late. */
  silentMs: 2_000,
  /** Milliseconds that the page waits for an answer, and before it tries again without one. */
  answerMs: 5_000,
  againMs: 2_000,
  /** Rows of /try, and milliseconds between two times that they are drawn. */
  rowsMax: 200,
  rowsEveryMs: 100,
} as const
