// What a flood reports, for programs: a sample each second while it runs, and the report at its
// end. The schemas are the one source for the fields of the JSON; names and meanings are stable.

import { type Static, Type } from '@sinclair/typebox'
import { encodeIntoCompressedBase64, type Histogram } from 'hdr-histogram-js'
import { type Measured, measurePercentiles, type Objective } from '../core/objective.ts'
import { floodLimits } from '../core/tool-limits.ts'
import type { FLOOD_METRICS } from './command.ts'
import { type Counters, openCount, WRONGS } from './process-stats.ts'
import type { StormState } from './storm.ts'
import { percentileMs, type Totals } from './totals.ts'

const Count = Type.Integer({ minimum: 0 })

function count(description: string) {
  return Type.Integer({ minimum: 0, description })
}

const Ms = Type.Union([Type.Number(), Type.Null()], {
  description: 'null if nothing was timed.',
})

const Failed = count('Never became a stream, or had not when the run ended.')
const Closed = count('Were streams, and ended before the run did.')

const Errors = Type.Record(Type.String(), Count, {
  description: 'What ended connections that failed or closed, by kind.',
})

/** What streams did because the options say so. */
const Behaviour = Type.Object({
  reopened: count('Opened again, after an end or churn.'),
  churned: count('Closed by the client, to be opened again.'),
  slow: count('Stopped reading.'),
  slowEnded: count('Of these, ended by the server.'),
  vanished: count('Dropped without FIN or RST.'),
})

const Client = Type.Object(
  {
    processes: Count,
    coresMax: Type.Number({ description: 'Used by the busiest process in its busiest second.' }),
    loopLateMaxMs: Type.Number({ description: 'Highest lag of the event loop of a process.' }),
    busySeconds: count(
      'In which a process used its whole core or was late: measured times may be its own.',
    ),
  },
  { description: 'How busy the client itself was.' },
)

const Received = Type.Object({
  chunks: count('Chunks, lines, events or frames.'),
  bytes: count('Of these, without what HTTP adds.'),
  messages: count('Those with a stamp.'),
  duplicated: Count,
  reordered: Count,
  untracked: count('Messages whose order was not checked.'),
})

const Cursors = Type.Object(
  { misnumbered: count('Not above the one before of their stream, or of an earlier epoch.') },
  { description: 'Those of messages.' },
)

const Resume = Type.Object(
  {
    resumed: count(
      'Connections that asked to go on behind a cursor, and were told where they are.',
    ),
    away: count('Streams that had been open and were not when the run ended.'),
    missed: count(
      'Messages that named one before them which had not come, though no gap was told.',
    ),
    doubled: count('Of the duplicated ones, those over a connection that had resumed.'),
    gaps: Type.Object(
      { lost: Count, tooMany: Count, unknown: Count },
      { description: 'That were told, by reason.' },
    ),
    unfounded: count('Gaps for what was lost, though every generator shows that nothing was.'),
    replayed: count('Messages from before their connection; not in the latency.'),
    chained: count('Messages that named the one before them, as those of gen --chain do.'),
  },
  { description: 'What streams got that came back with their cursors.' },
)

const Latency = Type.Object(
  { p50Ms: Ms, p99Ms: Ms, p999Ms: Ms, maxMs: Ms },
  { description: 'From the moment a message was due at its generator to its arrival here.' },
)

export const FloodSample = Type.Object(
  {
    seconds: Type.Number({ minimum: 0, description: 'Since the start of the run.' }),
    time: Type.String({ description: 'The same moment as wall-clock time, ISO 8601.' }),
    connections: Type.Object(
      { opened: Count, failed: Failed, closed: Closed },
      { description: 'Totals since the start of the run, at most a second old.' },
    ),
    open: count('Streams at this moment.'),
    behaviour: Behaviour,
    errors: Errors,
    received: Received,
    latency: Latency,
    histogram: Type.Union([Type.String(), Type.Null()], {
      description:
        'The same latencies in microseconds, as an HdrHistogram (V2, compressed, base64), so that ' +
        'those of several samples can be added up; null if nothing was timed.',
    }),
  },
  {
    $id: 'FloodSample',
    description: 'Latency covers the messages since the previous sample; all else is a total.',
  },
)
export type FloodSample = Static<typeof FloodSample>

