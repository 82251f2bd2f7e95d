// What a flood found, for programs and for people. The schema is the one source for the JSON's
// fields; they are stable.

import { type Static, Type } from '@sinclair/typebox'
import { formatCount, formatMs } from '../core/units.ts'
import { Closed, Count, Failed, Latency, latencyOf, Ms, Received, receivedOf } from './figures.ts'
import { percentileMs } from './times.ts'
import type { Totals } from './totals.ts'

export const FloodReport = Type.Object(
  {
    connections: Type.Object({ wanted: Count, opened: Count, failed: Failed, closed: Closed }),
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
    errors: Type.Record(Type.String(), Count, {
      description: 'What ended connections that failed or closed, by kind.',
    }),
  },
  { $id: 'FloodReport' },
)
export type FloodReport = Static<typeof FloodReport>

export function floodReport(wanted: number, totals: Totals): FloodReport {
  const { counters, connect, openingMs } = totals
  const { opened, failed, closed } = counters
  return {
    connections: { wanted, opened, failed, closed },
    connect: {
      perSecond: openingMs > 0 ? Math.round((opened * 1000) / openingMs) : 0,
      p50Ms: percentileMs(connect, 50),
      p99Ms: percentileMs(connect, 99),
      maxMs: percentileMs(connect, 100),
    },
    received: receivedOf(counters),
    latency: latencyOf(totals.latency),
    errors: totals.errors,
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
