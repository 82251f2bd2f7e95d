// The figures of a server, gathered on request. The schema is the one source for their names, types
// and documentation. Nothing here is on a hot path.

import { type Static, type TInteger, Type } from '@sinclair/typebox'
import { BusFigures } from '../bus/bus-figures.ts'
import { build } from '../core/build.ts'
import type { Clock } from '../core/clock.ts'
import { cpuSeconds, type LoopWatch } from '../core/loop.ts'
import { NodeFigures } from '../erlang/node-figures.ts'
import type { Dispatcher } from '../hub/dispatcher.ts'
import type { HostFigures, WorkerFigures } from '../hub/figures.ts'
import type { HistoryFigures } from '../hub/history.ts'
import { CLOSES, REFUSALS, type RefusalReason, totalOf } from '../hub/refusals.ts'
import { GAPS } from '../hub/resumption.ts'
import type { Input } from '../hub/router.ts'
import type { FeedGapReason } from '../log/feed-source.ts'
import type { GapReason } from '../log/message-log.ts'
import type { NameTable } from '../subscriptions/name-table.ts'
import type { Subscriptions } from '../subscriptions/subscriptions.ts'
import type { FeedFigures } from './feed-figures.ts'

const Count = (description: string) => Type.Integer({ minimum: 0, description })

/** A count for each row of a table. */
function countsOf<Reason extends string>(help: Readonly<Record<Reason, string>>) {
  const entries = Object.entries<string>(help).map(([reason, of]) => [reason, Count(of)])
  return Object.fromEntries(entries) as Record<Reason, TInteger>
}

function helpOf(table: typeof REFUSALS): Readonly<Record<RefusalReason, string>> {
  const entries = Object.entries(table).map(([reason, { help }]) => [reason, help])
  return Object.fromEntries(entries) as Record<RefusalReason, string>
}

export const ServerState = Type.Union(
  [
    Type.Literal('ready'),
    Type.Literal('full'),
    Type.Literal('draining'),
    Type.Literal('disconnected'),
    Type.Literal('unwritable'),
  ],
  {
    description:
      'Whether new streams may be sent here, and if not, why: disconnected from the Erlang node or ' +
      'the Redis that it requires, unwritable with a database that takes no changes.',
  },
)
export type ServerState = Static<typeof ServerState>

export const SERVER_STATES = ServerState.anyOf.map((state) => state.const)

const Wire = Type.Object(
  {
    kind: Type.Union([Type.Literal('descriptor'), Type.Literal('socket')]),
    reason: Type.Union([Type.String(), Type.Null()], {
      description: 'Why it is no descriptor; null if it is one.',
    }),
  },
  { description: 'What holds the streams of the process.' },
)

const Worker = Type.Object({
  number: Type.Integer({ minimum: 0 }),
  state: Type.Union(
    [
      Type.Literal('starting'),
      Type.Literal('running'),
      Type.Literal('waiting'),
      Type.Literal('ended'),
    ],
    { description: 'Waiting to be restarted.' },
  ),
  pid: Type.Union([Type.Integer(), Type.Null()]),
  restarts: Count('Restarts.'),
  unackedBytes: Count('Bytes that it was sent and has not acknowledged.'),
  open: Count('Streams open now.'),
  limit: Count('Streams that may be open at once.'),
  refused: Count('Streams refused.'),
  queuedBytes: Count('Bytes that wait for slow clients.'),
  residentBytes: Count('Resident memory.'),
  cpuSeconds: Type.Number(),
  openFiles: Count('Open files.'),
  wire: Type.Union([Wire, Type.Null()], { description: 'Null before it has started.' }),
})

const History = Type.Object(
  {
    epoch: Count('When it began, in milliseconds since 1970; it begins again when it is lost.'),
    last: Type.String({ description: 'Cursor of its last entry.' }),
    oldest: Type.Union([Type.String(), Type.Null()], {
      description: 'Cursor of the oldest entry that is kept; null if none is.',
    }),
    entries: Count('Entries kept: messages, and changes of who follows whom.'),
    bytes: Count('Bytes that they take.'),
    limitBytes: Count('Bytes that they may take, by --history; then the oldest ones give way.'),
    oldestAgeSeconds: Type.Union([Type.Number(), Type.Null()], {
      description: 'How far back it reaches; null if no entry is kept.',
    }),
    place: Type.Object(
      {
        kind: Type.Union([Type.Literal('file'), Type.Literal('memory'), Type.Literal('bus')]),
        reason: Type.Union([Type.String(), Type.Null()], {
          description: 'Why it is in memory although it should be in a file; else null.',
        }),
      },
      { description: 'Where it is kept: what is in memory ends with the process.' },
    ),
    resumed: Count('Streams that began after an entry, with what their clients had missed.'),
    replayed: Count('Messages that they got so.'),
    gaps: Type.Object(countsOf<GapReason>(GAPS), {
      description: 'Streams that got a gap instead, by reason.',
    }),
  },
  { description: 'The log of recent messages, and the streams that resumed.' },
)

