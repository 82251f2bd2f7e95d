// Every bound of the server, with its unit and the reason for its value; those of the other commands are
// in tool-limits.ts. A queue, buffer, table or wait without a line in either is a bug. Options may
// lower some of them.

const KIB = 1024
const MIB = 1024 * KIB

/** Messages and the requests that carry them. */
export const messageLimits = {
  /** Bytes of a message's body. 64 KiB, as the Comet and WebSocket servers of our time allow. */
  bodyBytesMax: 64 * KIB,
  /** Bytes of one JSON message: each byte of a body may be written as `\u00XX`, which is six. */
  requestBytesMax: 6 * 64 * KIB + 4 * KIB,
  /** Milliseconds for the next bytes of a body, or of a line of one without a declared length, unless told
   * otherwise; and at most, as Bun closes a connection that is silent for 253 s, and a body that is
   * read in one go may take 16 s more. */
  bodyTimeoutMsDefault: 30_000,
  bodyTimeoutMsMax: 235_000,
  /** Bytes a second below which a body is too slow: the longest message takes two minutes then. */
  bodyBytesPerSecondMin: 4 * KIB,
  /** Refused lines named one by one in an answer; the rest are only counted. */
  rejectedListedMax: 1_000,
  /** Bytes of a batch that are read between two looks at the clock. */
  sliceBytes: 4 * KIB,
  /** Milliseconds that a batch may keep the loop before everybody else has a turn. */
  turnMsMax: 5,
  /** Messages of one request whose receivers have not been counted yet; reading waits beyond it. */
  pendingMax: 10_000,
  /** A user id fits 32 bits, so that tables of ids can be typed arrays. */
  userIdMax: 4_294_967_295,
} as const

/** Streams and the process that holds them. */
export const streamLimits = {
  /** Addresses of the public port: a machine's own few; each is a listening socket of each process. */
  addressesMax: 16,
  /** Highest user id that may open a stream, unless told otherwise: 17 planes of 65,536. */
  userIdMaxDefault: 17 * 65_536,
  /** Frames that wait for one stream. A frame costs about a hundred bytes besides its own, which for
   * small messages would be more than the bytes that are counted. */
  outboxFramesMax: 1_024,
  /**
   * Milliseconds that a connection has to send a complete request head. No more than this can be
   * had: Bun 1.4.5 cuts a connection without a head after ten seconds of its own, give or take two.
   */
  headTimeoutMsMax: 10_000,
  /** Milliseconds between two looks for connections without a head. */
  headCheckEveryMs: 1_000,
  /** Descriptors that one such look asks after; each costs about half a microsecond. */
  headCheckDescriptors: 16_384,
  /** Seconds that a publisher's connection may be idle. Pools keep theirs for about a minute. */
  controlIdleSeconds: 60,
  /** Bun's own ceiling for an idle timeout, in seconds. */
  idleTimeoutSecondsMax: 255,
  /** Seconds after which a refused client is asked to come back. */
  retryAfterSeconds: 5,
  /** The same at most, for one of very many: more than a minute nobody waits for a page. */
  retryAfterSecondsMax: 60,
  /** Streams a second that may be named as a limit; no machine opens a tenth of it. */
  newPerSecondMax: 10_000_000,
  /** Streams ended in one turn of the loop while draining, so that the control port still answers. */
  drainBatch: 1_000,
  /** Milliseconds between two looks at how many streams are due to end, and between two lines of the
   * log that tell how many are left. */
  drainLookMs: 10,
  drainTellMs: 5_000,
  /** Streams a second that are ended, unless told otherwise: as many as one server was measured to
   * open while it had a million. And milliseconds that it takes at most, however many there are. */
  drainPerSecondMin: 10_000,
  drainMsDefault: 30_000,
  /** Characters of the control port's token: fewer can be guessed, more do not fit a head. */
  controlTokenLengthMin: 16,
  controlTokenLengthMax: 4_096,
  /** Milliseconds that requests under way on the control port have to end by themselves. */
  controlGraceMs: 1_000,
  /** Milliseconds that draining waits for clients to take what is queued for them. */
  drainMsMax: 10_000,
} as const

