// What a flood found, for programs and for people. The schema is the one source for the JSON's
// fields; they are stable.

import { type Static, Type } from '@sinclair/typebox'
import type { Histogram } from 'hdr-histogram-js'
import { formatCount, formatMs } from '../core/units.ts'
import type { Tally } from './tally.ts'

const Count = Type.Integer({ minimum: 0 })
const Ms = Type.Union([Type.Number(), Type.Null()], { description: 'null if nothing was timed.' })

export const FloodReport = Type.Object(
  {
    connections: Type.Object({
      wanted: Count,
      opened: Count,
      failed: Type.Integer({ description: 'Never became a stream.' }),
      closed: Type.Integer({ description: 'Were streams, and ended before the run did.' }),
    }),
    connect: Type.Object(
      {
        perSecond: Type.Number({ description: 'Streams opened a second, from first to last.' }),
        p50Ms: Ms,
        p99Ms: Ms,
        maxMs: Ms,
      },
      { description: 'From beginning to connect to the first byte of the answer.' },
    ),
    received: Type.Object({
      chunks: Count,
      bytes: Type.Integer({ description: 'Of chunks, without what HTTP adds.' }),
      messages: Type.Integer({ description: 'Chunks with a stamp.' }),
      duplicated: Count,
      reordered: Count,
      untracked: Type.Integer({
        description: 'Messages whose order could not be checked any more.',
      }),
    }),
    latency: Type.Object(
      { p50Ms: Ms, p99Ms: Ms, p999Ms: Ms, maxMs: Ms },
      { description: 'From the moment a message was due at its generator to its arrival here.' },
    ),
    errors: Type.Record(Type.String(), Count, {
      description: 'What ended connections that failed or closed, by kind.',
    }),
  },
  { $id: 'FloodReport' },
)
export type FloodReport = Static<typeof FloodReport>

export function floodReport(wanted: number, tally: Tally): FloodReport {
  const { opened, failed, closed, chunks, bytes, messages } = tally.counters
  const { duplicated, reordered, untracked } = tally.counters
  return {
    connections: { wanted, opened, failed, closed },
    connect: {
      perSecond: tally.openingMs > 0 ? Math.round((opened * 1000) / tally.openingMs) : 0,
      p50Ms: percentileMs(tally.connect, 50),
      p99Ms: percentileMs(tally.connect, 99),
      maxMs: percentileMs(tally.connect, 100),
    },
    received: { chunks, bytes, messages, duplicated, reordered, untracked },
    latency: {
      p50Ms: percentileMs(tally.latency, 50),
      p99Ms: percentileMs(tally.latency, 99),
      p999Ms: percentileMs(tally.latency, 99.9),
      maxMs: percentileMs(tally.latency, 100),
    },
    errors: tally.errors,
  }
}

/** Did everything go as it should? What the exit code says. */
export function isFlawless({ connections, received }: FloodReport): boolean {
  const lost = connections.failed + connections.closed + connections.wanted - connections.opened
  return lost === 0 && received.duplicated + received.reordered + received.untracked === 0
}

/** The summary for people. */
export function floodSummary(report: FloodReport): string {
  const { connections, connect, received, latency, errors } = report
  const kinds = Object.entries(errors).map(([kind, count]) => `${kind} ${formatCount(count)}`)
  const rows: [string, string][] = [
    [
      'streams',
      `${formatCount(connections.opened)} opened of ${formatCount(connections.wanted)} wanted, ` +
        `${formatCount(connections.failed)} failed, ${formatCount(connections.closed)} closed early`,
    ],
    [
      'connect',
      `${formatCount(connect.perSecond)}/s, p50 ${formatMs(connect.p50Ms)}, ` +
        `p99 ${formatMs(connect.p99Ms)}, max ${formatMs(connect.maxMs)}`,
    ],
    [
      'received',
      `${formatCount(received.messages)} messages, ${formatCount(received.chunks)} chunks, ` +
        `${formatCount(received.bytes)} bytes`,
    ],
    [
      'order',
      `${formatCount(received.duplicated)} duplicated, ${formatCount(received.reordered)} out of order`,
    ],
    [
      'latency',
      `p50 ${formatMs(latency.p50Ms)}, p99 ${formatMs(latency.p99Ms)}, ` +
        `p99.9 ${formatMs(latency.p999Ms)}, max ${formatMs(latency.maxMs)}`,
    ],
  ]
  if (received.untracked > 0) {
    rows.push(['unchecked', `${formatCount(received.untracked)} messages: too many generators`])
  }
  if (kinds.length > 0) rows.push(['errors', kinds.join(', ')])
  return rows.map(([name, text]) => `${name.padEnd(9)} ${text}`).join('\n')
}

function percentileMs(histogram: Histogram, percentile: number): number | null {
  if (histogram.totalCount === 0) return null
  // The histogram answers with the upper end of a bucket, which may lie above what there was.
  const micros = Math.min(histogram.maxValue, histogram.getValueAtPercentile(percentile))
  return micros / 1000
}
