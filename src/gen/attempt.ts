// One attempt of the search for the highest rate: it runs the generators, waits for the messages to
// arrive, and judges.

import { type Static, Type } from '@sinclair/typebox'
import type { Clock } from '../core/clock.ts'
import { judge, judgementText, measurePercentiles, type Objective } from '../core/objective.ts'
import { findLimits } from '../core/tool-limits.ts'
import { formatQuantity } from '../core/units.ts'
import { type GenReport, genReport, keptRate } from './gen-report.ts'
import type { GenRun } from './sender.ts'

const Count = Type.Integer({ minimum: 0 })
/** From when messages were due to when they arrived; null if none arrived. */
const Ms = Type.Union([Type.Number(), Type.Null()])
const Checked = Type.Union([Count, Type.Null()], {
  description: 'null if not all messages could be checked for it.',
})

export const FindAttempt = Type.Object({
  rate: Type.Integer({ minimum: 1, description: 'Messages a second that were wanted.' }),
  held: Type.Boolean(),
  why: Type.Union([Type.String(), Type.Null()], { description: 'Why it did not hold.' }),
  perSecond: Type.Number({ description: 'Messages sent a second.' }),
  metrics: Type.Object({
    ...{ p50Ms: Ms, p90Ms: Ms, p99Ms: Ms, p999Ms: Ms, maxMs: Ms },
    lost: Type.Integer({
      minimum: 0,
      description:
        'Promised and not received; a message without a number of deliveries is expected once.',
    }),
    ...{ duplicated: Checked, reordered: Checked, rejected: Count, unanswered: Count },
  }),
})
export type FindAttempt = Static<typeof FindAttempt>

/** Counts of what has arrived. */
export interface Arrived {
  readonly messages: number
  readonly duplicated: number
  readonly reordered: number
  /** Messages that could not be checked for either. */
  readonly untracked: number
  /** Streams that the server has closed. */
  readonly closed: number
}

/** Percentiles of the latency, in milliseconds; null if nothing arrived. */
export type LatencyMs = (percentile: number) => number | null

/** The streams where messages arrive. */
export interface Receiver {
  /** Totals so far; they may be a second old. */
  arrived(): Arrived
  /** The latency of what has arrived since the last call. */
  takeLatency(): LatencyMs
}

/** Waits for a number of milliseconds. */
export type Pause = (ms: number) => Promise<void>

/** The outcome of one run of the generators. */
export interface AttemptOutcome {
  readonly rate: number
  readonly report: GenReport
  /** Since the run began. */
  readonly arrived: Arrived
  readonly latency: LatencyMs
}

/** Runs the generators, and waits until their messages have arrived. */
export async function outcomeOf(
  rate: number,
  begin: () => GenRun,
  receiver: Receiver,
  clock: Clock,
  pause: Pause,
): Promise<AttemptOutcome> {
  const before = receiver.arrived()
  // Discards the latency from before this attempt.
  receiver.takeLatency()
  const report = genReport(await begin().finished)
  await arrival(receiver, before.messages + expectedOf(report), clock, pause)
  const after = receiver.arrived()
  const arrived: Arrived = {
    messages: after.messages - before.messages,
    duplicated: after.duplicated - before.duplicated,
    reordered: after.reordered - before.reordered,
    untracked: after.untracked - before.untracked,
    closed: after.closed - before.closed,
  }
  return { rate, report, arrived, latency: receiver.takeLatency() }
}

/** Waits until no more messages arrive; once all have, only long enough to see duplicates. */
async function arrival(
  receiver: Receiver,
  expected: number,
  clock: Clock,
  pause: Pause,
): Promise<void> {
  const { lookEveryMs, stillMs, stillMissingMs, arriveMsMax } = findLimits
  const startedMs = clock.elapsedMs()
  let newestMs = startedMs
  let messages = receiver.arrived().messages
  for (;;) {
    await pause(lookEveryMs)
    const nowMs = clock.elapsedMs()
    const seen = receiver.arrived().messages
    if (seen !== messages) newestMs = nowMs
    messages = seen
    const enoughMs = messages >= expected ? stillMs : stillMissingMs
    if (nowMs - newestMs >= enoughMs || nowMs - startedMs >= arriveMsMax) return
  }
}

/**
 * Without a number of deliveries each message is for the one stream of its user. Deliveries with
 * unknown outcome are expected too: they arrive or are lost.
 */
function expectedOf({ delivered, unpromised, unknown }: GenReport): number {
  return delivered + unpromised + unknown
}

/** Judges an outcome by the objectives; a rate that was not kept never holds. */
export function attemptOf(
  { rate, report, arrived, latency }: AttemptOutcome,
  objectives: readonly Objective[],
): FindAttempt {
  const { perSecond, rejected, unanswered } = report
  const isChecked = arrived.untracked === 0
  const counts = {
    lost: Math.max(0, expectedOf(report) - (arrived.messages - arrived.duplicated)),
    duplicated: isChecked ? arrived.duplicated : null,
    reordered: isChecked ? arrived.reordered : null,
    rejected,
    unanswered,
  }
  const measured = {
    ...measurePercentiles(objectives, ({ percentile }) => latency(percentile)),
    ...{ max: latency(100), ...counts },
  }
  const unmet = judge(objectives, measured).filter(({ met }) => !met)
  const reasons = unmet.map(judgementText)
  if (!keptRate(report)) {
    reasons.unshift(`the rate was not kept: ${formatQuantity(perSecond, 'message')} a second`)
  }
  if (arrived.closed > 0) {
    reasons.push(`the server closed ${formatQuantity(arrived.closed, 'stream')}`)
  }
  const held = reasons.length === 0
  const metrics = {
    ...{ p50Ms: latency(50), p90Ms: latency(90), p99Ms: latency(99), p999Ms: latency(99.9) },
    maxMs: latency(100),
    ...counts,
  }
  return { rate, held, why: held ? null : reasons.join('; '), perSecond, metrics }
}
