// The report of `comet gen`, as JSON and as text. The names of the JSON's fields are stable.

import { type Static, Type } from '@sinclair/typebox'
import { formatCount, formatQuantity } from '../core/units.ts'
import type { GenTally } from './sender.ts'

const Count = Type.Integer({ minimum: 0 })

export const GenReport = Type.Object(
  {
    sent: Type.Integer({ description: 'Messages that the server answered.' }),
    rejected: Type.Integer({ description: 'Messages that it rejected, included in sent.' }),
    delivered: Type.Integer({ description: 'Deliveries that the server promised.' }),
    unpromised: Type.Integer({
      minimum: 0,
      description: 'Messages accepted without a number of deliveries.',
    }),
    unknown: Type.Integer({
      minimum: 0,
      description: 'Deliveries of which the server did not know whether they were made.',
    }),
    perSecond: Type.Number({ description: 'Messages sent a second.' }),
    seconds: Type.Number(),
    wantedPerSecond: Type.Number({ description: 'The rate that was requested.' }),
    unanswered: Type.Integer({ description: 'Messages whose request got no answer.' }),
    retried: Type.Integer({ description: 'Requests that were sent again by their keys.' }),
    repeated: Type.Integer({ description: 'Messages that were sent once more by their keys.' }),
    errors: Type.Record(Type.String(), Count, { description: 'Failed requests, by kind.' }),
    generators: Type.Object(
      { first: Count, count: Count },
      { description: 'As numbered in the stamps: the first, and how many.' },
    ),
  },
  { $id: 'GenReport' },
)
export type GenReport = Static<typeof GenReport>

export function genReport(tally: GenTally): GenReport {
  const { scheduled, plannedSeconds, seconds, ...counts } = tally
  return {
    ...counts,
    perSecond: rate(tally.sent, seconds),
    seconds: Math.round(seconds * 1000) / 1000,
    wantedPerSecond: rate(scheduled, plannedSeconds),
  }
}

function rate(count: number, seconds: number): number {
  return seconds > 0 ? Math.round((count * 10) / seconds) / 10 : 0
}

/** The rate counts as kept within 1 %. */
const KEPT_RATIO = 0.99

export function keptRate({ perSecond, wantedPerSecond }: GenReport): boolean {
  return perSecond >= wantedPerSecond * KEPT_RATIO
}

/**
 * How far the generator fell short of its rate, in one sentence; null if it kept it.
 *
 * @param remedy the options that may help, if the server is not the bottleneck
 */
export function shortfall(report: GenReport, remedy = '--batch or --publishers'): string | null {
  if (keptRate(report)) return null
  const { perSecond, wantedPerSecond, unanswered } = report
  const percent = ((perSecond / wantedPerSecond) * 100).toFixed(1)
  const advice =
    unanswered > 0 ? 'Requests failed, see the errors.' : `Increase ${remedy}, or reduce the rate.`
  return (
    `The rate was not kept: ${formatCount(perSecond)} of ${formatQuantity(wantedPerSecond, 'message')} ` +
    `a second (${percent} %). ${advice}`
  )
}

/** Where messages were sent. */
export interface Destination {
  readonly url: string
  /** Was a token sent? Null for servers without tokens. */
  readonly hasToken: boolean | null
}

/** Why no message was answered, if the user can do something about it; else null. */
export function whyUnanswered(
  { sent, errors }: GenReport,
  { url, hasToken }: Destination,
): string | null {
  if (sent > 0) return null
  if (errors['refused'] !== undefined) return `nothing listens at ${url}`
  if (errors['status_401'] === undefined || hasToken === null) return null
  return hasToken
    ? `${url} rejects the token of --control-token-file`
    : `${url} asks for a token: --control-token-file`
}

/** The summary for people. */
export function genSummary(report: GenReport): string {
  const { sent, seconds, perSecond, wantedPerSecond, rejected, errors, unanswered } = report
  const kinds = Object.entries(errors).map(([kind, count]) => `${kind} ${formatCount(count)}`)
  const rows = [
    `sent      ${formatQuantity(sent, 'message')} in ${seconds.toFixed(1)} s, ` +
      `${formatCount(perSecond)}/s of ${formatCount(wantedPerSecond)}/s wanted`,
    `promised  ${promiseText(report)}`,
    `rejected  ${formatCount(rejected)}`,
  ]
  if (report.retried + report.repeated > 0) {
    rows.push(
      `by key    ${formatQuantity(report.retried, 'request')} retried, ` +
        `${formatQuantity(report.repeated, 'message')} repeated`,
    )
  }
  if (kinds.length > 0) {
    rows.push(`errors    ${kinds.join(', ')}; ${formatQuantity(unanswered, 'message')} unanswered`)
  }
  return rows.join('\n')
}

function promiseText({ delivered, unpromised, unknown }: GenReport): string {
  const parts: string[] = []
  if (delivered > 0 || unpromised === 0)
    parts.push(formatQuantity(delivered, 'delivery', 'deliveries'))
  if (unpromised > 0) {
    parts.push(`${formatQuantity(unpromised, 'message')} without a number of deliveries`)
  }
  if (unknown > 0) {
    parts.push(`${formatQuantity(unknown, 'delivery', 'deliveries')} with unknown outcome`)
  }
  return parts.join('; ')
}
