// What a generator sent and was promised, for programs and for people. The schema is the one
// source for the JSON's fields; they are stable.

import { type Static, Type } from '@sinclair/typebox'
import { formatCount } from '../core/units.ts'
import type { GenTally } from './sender.ts'

const Count = Type.Integer({ minimum: 0 })

export const GenReport = Type.Object(
  {
    sent: Type.Integer({ description: 'Messages that the server answered for.' }),
    rejected: Type.Integer({ description: 'Of these, refused.' }),
    delivered: Type.Integer({ description: 'Deliveries that the server promised.' }),
    unpromised: Type.Integer({
      minimum: 0,
      description: 'Messages accepted by a server that did not say to how many they go.',
    }),
    unknown: Type.Integer({
      minimum: 0,
      description: 'Deliveries of which the server did not know whether they were made.',
    }),
    perSecond: Type.Number({ description: 'Messages sent a second.' }),
    seconds: Type.Number(),
    wantedPerSecond: Type.Number({ description: 'The rate that was asked for.' }),
    unanswered: Type.Integer({ description: 'Messages whose request got no answer.' }),
    errors: Type.Record(Type.String(), Count, {
      description: 'Requests without a receipt, by kind.',
    }),
    generators: Type.Object(
      { first: Count, count: Count },
      { description: 'As numbered in the stamps: the first, and how many.' },
    ),
  },
  { $id: 'GenReport' },
)
export type GenReport = Static<typeof GenReport>

export function genReport(tally: GenTally): GenReport {
  const { sent, rejected, delivered, unpromised, unknown } = tally
  const { seconds, unanswered, errors, generators } = tally
  return {
    sent,
    rejected,
    delivered,
    unpromised,
    unknown,
    perSecond: rate(sent, seconds),
    seconds: Math.round(seconds * 1000) / 1000,
    wantedPerSecond: rate(tally.scheduled, tally.plannedSeconds),
    unanswered,
    errors,
    generators,
  }
}

function rate(count: number, seconds: number): number {
  return seconds > 0 ? Math.round((count * 10) / seconds) / 10 : 0
}

/** A rate within one part in a hundred of the wanted one is kept. */
const SHORT_BELOW = 0.99

export function keptItsRate({ perSecond, wantedPerSecond }: GenReport): boolean {
  return perSecond >= wantedPerSecond * SHORT_BELOW
}

/**
 * By how much the generator fell short of its rate, in one sentence; null if it kept it.
 *
 * @param remedy the options that may help, if the server does not hold it up
 */
export function shortfall(report: GenReport, remedy = '--batch or --publishers'): string | null {
  if (keptItsRate(report)) return null
  const { perSecond, wantedPerSecond, unanswered } = report
  const percent = ((perSecond / wantedPerSecond) * 100).toFixed(1)
  const advice =
    unanswered > 0 ? 'Requests failed; the errors say how.' : `Raise ${remedy}, or lower the rate.`
  return (
    `The rate was not kept: ${formatCount(perSecond)} messages a second of ` +
    `${formatCount(wantedPerSecond)} (${percent} %). ${advice}`
  )
}

/** Where messages were sent. */
export interface Destination {
  readonly url: string
  /** Was a token shown? Null where none is asked for, as of other servers. */
  readonly hasToken: boolean | null
}

/** Why no message was answered, where there is something to do about it; null otherwise. */
export function whyUnanswered(
  { sent, errors }: GenReport,
  { url, hasToken }: Destination,
): string | null {
  if (sent > 0) return null
  if (errors['refused'] !== undefined) return `nothing listens at ${url}`
  if (errors['status_401'] === undefined || hasToken === null) return null
  return hasToken
    ? `${url} takes another token than that of --control-token-file`
    : `${url} asks for a token: --control-token-file`
}

/** The summary for people. */
export function genSummary(report: GenReport): string {
  const kinds = Object.entries(report.errors).map(
    ([kind, count]) => `${kind} ${formatCount(count)}`,
  )
  const rows: [string, string][] = [
    [
      'sent',
      `${formatCount(report.sent)} messages in ${report.seconds.toFixed(1)} s, ` +
        `${formatCount(report.perSecond)}/s of ${formatCount(report.wantedPerSecond)}/s wanted`,
    ],
    ['promised', promiseText(report)],
    ['rejected', formatCount(report.rejected)],
  ]
  if (kinds.length > 0) {
    rows.push([
      'errors',
      `${kinds.join(', ')}; ${formatCount(report.unanswered)} messages unanswered`,
    ])
  }
  return rows.map(([name, text]) => `${name.padEnd(9)} ${text}`).join('\n')
}

function promiseText({ delivered, unpromised, unknown }: GenReport): string {
  const parts: string[] = []
  if (delivered > 0 || unpromised === 0) parts.push(`${formatCount(delivered)} deliveries`)
  if (unpromised > 0) {
    parts.push(`${formatCount(unpromised)} messages of which the server did not say to how many`)
  }
  if (unknown > 0) {
    parts.push(`${formatCount(unknown)} deliveries that the server did not know to be made`)
  }
  return parts.join('; and ')
}