/** When a sample is taken. */
export interface SampleMoment {
  /** Milliseconds since the run began. */
  readonly elapsedMs: number
  /** Milliseconds since 1970. */
  readonly nowMs: number
}

export function floodSample(
  { elapsedMs, nowMs }: SampleMoment,
  counters: Counters,
  errors: Record<string, number>,
  recentLatency: Histogram,
): FloodSample {
  const { opened, failed, closed } = counters
  return {
    seconds: Math.round(elapsedMs) / 1000,
    time: new Date(nowMs).toISOString(),
    connections: { opened, failed, closed },
    open: openCount(counters),
    behaviour: behaviourOf(counters),
    errors,
    received: receivedOf(counters),
    latency: latencyOf(recentLatency),
    histogram: recentLatency.totalCount === 0 ? null : encodeIntoCompressedBase64(recentLatency),
  }
}

const Comparison = Type.Object({
  promised: count('Deliveries, by the reports of generators.'),
  lost: count('Promised and not received.'),
  unexpected: count('Received and not promised.'),
  examples: Type.Array(Type.Object({ generator: Type.Integer(), sequence: Type.Integer() }), {
    description: `If some are lost: the first ${floodLimits.examplesMax} that no stream received.`,
  }),
})

const ServerStreams = Type.Object({
  believed: count(
    'Streams that the client believes to be open, without those that stopped reading.',
  ),
  open: count('Streams that the server has open, of all clients.'),
  missing: count('Believed to be open beyond what the server has.'),
  asked: count('If some are missing: how many ids were looked up at the server to find them.'),
  examples: Type.Array(Type.Integer(), {
    description: `Up to ${floodLimits.missingNamedMax} of these ids without a stream at the server.`,
  }),
})
export type ServerStreams = Static<typeof ServerStreams>

const StormMs = Type.Union([Type.Number(), Type.Null()], {
  description: 'Milliseconds since all were cut; null if it has not happened.',
})

const Storm = Type.Object(
  {
    cut: count('Streams that were cut at once.'),
    openedMs: StormMs,
    resumedMs: StormMs,
    caughtUpMs: StormMs,
    curve: Type.Array(Type.Object({ ms: Count, opened: Count, resumed: Count, replayed: Count }), {
      description: 'What came back in each tenth of a second until then.',
    }),
  },
  {
    description:
      'Until all were open again, had been told where they are, and had what they had missed.',
  },
)

export const FloodReport = Type.Object(
  {
    connections: Type.Object({ wanted: Count, opened: Count, failed: Failed, closed: Closed }),
    behaviour: Behaviour,
    lateness: Type.Object(
      { connections: Count, maxMs: Type.Number() },
      { description: `Connections begun more than ${floodLimits.lateMs} ms after they were due.` },
    ),
    connect: Type.Object(
      {
        perSecond: Type.Number({ description: 'Streams opened per second, from first to last.' }),
        p50Ms: Ms,
        p99Ms: Ms,
        maxMs: Ms,
      },
      { description: 'From the start of the connect to the first byte of the response.' },
    ),
    received: Received,
    latency: Latency,
    errors: Errors,
    examples: Type.Array(
      Type.Object({
        wrong: Type.Union(WRONGS.map((wrong) => Type.Literal(wrong))),
        id: Type.Integer({ description: 'Of the stream.' }),
        generator: Type.Integer({ description: '0 if it is not known.' }),
        sequence: Type.Integer(),
      }),
      { description: `The first ${floodLimits.examplesMax} wrong messages of each kind.` },
    ),
    comparison: Type.Union([Comparison, Type.Null()], {
      description: 'With the deliveries that generators were promised; null without --expect.',
    }),
    server: Type.Union([ServerStreams, Type.Null()], {
      description: 'At the end of the run, before streams are closed; null without --control.',
    }),
    cursors: Type.Union([Cursors, Type.Null()], {
      description: 'null where streams have none, as with --format test.',
    }),
    resume: Type.Union([Resume, Type.Null()], { description: 'null without --resume.' }),
    storm: Type.Union([Storm, Type.Null()], { description: 'null without --storm.' }),
    client: Client,
  },
  { $id: 'FloodReport' },
)
export type FloodReport = Static<typeof FloodReport>