const SharedFeed = Type.Object(
  {
    isSteady: Type.Boolean({ description: 'Are all its connections told, and can more be?' }),
    sent: Count('Events that were told since the start.'),
    entries: Count('Entries that they were in.'),
    renewals: Count('Times that all its connections were told again.'),
    nodesRemoved: Count('Servers that had ended, whose connections it has told as lost.'),
    unsentBytes: Count('Bytes of its window that wait to be told.'),
  },
  { description: 'What this server has told the feed that servers share.' },
)

const Feed = Type.Object(
  {
    last: Type.String({ description: 'Cursor of its last event, as far as is known here.' }),
    start: Type.Union([Type.String(), Type.Null()], {
      description: 'Cursor behind which all events are kept; null if servers share them.',
    }),
    events: Count('Events since the start.'),
    limitBytes: Count('Bytes that those that are kept take at most, by --feed.'),
    readers: Count('Requests that follow it now.'),
    readersCut: Count('Those that were ended, since they took nothing for half a minute.'),
    readersRefused: Count('Those that were refused, since there were too many.'),
    gaps: Type.Object(
      countsOf<FeedGapReason>({
        lost: 'The events after the cursor have left the window.',
        unknown: 'The cursor was of another run, or of none.',
      }),
      { description: 'Gaps that they got, by reason.' },
    ),
    shared: Type.Union([SharedFeed, Type.Null()], { description: 'Null without --bus.' }),
  },
  { description: 'The feed of connections, `GET /feed`.' },
)

export const Stats = Type.Object({
  version: Type.String(),
  state: ServerState,
  uptimeSeconds: Type.Number(),
  streams: Type.Object({
    open: Count('Streams open now.'),
    limit: Count('Streams that may be open at once.'),
    users: Count('Users with at least one open stream.'),
    opened: Count('Streams opened since the start.'),
    closed: Type.Object({
      ...countsOf(CLOSES),
      lost: Count('The worker that held it has ended.'),
    }),
    unmeasured: Count('Of those closed as slow: without knowing what the kernel held of them.'),
    refused: Type.Object(countsOf(helpOf(REFUSALS)), {
      description: 'Streams refused since the start, by reason.',
    }),
    heartbeats: Count('Heartbeats sent to silent streams.'),
  }),
  subscriptions: Type.Object({
    held: Count('Subscriptions in the database, and in memory.'),
    subjects: Count('Subjects with at least one subscriber.'),
  }),
  names: Type.Object({
    used: Count('Names in use: of users who are connected, or in subscriptions, and some a while.'),
    limit: Count('Names that may be in use at once.'),
    memoryBytes: Count('Memory that they take.'),
  }),
  messages: Type.Object({
    accepted: Count('Messages accepted since the start.'),
    rejected: Count('Messages and lines rejected.'),
    dropped: Count('Messages accepted without a connected receiver.'),
  }),
  deliveries: Type.Object({
    delivered: Count('Frames delivered to streams.'),
    undelivered: Count(
      'Of these, frames that waited in comet when their stream ended. What the kernel held of the ' +
        'stream is lost too, and not among them.',
    ),
    unacknowledgedBytes: Count(
      'Bytes that the kernel held for streams closed as slow, without those that are unmeasured: it ' +
        "had taken them, and the client's machine had not acknowledged them.",
    ),
    skipped: Count('Connections skipped, since their worker was too far behind.'),
    unknown: Count(
      'Connections whose worker did not acknowledge within a second or has ended. Those that took the ' +
        'message are counted as delivered too, once it acknowledges late.',
    ),
  }),
  outbox: Type.Object({
    queuedBytes: Count('Bytes that wait for slow clients, beyond the buffers of the kernel.'),
  }),
  history: History,
  feed: Type.Union([Feed, Type.Null()], { description: 'Null if there is none.' }),
  workers: Type.Array(Worker, {
    description: 'The processes that hold streams, if it is not this one. The sums are above.',
  }),
  erlang: Type.Union([NodeFigures, Type.Null()], {
    description: 'This server as an Erlang node; null if it is none.',
  }),
  bus: Type.Union([BusFigures, Type.Null()], {
    description: 'What this server shares with others through Redis; null for one of its own.',
  }),
  process: Type.Object({
    pid: Type.Integer(),
    residentBytes: Count('Resident memory.'),
    cpuSeconds: Type.Number({ description: 'CPU time used since the start.' }),
    openFiles: Count('Open files, of which each connection is one.'),
    openFilesLimit: Count('Open files allowed.'),
    wire: Type.Union([Wire, Type.Null()], { description: 'Null if workers hold the streams.' }),
  }),
})
export type Stats = Static<typeof Stats>

