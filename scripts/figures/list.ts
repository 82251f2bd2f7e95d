// The measured figures that README and manual may name: what each is called, which value of which
// results file it is, how it is written, and the command that repeats it. One name is one figure,
// wherever it stands.

export type Unit = 'bytes' | 'MiB' | 'GiB' | 's' | 'ms' | 'µs' | ''

/** A value of a results file: `case.figure` of its list, a peer's, or a path like /outcome/sent. */
export interface Source {
  readonly file: string
  readonly key: string
}

export interface Figure extends Source {
  readonly unit: Unit
  readonly digits: number
  /** It is `this of that`: 0 of so many. */
  readonly of?: string
  /** What it is divided by, to be in its unit. */
  readonly by?: number
  readonly command: string
}

/** Name, key, unit and digits. */
type Row = readonly [name: string, key: string, unit: Unit, digits?: number]

function rowsOf(file: string, command: string, rows: readonly Row[]): [string, Figure][] {
  return rows.map(([name, key, unit, digits = 0]) => [name, { file, key, unit, digits, command }])
}

function bench(only: string, ...rows: Row[]): [string, Figure][] {
  return rowsOf('bench.json', `bun run bench --only ${only}`, rows)
}

function suite(file: string, command: string, ...rows: Row[]): [string, Figure][] {
  return rowsOf(file, command, rows)
}

const MILLION_ROWS: readonly Row[] = [
  ['streams open at once', 'streamsOpen', ''],
  ['lost in silence', 'silentClosed', ''],
  ['lost while messages flowed', 'streamsLost', ''],
  ['time to open them all', 'openingSeconds', 's', 1],
  ['opened a second', 'openedPerSecond', ''],
  ['memory of everything, both ends and the kernel, at most', 'takenGib', 'GiB', 1],
  ['the same a stream, in silence', 'takenPerStream', 'bytes'],
  ['of it the kernel, two sockets', 'kernelPerStream', 'bytes'],
  ['server processes a stream, all in', 'serverPerStream', 'bytes'],
  ['client processes a stream', 'floodPerStream', 'bytes'],
  ['messages a second, to random users', 'steadyPerSecond', ''],
  ['publish to receive, p50', 'steadyP50Ms', 'ms', 1],
  ['publish to receive, p99', 'steadyP99Ms', 'ms', 1],
  ['publish to receive, p99.9', 'steadyP999Ms', 'ms', 1],
  ["server's CPU time a delivery", 'steadyServerMicros', 'µs', 1],
  ['deliveries a second to followers, highest that held', 'subjectDeliveriesPerSecond', ''],
  ['p99 at that rate', 'subjectP99Ms', 'ms'],
  ["server's CPU time a delivery to followers", 'subjectServerMicros', 'µs', 1],
  ['deliveries promised in the run', 'promised', ''],
  ['promised and not received', 'missing', ''],
  ['received twice', 'duplicated', ''],
  ['received out of order', 'reordered', ''],
  ['server processes below the parent', 'serverWorkers', ''],
]

/** Each row of a run of bench:million, in the column of the streams that it had. */
function million(file: string, streams: string, command: string): [string, Figure][] {
  return rowsOf(
    file,
    command,
    MILLION_ROWS.map(([name, ...rest]) => [`${name}, ${streams}`, ...rest]),
  )
}

const PEERS = {
  comet: 'comet',
  'comet, up to 1,000 messages a request': 'comet-batch',
  'mosquitto, MQTT': 'mosquitto',
  nchan: 'nchan',
  "Bun's `ServerWebSocket`": 'websocket',
  "libevent's `evhttp`, as in 2008": 'evhttp',
  'socket.io': 'socket-io',
  pushpin: 'pushpin',
  'bare epoll in C': 'floor',
} as const

const peers = Object.entries(PEERS).flatMap(([title, name]) =>
  suite(
    'peers.json',
    'bun run bench:peers',
    [`${title}, memory a stream`, `${name}.grownPerStream`, 'bytes'],
    [`${title}, delivered a second`, `${name}.deliveredPerSecond`, ''],
    [`${title}, CPU time a delivery`, `${name}.saturatedMicros`, 'µs', 1],
    [`${title}, kept of 10,000 a second`, `${name}.keptPerSecond`, ''],
    [`${title}, p99 at that rate`, `${name}.p99Ms`, 'ms', 1],
  ),
)