/** How much time is spent on finding out what is lost in the kernel with streams that are cut. */
export const cutLimits = {
  /** Descriptors among which full connections are looked for: about ten milliseconds, in which the loop
   * does nothing else. Of cut streams beyond it the bytes are not known. */
  descriptorsMax: 32_768,
  /** So many times as long as a look took there is no other, so that they take a twentieth of the time
   * however many streams are cut. */
  restRatio: 20,
  /** Connections, of those that were full at that look, that are looked at again meanwhile. */
  againMax: 256,
  /** Microtasks after which Bun 1.4.5 has closed the connection of a cut stream, which takes one. */
  closeMicrotasks: 4,
} as const

/** Probes that ask silent clients whether they are still there. */
export const keepaliveLimits = {
  /** Probes without an answer, one after the other, before a client counts as gone: fewer would take a
   * network that is away for a moment, or a queue that is full, for a client that left. */
  probes: 6,
  /** Milliseconds of silence before a probe: the kernel counts them in whole seconds. */
  probeSilenceMsMin: 1_000,
  /** Milliseconds between two probes to one client: an answer may be as long on its way. */
  probeEveryMsMin: 1_000,
  /** Descriptors looked at in one tick, so that their probes fit into any queue on the way; and the
   * milliseconds between two ticks that this comes to, at least and at most. */
  descriptorsPerTick: 32,
  tickMsMin: 4,
  tickMsMax: 500,
  /** Descriptors looked at in one tick after the process was held up. */
  looksPerTickMax: 256,
} as const

/** Worker processes and the link that the parent has to each. */
export const workerLimits = {
  /** Workers of one server, and files that its parent has open for each: the link and the process. */
  countMax: 1_024,
  parentFilesEach: 2,
  /** Bytes of frames and receivers that a worker has been sent and not answered for. Beyond it the
   * worker is too far behind, and is sent nothing until it answers. */
  unackedBytesMax: 4 * MIB,
  /** Frames of the same; each costs the parent about a hundred bytes besides its own. */
  unackedFramesMax: 32_768,
  /** When workers outnumber the cores, waking one costs more than what it does for one frame. From so
   * many frames a millisecond on, for all workers together, those for one worker are gathered. */
  gatherFromPerMs: 5,
  /** Milliseconds between two frames to the same worker, for each frame a millisecond, so that a frame
   * waits at most as long; and at most. */
  gatherMsEach: 0.3,
  gatherMsMax: 12,
  /** Milliseconds between two looks at which workers are due. */
  gatherLookMs: 1,
  /** Milliseconds over which that rate is counted. */
  gatherCountedMs: 100,
  /** Milliseconds between two looks for frames that a worker has not answered for, and how many of them
   * a frame, or a worker with frames to answer for, may stay without an answer: then nobody waits for it
   * any more. Together under a second, so that the publisher's answer is there within it. Counted, not
   * timed: when a parent that was stopped goes on, its workers are not to blame. */
  answerLookMs: 100,
  answerLooksMax: 9,
  /** Milliseconds between two signs of life of a worker, each with its figures. It sends them by
   * itself: one that has ten thousand streams to close answers late, but its timers run. */
  lifeEveryMs: 1_000,
  /** Ticks of the parent, as far apart, that a worker may be silent before it counts as stuck and is
   * replaced. Counted, not timed: when a parent that was stopped goes on, its workers are not to
   * blame. Long, since a hundred processes that share two cores may each be away for seconds. */
  silentTicksMax: 10,
  /** Milliseconds that a worker has to open its port. */
  startMsMax: 30_000,
  /** Milliseconds until a worker that ended is started again, doubled each time, and at most. */
  restartMs: 100,
  restartMsMax: 30_000,
  /** Milliseconds that a worker must have lived for its next end to count as the first. */
  restartForgetMs: 60_000,
  /** Milliseconds that an answer of the control port waits for the replies of workers. */
  figuresMsMax: 1_000,
  /** Answers of the control port that may wait for one worker's figures at the same time. */
  figuresRequestsMax: 64,
  /** Milliseconds that a new stream waits for the parent's decision. Then it is refused, since a parent
   * that is stuck for so long could not publish to it either. */
  admissionMsMax: 5_000,
  /** Requests over one link without a reply, those that have timed out included. */
  requestsMax: 65_536,
  /** Milliseconds that workers have to end by themselves after draining. */
  endMsMax: 2_000,
  /** The kernel spreads connections over workers by a hash, so that they differ as if by chance.
   * Standard deviations of room that each worker has beyond its even share: about three in ten
   * million workers have more. */
  spreadDeviations: 5,
} as const

