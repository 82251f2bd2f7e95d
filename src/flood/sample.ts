// How far a flood is, once a second while it runs: totals since its start, and the latency of what
// came since the sample before. The schema is the one source for the JSON's fields; they are stable.

import { type Static, Type } from '@sinclair/typebox'
import { encodeIntoCompressedBase64, type Histogram } from 'hdr-histogram-js'
import {
  Behaviour,
  behaviourOf,
  Closed,
  Count,
  Errors,
  Failed,
  Latency,
  latencyOf,
  Received,
  receivedOf,
} from './figures.ts'
import { type Counters, openCount } from './tally.ts'

export const FloodSample = Type.Object(
  {
    seconds: Type.Number({ minimum: 0, description: 'Since the start of the run.' }),
    time: Type.String({ description: 'The same moment by the clock on the wall, ISO 8601.' }),
    connections: Type.Object(
      { opened: Count, failed: Failed, closed: Closed },
      { description: 'Totals since the start of the run, at most a second old.' },
    ),
    open: Type.Integer({ minimum: 0, description: 'Streams at this moment.' }),
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
    description: 'Latency is of the messages since the sample before, all else a total.',
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