/** What a report says of a run besides what its processes measured. */
export interface RunFacts {
  readonly wanted: number
  readonly processes: number
  /** Deliveries that generators were promised; null without a comparison. */
  readonly promised: number | null
  /** What the server has open; null if it was not asked. */
  readonly server: ServerStreams | null
  readonly hasCursors: boolean
  /** Do streams that come back go on where they were? */
  readonly resumes: boolean
}

export function floodReport(
  { wanted, processes, promised, server, hasCursors, resumes }: RunFacts,
  totals: Totals,
): FloodReport {
  const { counters, connect, openingMs, load } = totals
  const { opened, failed, closed } = counters
  return {
    connections: { wanted, opened, failed, closed },
    behaviour: behaviourOf(counters),
    lateness: { connections: counters.late, maxMs: Math.round(totals.lateMsMax) },
    connect: {
      perSecond: openingMs > 0 ? Math.round((opened * 1000) / openingMs) : 0,
      p50Ms: percentileMs(connect, 50),
      p99Ms: percentileMs(connect, 99),
      maxMs: percentileMs(connect, 100),
    },
    received: receivedOf(counters),
    latency: latencyOf(totals.latency),
    errors: totals.errors,
    examples: totals.examples,
    comparison: promised === null ? null : comparisonOf(promised, totals),
    server,
    cursors: hasCursors ? { misnumbered: counters.misnumbered } : null,
    resume: resumes ? resumeOf(counters) : null,
    storm: stormOf(totals.storm),
    client: {
      processes,
      coresMax: Math.round(load.coresMax * 100) / 100,
      loopLateMaxMs: Math.round(load.loopLateMsMax),
      busySeconds: load.busySeconds,
    },
  }
}

function behaviourOf(counters: Counters): Static<typeof Behaviour> {
  const { reopened, churned, slow, slowEnded, vanished } = counters
  return { reopened, churned, slow, slowEnded, vanished }
}

function receivedOf(counters: Counters): Static<typeof Received> {
  const { chunks, bytes, messages, duplicated, reordered, untracked } = counters
  return { chunks, bytes, messages, duplicated, reordered, untracked }
}

function resumeOf(counters: Counters): Static<typeof Resume> {
  const { resumed, away, missed, doubled, unfounded, replayed, chained } = counters
  const { gapsLost: lost, gapsTooMany: tooMany, gapsUnknown: unknown } = counters
  const gaps = { lost, tooMany, unknown }
  return { resumed, away, missed, doubled, gaps, unfounded, replayed, chained }
}

function stormOf(state: StormState | null): Static<typeof Storm> | null {
  if (state === null) return null
  const { cut, openedMs, resumedMs, caughtUpMs, points } = state
  const curve = points.map(([opened, resumed, replayed], at) => {
    const [openedBefore, resumedBefore, replayedBefore] = points[at - 1] ?? [0, 0, 0]
    return {
      ms: (at + 1) * floodLimits.stormEveryMs,
      opened: opened - openedBefore,
      resumed: resumed - resumedBefore,
      replayed: replayed - replayedBefore,
    }
  })
  const rounded = (ms: number | null) => (ms === null ? null : Math.round(ms))
  return {
    cut,
    openedMs: rounded(openedMs),
    resumedMs: rounded(resumedMs),
    caughtUpMs: rounded(caughtUpMs),
    curve: curve.slice(
      0,
      1 + curve.findLastIndex((one) => one.opened + one.resumed + one.replayed > 0),
    ),
  }
}