/** Timers of one process. */
export const clockLimits = {
  /** Milliseconds: timers that may run a little later run at multiples of it, together. */
  gridMs: 50,
} as const

/** Open files: every connection is one, and a process that has none left spins on accept. */
export const descriptorLimits = {
  /** Part of the open-files limit that streams may not use: the control port, the database, logs. */
  reserveRatio: 0.05,
  reserveMin: 64,
  reserveMax: 1_024,
  /** Part of the reserve that is held by open files of our own. Connections that come all at once
   * run into these; closing them then leaves room for the control port. */
  heldRatio: 0.25,
  /** Milliseconds between two looks at how many files are open, when they are about to run short, when
   * nothing was opened or closed since the last look, and when there are plenty. */
  checkEveryMs: 50,
  checkQuietEveryMs: 200,
  checkEveryMsMax: 1_000,
  /** Streams admitted before open files are counted again: at most so many, and at most this part of
   * the files that were left. */
  uncountedMax: 64,
  uncountedRatio: 0.01,
  /** Connections that a process accepts in a millisecond at most; measured were about twenty. */
  acceptedPerMsMax: 40,
} as const

/** Figures and health. */
export const figureLimits = {
  /** One message in so many is timed: two looks at the clock are a tenth of a microsecond, half of what
   * the router takes for a message to two. A prime, so that no rhythm of publishers falls in with it. */
  timedEvery: 17,
  /** Milliseconds between two moments at which a loop is to look at the clock. Every moment that passes
   * meanwhile counts, so that rare looks see as much; and a hundred processes may share two cores. */
  loopLookMs: 250,
  /** Milliseconds that the look may be late before the process does not count as alive any more, though
   * it answers. Long for the reason that `workerLimits.silentTicksMax` is. */
  loopLateMsMax: 10_000,
  /** Ticks that a worker may be silent before it is told of and takes no streams; half of what it takes
   * to be replaced. */
  silentTicksTold: 5,
} as const

/** Files that people write: options, secrets, certificates. */
export const fileLimits = {
  /** Bytes of one; a chain of certificates has some ten thousand. */
  bytesMax: MIB,
  /** Things that are wrong with one and are told; nobody reads more at a time. */
  complaintsMax: 20,
  /** Characters of a line that are shown with what is wrong with it: one line of a wide terminal. */
  shownLengthMax: 120,
} as const

/** What a service manager is told. */
export const serviceLimits = {
  /** Milliseconds between two tellings of how many streams there are. */
  statusEveryMs: 10_000,
  /** Milliseconds for which a server that is stopping asks at a time, three times as often. */
  extendMs: 15_000,
} as const

/** Logs. */
export const logLimits = {
  /** Milliseconds within which the same event is written once and then only counted. */
  repeatMs: 1_000,
  /** Milliseconds between attempts to tell how many lines could not be written. */
  retryMs: 1_000,
} as const

/** The database. */
export const storageLimits = {
  /** Milliseconds between attempts to write to a database that takes no changes. */
  retryMs: 1_000,
} as const