const SOAK: Row[] = [
  ['deliveries promised', '/outcome/promised', ''],
  ['deliveries received', '/outcome/received', ''],
  ['received twice', '/outcome/duplicated', ''],
  ['received out of order', '/outcome/reordered', ''],
  ['silent streams lost, of 1,000', '/outcome/silent/closed', ''],
  ['streams closed and opened again', '/outcome/churning/churned', ''],
  ['lost by them', '/outcome/churning/lost', ''],
  ['clients that stopped reading', '/outcome/faults/slow/streams', ''],
  ['clients that vanished', '/outcome/faults/vanished/streams', ''],
  ['of these not noticed in time', '/outcome/faults/vanished/left', ''],
  ['publish to receive, p50', '/outcome/latency/p50Ms', 'ms', 1],
  ['publish to receive, p99', '/outcome/latency/p99Ms', 'ms', 1],
  ['publish to receive, p99.9', '/outcome/latency/p999Ms', 'ms', 1],
  ['open files of the server before', '/outcome/descriptors/before', ''],
  ['open files of the server after', '/outcome/descriptors/after', ''],
]

const QUARTERS = ['first', 'second', 'third', 'last'].flatMap((quarter, at) =>
  ['server', 'flood'].map((process): [string, Figure] => [
    `memory of the ${process === 'server' ? 'server' : 'client'}, ${quarter} quarter`,
    {
      file: 'soak.json',
      key: `/${process}/quarterBytes/${at}`,
      unit: 'MiB',
      digits: 1,
      by: 1024 * 1024,
      command: 'bun run bench:soak',
    },
  ]),
)

/** The five of the README, from the run that is the code as it is. */
const HEADLINES: [string, Figure][] = [
  ...suite(
    'million-1m.json',
    'bun run bench:million',
    ['streams held on 2 cores and 24 GiB, client and generator beside them', 'streamsOpen', ''],
    ['publish to receive meanwhile, p99', 'steadyP99Ms', 'ms', 1],
  ),
  [
    'deliveries lost in that run',
    {
      file: 'million-1m.json',
      key: 'missing',
      of: 'promised',
      unit: '',
      digits: 0,
      command: 'bun run bench:million',
    },
  ],
]