export function gapCount({ gaps }: NonNullable<FloodReport['resume']>): number {
  return gaps.lost + gaps.tooMany + gaps.unknown
}

function latencyOf(histogram: Histogram): Static<typeof Latency> {
  return {
    p50Ms: percentileMs(histogram, 50),
    p99Ms: percentileMs(histogram, 99),
    p999Ms: percentileMs(histogram, 99.9),
    maxMs: percentileMs(histogram, 100),
  }
}

function comparisonOf(promised: number, totals: Totals): Static<typeof Comparison> {
  const { messages, duplicated } = totals.counters
  const received = messages - duplicated
  const lost = Math.max(0, promised - received)
  return {
    promised,
    lost,
    unexpected: Math.max(0, received - promised),
    // A message that no stream received is only lost if its delivery was promised.
    examples: lost > 0 ? totals.arrivals.missing(Math.min(lost, floodLimits.examplesMax)) : [],
  }
}

/** Whether nothing went wrong. Decides the exit code without `--assert`. */
export function isFlawless(report: FloodReport): boolean {
  const { connections, received, comparison, server, cursors, resume, storm } = report
  const { wanted, opened, failed, closed } = connections
  // Streams that resume may end and be refused, as long as they come back.
  const ended = resume === null ? failed + closed : resume.away
  const stuck = storm !== null && storm.resumedMs === null ? 1 : 0
  const gone = ended + wanted - opened + stuck
  const { duplicated, reordered, untracked } = received
  const owed = resume === null ? 0 : resume.missed + resume.unfounded
  const wrong = duplicated + reordered + untracked + (cursors?.misnumbered ?? 0) + owed
  const compared = comparison === null ? 0 : comparison.lost + comparison.unexpected
  return gone + wrong + compared + (server?.missing ?? 0) === 0
}

/** The percentiles of objectives: of latency, or of opening with `connect-` in front. */
export function percentilesOf(
  objectives: readonly Objective[],
  { latency, connect }: Pick<Totals, 'latency' | 'connect'>,
): Measured {
  return measurePercentiles(objectives, ({ of, percentile }) =>
    percentileMs(of === '' ? latency : connect, percentile),
  )
}

/** The metrics of a run. Losses are unknown without a comparison. */
export function metricsOf(
  report: FloodReport,
): Record<keyof typeof FLOOD_METRICS, number | null> & Measured {
  const { connections, connect, received, latency, comparison, cursors, resume } = report
  const { opened, failed, closed } = connections
  const { messages, duplicated, reordered, untracked } = received
  return {
    p50: latency.p50Ms,
    p99: latency.p99Ms,
    'p99.9': latency.p999Ms,
    max: latency.maxMs,
    'connect-p50': connect.p50Ms,
    'connect-p99': connect.p99Ms,
    'connect-max': connect.maxMs,
    opened,
    failed,
    closed,
    reopened: report.behaviour.reopened,
    late: report.lateness.connections,
    messages,
    duplicated,
    reordered,
    untracked,
    misnumbered: cursors?.misnumbered ?? null,
    resumed: resume?.resumed ?? null,
    missed: resume?.missed ?? null,
    doubled: resume?.doubled ?? null,
    gaps: resume === null ? null : gapCount(resume),
    unfounded: resume?.unfounded ?? null,
    away: resume?.away ?? null,
    'caught-up': report.storm?.caughtUpMs ?? null,
    lost: comparison?.lost ?? null,
    unexpected: comparison?.unexpected ?? null,
  }
}
