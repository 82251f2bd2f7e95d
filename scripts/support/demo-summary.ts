// What the demo says of its run: the figures, and whether all of it was as it should be.

import { formatCount, formatMs, formatQuantity } from '../../src/core/units.ts'
import { type GenReport, keptRate } from '../../src/gen/gen-report.ts'

/** Of `comet flood --json`, what the demo needs. */
export interface FloodJson {
  readonly connections: { wanted: number; opened: number; failed: number; closed: number }
  readonly connect: { perSecond: number }
  readonly received: { messages: number; duplicated: number; reordered: number; untracked: number }
  readonly latency: { p50Ms: number | null; p99Ms: number | null; maxMs: number | null }
}

export interface Outcome {
  readonly streams: number
  readonly subscriptions: number
  readonly flood: FloodJson
  /** Of the messages to one user each. */
  readonly direct: GenReport
  /** Of those about users, to all who follow them. */
  readonly about: GenReport
  readonly bytesPerStream: number
}

export interface Summary {
  readonly text: string
  /** Did everything arrive that was promised? A machine may be too slow for the rate. */
  readonly flawless: boolean
}

/** The text that the demo prints of a run, and whether the run was without a fault. */
export function summaryOf(outcome: Outcome): Summary {
  const { streams, flood, direct, about } = outcome
  const { opened, failed, closed } = flood.connections
  const { messages, duplicated, reordered, untracked } = flood.received
  const promised = direct.delivered + about.delivered
  const missing = promised - (messages - duplicated)
  const lost = failed + closed
  const { latency } = flood
  const rows: [string, string][] = [
    ['subscriptions', formatCount(outcome.subscriptions)],
    [
      'streams opened',
      `${formatCount(opened)} of ${formatCount(streams)}, ${formatCount(flood.connect.perSecond)}/s`,
    ],
    ['streams lost', formatCount(lost)],
    ['messages to one user', sentBy(direct)],
    ['messages about one', sentBy(about)],
    [
      'deliveries promised',
      `${formatCount(promised)}, of them ${formatCount(about.delivered)} to followers`,
    ],
    ['deliveries received', formatCount(messages)],
    ['missing', formatCount(missing)],
    ['duplicated', formatCount(duplicated)],
    ['out of order', formatCount(reordered)],
    [
      'latency',
      `p50 ${formatMs(latency.p50Ms)}, p99 ${formatMs(latency.p99Ms)}, max ${formatMs(latency.maxMs)}`,
    ],
    ['memory per stream', `${formatCount(outcome.bytesPerStream)} bytes of server process`],
  ]
  const faults = lost + Math.abs(missing) + duplicated + reordered + untracked
  const unsent = direct.rejected + direct.unanswered + about.rejected + about.unanswered
  const flawless = faults + unsent === 0 && opened === streams && promised > 0
  const verdict = flawless ? success([direct, about]) : 'NOT flawless: see the figures above.'
  const text = rows.map(([name, value]) => `  ${name.padEnd(21)} ${value}`).join('\n')
  return { text: `\n${text}\n\n${verdict}\n`, flawless }
}

const ARRIVED = 'Every promised delivery arrived exactly once and in order'

/** What was not sent could not be promised. */
function success(reports: readonly GenReport[]): string {
  const short = reports.filter((report) => !keptRate(report))
  if (short.length === 0) return `${ARRIVED}.`
  const rates = short.map(({ perSecond, wantedPerSecond }) => {
    return `${formatCount(perSecond)} of ${formatQuantity(wantedPerSecond, 'message')} a second`
  })
  return `${ARRIVED}, but the rate was not kept: ${rates.join(', and ')}.
This machine is too slow for it; --rate and --connections ask for less.`
}

function sentBy({ sent, seconds, perSecond }: GenReport): string {
  return `${formatCount(sent)} in ${seconds.toFixed(1)} s, ${formatCount(perSecond)}/s`
}