export const FIGURES: ReadonlyMap<string, Figure> = new Map([
  ...HEADLINES,
  ...bench(
    'memory',
    ['process memory of a silent stream', 'memory.descriptorBytes', 'bytes'],
    ['the same on sockets of Bun (`--wire socket`)', 'memory.socketBytes', 'bytes'],
    ['the same over TLS', 'memory.tlsBytes', 'bytes'],
    ['process memory of a stream at `comet flood`', 'memory.clientBytes', 'bytes'],
  ),
  ...bench(
    'deliveries',
    ['deliveries a second to random streams, one core', 'deliveries.comet', ''],
    ['the same, as a ratio to a bare epoll server in C', 'deliveries.ratio', '', 2],
  ),
  ...bench(
    'broadcast',
    ['deliveries a core-second to 10,000 followers, one message at a time', 'broadcast.comet1', ''],
    ['the same, eight messages at a time', 'broadcast.comet8', ''],
  ),
  ...bench(
    'publishing',
    ['messages accepted a second, one a request', 'publishing.single', ''],
    ['messages accepted a second, 1,000 a request', 'publishing.batch', ''],
  ),
  ...bench('start', ['time from start to listening', 'start.milliseconds', 'ms', 1]),
  ...suite(
    'friends.json',
    'bun run bench:friends',
    ['loading them into a fresh database', 'load.seconds', 's', 1],
    ['peak memory of that', 'load.peakMib', 'MiB'],
    ['a subscription on disk', 'load.bytesOnDisk', 'bytes', 1],
    ['a subscription in memory', 'followers.bytesInMemory', 'bytes', 1],
    ['time from start to listening with them', 'followers.startSeconds', 's', 2],
    ['the same without a snapshot of them', 'followers.readSeconds', 's', 1],
    ['users whose followers are read a second', 'followers.lookups', ''],
    ['routing a message to 15 followers, without the kernel', 'routing.followers15', 'µs', 2],
    ['routing a message to 5,000 followers, without the kernel', 'routing.followers5000', 'µs'],
  ),
  ...suite(
    'bus.json',
    'bun run bench --suite bus',
    ['CPU time of Redis a message', 'bus.engineMicros', 'µs', 1],
    ['CPU time a message at the node that publishes', 'bus.publisherMicros', 'µs', 1],
    ['CPU time a message at a node that reads', 'bus.readerMicros', 'µs', 1],
    ['publish to receive on another node, p50', 'bus.p50Millis', 'ms', 2],
    ['publish to receive on another node, p99', 'bus.p99Millis', 'ms', 2],
    ['messages a second in batches, read by three nodes', 'bus.saturated', ''],
    ['time until a node that joins has a window of 64 MiB', 'bus.joinSeconds', 's', 2],
    ['loading 15 million subscriptions into Redis', 'follows.loadSeconds', 's', 1],
    ['memory of Redis for them', 'follows.engineMib', 'MiB', 1],
    ['time from start to listening of a node that reads them', 'follows.startSeconds', 's', 1],
  ),
  ...suite(
    'erlang.json',
    'bun run bench:erlang',
    ['`!`, one process, one message each', 'erlang.send', ''],
    ['`!`, lists of 1,000', 'erlang.batch', ''],
    ['`gen_server:call`, 32 processes that wait', 'erlang.call', ''],
    ['POST, one a request, 32 connections', 'erlang.postSingle', ''],
    ['POST, 1,000 a request', 'erlang.postBatch', ''],
  ),
  ...suite(
    'identity.json',
    'bun run bench --suite identity',
    ['memory of a name, with a million in use', 'names.tableBytes', 'bytes'],
    ['finding a name', 'names.findMicros', 'µs', 2],
    ["server's CPU time a message to a name", 'to-names.namesMicros', 'µs', 1],
    ["server's CPU time a message to a number", 'to-names.numbersMicros', 'µs', 1],
    ['start with a million followers, by names', 'names.namesSeconds', 's', 2],
    ['start with a million followers, by numbers', 'names.numbersSeconds', 's', 2],
    ['streams opened a second without keys, both ends', 'opens.anonymousPerSecond', ''],
    ['streams opened a second with HS256, both ends', 'opens.secretPerSecond', ''],
    ['streams opened a second with EdDSA, both ends', 'opens.publicKeyPerSecond', ''],
    ["server's CPU time a stream opened without keys", 'opens.anonymousMicros', 'µs'],
    ["server's CPU time a stream opened with HS256", 'opens.secretMicros', 'µs'],
    ["server's CPU time a stream opened with EdDSA", 'opens.publicKeyMicros', 'µs'],
    ['memory of the expiry of a stream', 'expiry.bytes', 'bytes', 1],
    ['CPU time of a stream that expires, without the kernel', 'expiry.endMicros', 'µs', 1],
    ['longest pause while a million expire at once', 'expiry.longestMs', 'ms', 1],
  ),
  ...suite(
    'log.json',
    'bun run bench --suite log',
    ['CPU time to add a message, window in a file', 'append.fileSingle', 'µs', 2],
    ['CPU time to add a message, window in memory', 'append.memorySingle', 'µs', 2],
    ['memory of a message above its body', 'append.tableBytes', 'bytes'],
    ['finding what a client that follows 15 has missed in 1 s', 'resume.f15s1', 'µs', 1],
    ['finding what a client that follows 15 has missed in 26 s', 'resume.f15s26', 'µs', 1],
    ['reading a full window of 64 MiB again after a kill', 'recovery.numbersMs', 'ms'],
  ),
  ...suite(
    'tokens.json',
    'bun run bench --suite tokens',
    ['CPU time to check a token, HS256', 'tokens.HS256', 'µs'],
    ['CPU time to check a token, RS256', 'tokens.RS256', 'µs'],
    ['CPU time to check a token, ES256', 'tokens.ES256', 'µs'],
    ['CPU time to check a token, EdDSA', 'tokens.EdDSA', 'µs'],
  ),
  ...million('million-100k.json', '100,000', 'bun run bench:million --connections 100k'),
  ...million('million-1m.json', '1,000,000', 'bun run bench:million'),
  ...million('million-2m.json', '2,000,000', 'bun run bench:million --connections 2m --anyway'),
  ...peers,
  ...rowsOf(
    'soak.json',
    'bun run bench:soak',
    SOAK.map(([name, ...rest]) => [`${name}, in an hour`, ...rest]),
  ),
  ...QUARTERS,
])