/** Where the figures come from. */
export interface StatsSource {
  readonly clock: Clock
  readonly startedMs: number
  readonly streams: () => Promise<HostFigures>
  readonly subscriptions: Pick<Subscriptions, 'counts'>
  readonly names: Pick<NameTable, 'size' | 'sizeMax' | 'memoryBytes'>
  /** The log of recent messages. */
  readonly history: () => HistoryFigures
  /** The feed of connections; null if there is none. */
  readonly feed: () => FeedFigures | null
  /** Where messages come in. */
  readonly inputs: readonly Input[]
  /** Lookups of the followers of subjects. */
  readonly lookups: Pick<Dispatcher, 'lookups' | 'followersFound'>
  /** This process's own loop. */
  readonly loop: Pick<LoopWatch, 'lateMs' | 'figures'>
  /** Workers that have not responded for a while. */
  readonly silentWorkers: () => readonly number[]
  readonly openFilesLimit: number
  readonly openFiles: () => number
  /** Lines of this process's log that could not be written. */
  readonly logLinesDropped: () => number
  readonly state: () => ServerState
  readonly erlang: () => NodeFigures | null
  readonly bus: () => BusFigures | null
}

export async function gatherStats(source: StatsSource): Promise<Stats> {
  const { open, limit, users, queuedBytes, totals, lost, wire, workers } = await source.streams()
  const { names } = source
  const { subscriptions, subjects } = source.subscriptions.counts()
  return {
    version: build.version,
    state: source.state(),
    uptimeSeconds: (source.clock.elapsedMs() - source.startedMs) / 1000,
    streams: {
      open,
      limit,
      users,
      opened: totals.opened,
      closed: { ...totals.closed, lost },
      unmeasured: totals.unmeasured,
      refused: { ...totals.refused },
      heartbeats: totals.beats,
    },
    subscriptions: { held: subscriptions, subjects },
    names: { used: names.size, limit: names.sizeMax, memoryBytes: names.memoryBytes },
    messages: {
      accepted: sum(source, ({ router }) => router.accepted),
      rejected: sum(source, ({ rejected }) => rejected),
      dropped: sum(source, ({ router }) => router.dropped),
    },
    deliveries: {
      delivered: sum(source, ({ router }) => router.deliveries),
      undelivered: totals.undelivered,
      unacknowledgedBytes: totals.unacknowledgedBytes,
      skipped: sum(source, ({ router }) => router.skipped),
      unknown: sum(source, ({ router }) => router.unknown),
    },
    outbox: { queuedBytes },
    history: source.history(),
    feed: source.feed(),
    workers: workers.map(workerStats),
    erlang: source.erlang(),
    bus: source.bus(),
    process: {
      pid: process.pid,
      residentBytes: process.memoryUsage.rss(),
      cpuSeconds: cpuSeconds(),
      openFiles: source.openFiles(),
      openFilesLimit: source.openFilesLimit,
      wire,
    },
  }
}

/** A figure of all inputs together. */
function sum({ inputs }: StatsSource, figure: (input: Input) => number): number {
  return inputs.reduce((total, input) => total + figure(input), 0)
}

function workerStats(worker: WorkerFigures): Static<typeof Worker> {
  const { number, state, pid, restarts, unackedBytes, streams } = worker
  return {
    ...{ number, state, pid, restarts, unackedBytes },
    open: streams?.open ?? 0,
    limit: streams?.limit ?? 0,
    refused: streams === null ? 0 : totalOf(streams.refused),
    queuedBytes: streams?.queuedBytes ?? 0,
    residentBytes: streams?.residentBytes ?? 0,
    cpuSeconds: streams?.cpuSeconds ?? 0,
    openFiles: streams?.openFiles ?? 0,
    wire: streams?.wire ?? null,
  }
}
