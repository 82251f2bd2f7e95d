// What a flood found, for programs and for people. The schema is the one source for the JSON's
// fields; they are stable.

import { type Static, Type } from '@sinclair/typebox'
import { type Measured, measurePercentiles, type Objective } from '../core/objective.ts'
import { floodLimits } from '../core/tool-limits.ts'
import {
  Behaviour,
  behaviourOf,
  Client,
  Closed,
  Count,
  Errors,
  Failed,
  Latency,
  latencyOf,
  Ms,
  Received,
  receivedOf,
} from './figures.ts'
import type { FLOOD_METRICS } from './metrics.ts'
import { percentileMs } from './times.ts'
import type { Totals } from './totals.ts'

const Comparison = Type.Object({
  promised: Type.Integer({ minimum: 0, description: 'Deliveries, by the servers that took them.' }),
  lost: Type.Integer({ minimum: 0, description: 'Promised and not received.' }),
  unexpected: Type.Integer({ minimum: 0, description: 'Received and not promised.' }),
  examples: Type.Array(Type.Object({ generator: Type.Integer(), sequence: Type.Integer() }), {
    description: `If some are lost: the first ${floodLimits.examplesMax} messages that came nowhere.`,
  }),
})

const ServerStreams = Type.Object({
  believed: Type.Integer({
    minimum: 0,
    description: 'Streams that the client believes to be open; without those that read no more.',
  }),
  open: Type.Integer({
    minimum: 0,
    description: 'Streams that the server has open, of all clients.',
  }),
  missing: Type.Integer({
    minimum: 0,
    description: 'Believed to be open beyond what the server has.',
  }),
  asked: Type.Integer({
    minimum: 0,
    description: 'If some are missing: ids for which the server was asked, to find out which.',
  }),
  examples: Type.Array(Type.Integer(), {
    description: `Of these ids, up to ${floodLimits.missingNamedMax} for which it has no stream.`,
  }),
})
export type ServerStreams = Static<typeof ServerStreams>

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
        perSecond: Type.Number({ description: 'Streams opened a second, from first to last.' }),
        p50Ms: Ms,
        p99Ms: Ms,
        maxMs: Ms,
      },
      { description: 'From beginning to connect to the first byte of the answer.' },
    ),
    received: Received,
    latency: Latency,
    errors: Errors,
    examples: Type.Array(
      Type.Object({
        wrong: Type.Union([Type.Literal('duplicated'), Type.Literal('reordered')]),
        id: Type.Integer({ description: 'Of the stream.' }),
        generator: Type.Integer(),
        sequence: Type.Integer(),
      }),
      { description: `The first ${floodLimits.examplesMax} wrong messages of each kind.` },
    ),
    comparison: Type.Union([Comparison, Type.Null()], {
      description: 'With what generators were promised; null without --expect.',
    }),
    server: Type.Union([ServerStreams, Type.Null()], {
      description: 'At the end of the run, before streams are closed; null without --control.',
    }),
    client: Client,
  },
  { $id: 'FloodReport' },
)
export type FloodReport = Static<typeof FloodReport>

/** What is known of a run besides what its processes have seen. */
export interface RunFacts {
  readonly wanted: number
  readonly processes: number
  /** Deliveries that generators were promised; null if the run is not compared. */
  readonly promised: number | null
  /** What the server has open; null if it was not asked. */
  readonly server: ServerStreams | null
}

export function floodReport(
  { wanted, processes, promised, server }: RunFacts,
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
    client: {
      processes,
      coresMax: Math.round(load.coresMax * 100) / 100,
      loopLateMaxMs: Math.round(load.loopLateMsMax),
      busySeconds: load.busySeconds,
    },
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
    // What came nowhere is only lost if it was promised, and somebody was to get it.
    examples: lost > 0 ? totals.arrivals.missing(Math.min(lost, floodLimits.examplesMax)) : [],
  }
}

/** Did everything go as it should? What the exit code says. */
export function isFlawless({ connections, received, comparison, server }: FloodReport): boolean {
  const gone = connections.failed + connections.closed + connections.wanted - connections.opened
  const wrong = received.duplicated + received.reordered + received.untracked
  const compared = comparison === null ? 0 : comparison.lost + comparison.unexpected
  return gone + wrong + compared + (server?.missing ?? 0) === 0
}

/** The percentiles that objectives are about: of latency, or of opening with `connect-` in front. */
export function percentilesOf(
  objectives: readonly Objective[],
  { latency, connect }: Pick<Totals, 'latency' | 'connect'>,
): Measured {
  return measurePercentiles(objectives, ({ of, percentile }) =>
    percentileMs(of === '' ? latency : connect, percentile),
  )
}

/** The metrics of a run. Without a comparison nothing is known of what was lost. */
export function metricsOf(
  report: FloodReport,
): Record<keyof typeof FLOOD_METRICS, number | null> & Measured {
  const { connections, connect, received, latency, comparison } = report
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
    lost: comparison?.lost ?? null,
    unexpected: comparison?.unexpected ?? null,
  }
}