/** Subscriptions. */
export const subscriptionLimits = {
  /** Subjects that one user may follow through the control port, unless told otherwise. */
  perUserDefault: 10_000,
  /** Users on one page of a list, unless asked otherwise, and at most. */
  pageSizeDefault: 100,
  pageSizeMax: 1_000,
  /** Pairs of one transaction of a bulk change at most; a slice of its bytes has a few hundred. */
  batchPairs: 1_000,
  /** Pairs between two lines of progress in the answer to a bulk change. */
  progressPairs: 100_000,
  /** Bytes of a line: two ids, what lies between them and room for careless blanks. */
  lineBytesMax: 1_024,
  /** Bad lines of a file named one by one; nobody reads more than two screens. */
  badListedMax: 100,
  /** Pairs of one file. They are held twice, 16 bytes a pair, while they are sorted: 1 GiB. */
  loadPairsMax: 2 ** 26,
  /** Pairs of a graph that is made up. Each has two ends of four bytes, and at this bound each end
   * still has four of the 2^32 numbers that it is drawn by. */
  graphPairsMax: 2 ** 29,
} as const

/** The Erlang node. */
export const erlangLimits = {
  /** Bytes of one packet from another node: a batch of ten thousand short messages. */
  packetBytesMax: MIB,
  /** Nesting of terms. An iolist made by appending is as deep as it has parts; more parts are a batch. */
  termDepthMax: 512,
  /** Different atoms on one connection. A node that sends more makes them from data, which soon ends an
   * Erlang node too: it keeps every atom, and at most a million. */
  atomsMax: 65_536,
  /** Bytes of an atom: 255 characters of up to four. */
  atomBytesMax: 1_020,
  /** Bytes of a node's name, which is an atom of ASCII characters. */
  nameBytesMax: 255,
  /** Characters of a cookie; Erlang takes the digest of no more. */
  cookieLengthMax: 255,
  /** Bytes of a handshake message: a name, and some numbers. */
  handshakeBytesMax: 512,
  /** Milliseconds for a handshake; as long as Erlang's own `net_setuptime`. */
  handshakeMsMax: 7_000,
  /** Nodes connected at the same time; each may exhaust all of its limits. */
  connectionsMax: 64,
  /** Handshakes opened by others. One more ends the oldest, so that idle connections keep no node out. */
  handshakesMax: 64,
  /** Milliseconds for a response of epmd, and for connecting to a node. */
  answerMsMax: 5_000,
  /** Delays between attempts to connect or to register, and for how long a connection must have lasted
   * for its end to count as the first failure. */
  retry: { firstMs: 500, maxMs: 30_000, forgetMs: 5_000 },
  /** Milliseconds of silence after which a connection is dead, by default: Erlang's own `net_ticktime`.
   * In that time it is checked so many times, and a tick sent if due. */
  tickTimeMs: 60_000,
  checksPerTickTime: 4,
  /** Bytes that wait to be sent to a node; beyond it nothing more is read from it. */
  outBytesMax: MIB,
  /** Calls of one node without a reply; beyond it nothing more is read from it. */
  callsMax: 4_096,
  /** Bytes of packets, and messages of a batch, between two checks whether streams and the node take more. */
  sliceBytes: 4 * KIB,
  sliceMessages: 64,
  /** Milliseconds that nodes have, when the server stops, to take what is still to be sent to them. */
  shutdownMsMax: 2_000,
  /** Monitors and links of one node on comet's process, and bytes kept of each: a reference, a process
   * and a name take some hundred. */
  monitorsMax: 65_536,
  monitorBytesMax: 1_024,
} as const

/** The dashboard. */
export const dashboardLimits = {
  /** Milliseconds between two samples. Workers tell their figures as often. */
  sampleEveryMs: 1_000,
  /** Samples kept as they are, ten minutes; and milliseconds that become one for the hour, kept as many
   * as it takes. Thirty figures each: a quarter of a megabyte. */
  secondsKept: 600,
  foldMs: 10_000,
  tensKept: 360,
  /** Processes whose memory is read from the kernel in one sample, 10 µs each; the others' turn is next. */
  memoryReadsMax: 8,
  /** Samples that a warning looks back on: short enough to go away once all is well. */
  recentSamples: 60,
  /** Milliseconds that a loop may be late before everybody notices; a bound of its histogram. */
  loopLateMs: 250,
  /** Part of a limit from which it is near, and part of the memory that should be left. */
  nearRatio: 0.9,
  memoryLeftRatio: 0.1,
  /** Milliseconds that the page waits for an answer, and before it asks again after none. */
  answerMs: 5_000,
  againMs: 2_000,
} as const
