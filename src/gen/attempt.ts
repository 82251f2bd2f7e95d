// One attempt of the search for the highest rate: a run of the generator, the wait for what it was
// promised, and the judgement. How messages arrive it is told; it opens no stream.

import { type Static, Type } from '@sinclair/typebox'
import type { Clock } from '../core/clock.ts'
import { judge, judgementText, measurePercentiles, type Objective } from '../core/objective.ts'
import { findLimits } from '../core/tool-limits.ts'
import { formatCount } from '../core/units.ts'
import { type GenReport, genReport, keptItsRate } from './gen-report.ts'
import type { Gen } from './sender.ts'

const Count = Type.Integer({ minimum: 0 })
const Ms = Type.Union([Type.Number(), Type.Null()])
const Checked = Type.Union([Count, Type.Null()], {
  description: 'null if not all messages could be checked for it.',
})

const Latency = Type.Object({ p50Ms: Ms, p90Ms: Ms, p99Ms: Ms, p999Ms: Ms, maxMs: Ms })
/** From the moment messages were due to their arrival; null if none arrived. */
export type Latency = Static<typeof Latency>

export const FindAttempt = Type.Object({
  rate: Type.Integer({ minimum: 1, description: 'Messages a second that were wanted.' }),
  held: Type.Boolean(),
  why: Type.Union([Type.String(), Type.Null()], { description: 'Why it did not hold.' }),
  perSecond: Type.Number({ description: 'Messages sent a second.' }),
  metrics: Type.Composite([
    Latency,
    Type.Object({
      lost: Type.Integer({
        minimum: 0,
        description:
          'Promised and not received. A message whose server promises nothing is to arrive once.',
      }),
      duplicated: Checked,
      reordered: Checked,
      rejected: Count,
      unanswered: Count,
    }),
  ]),
})
export type FindAttempt = Static<typeof FindAttempt>

/** Counts of what has arrived. */
export interface Arrived {
  readonly messages: number
  readonly duplicated: number
  readonly reordered: number
  /** Could not be checked for either. */
  readonly untracked: number
  /** Streams that the server has ended. */
  readonly closed: number
}

/** Where messages arrive. */
export interface ReceivingEnd {
  /** Totals so far; they may be a second old. */
  arrived(): Arrived
  /** Of what has arrived since the last call. */
  takeLatency(): TimedLatency
}

export interface TimedLatency {
  readonly figures: Latency
  /** In milliseconds, of a percentile; null if none arrived. */
  percentile(percentile: number): number | null
}

/** Waits so many milliseconds. */
export type Pause = (ms: number) => Promise<void>

/** What came of one run of the generator. */
export interface Outcome {
  readonly rate: number
  readonly report: GenReport
  /** Since the run began. */
  readonly arrived: Arrived
  readonly latency: TimedLatency
}

/**
 * Sees a run of the generator to its end, and to what arrives.
 *
 * @param begin starts the generator
 */
export async function outcomeOf(
  rate: number,
  begin: () => Gen,
  receiving: ReceivingEnd,
  clock: Clock,
  pause: Pause,
): Promise<Outcome> {
  const before = receiving.arrived()
  // What came before is not of this attempt.
  receiving.takeLatency()
  const report = genReport(await begin().finished)
  await stillness(receiving, before.messages + promised(report), clock, pause)
  const after = receiving.arrived()
  const arrived: Arrived = {
    messages: after.messages - before.messages,
    duplicated: after.duplicated - before.duplicated,
    reordered: after.reordered - before.reordered,
    untracked: after.untracked - before.untracked,
    closed: after.closed - before.closed,
  }
  return { rate, report, arrived, latency: receiving.takeLatency() }
}

/** Waits until nothing comes any more: not long if all has arrived, which shows what came twice. */
async function stillness(
  receiving: ReceivingEnd,
  expected: number,
  clock: Clock,
  pause: Pause,
): Promise<void> {
  const { lookEveryMs, stillMs, stillMissingMs, arriveMsMax } = findLimits
  const startedMs = clock.elapsedMs()
  let newestMs = startedMs
  let messages = receiving.arrived().messages
  for (;;) {
    await pause(lookEveryMs)
    const nowMs = clock.elapsedMs()
    const seen = receiving.arrived().messages
    if (seen !== messages) newestMs = nowMs
    messages = seen
    const enoughMs = messages >= expected ? stillMs : stillMissingMs
    if (nowMs - newestMs >= enoughMs || nowMs - startedMs >= arriveMsMax) return
  }
}

/**
 * Where nobody promises anything each message is for the one stream of its user. And what the server does
 * not know, arrives or is lost.
 */
function promised({ delivered, unpromised, unknown }: GenReport): number {
  return delivered + unpromised + unknown
}

/** Holds an outcome against the objectives; a rate that was not kept never holds. */
export function attemptOf(outcome: Outcome, objectives: readonly Objective[]): FindAttempt {
  const { rate, report, arrived, latency } = outcome
  const isChecked = arrived.untracked === 0
  const metrics = {
    ...latency.figures,
    lost: Math.max(0, promised(report) - (arrived.messages - arrived.duplicated)),
    duplicated: isChecked ? arrived.duplicated : null,
    reordered: isChecked ? arrived.reordered : null,
    rejected: report.rejected,
    unanswered: report.unanswered,
  }
  const { p50Ms, p90Ms, p99Ms, p999Ms, maxMs, ...counts } = metrics
  const measured = {
    ...measurePercentiles(objectives, ({ percentile }) => latency.percentile(percentile)),
    ...{ p50: p50Ms, p90: p90Ms, p99: p99Ms, 'p99.9': p999Ms, max: maxMs, ...counts },
  }
  const reasons = judge(objectives, measured)
    .filter(({ met }) => !met)
    .map(judgementText)
  if (!keptItsRate(report)) {
    reasons.unshift(`the rate was not kept: ${formatCount(report.perSecond)} messages a second`)
  }
  if (arrived.closed > 0) {
    reasons.push(`the server ended ${formatCount(arrived.closed)} streams`)
  }
  const held = reasons.length === 0
  return { rate, held, why: held ? null : reasons.join('; '), perSecond: report.perSecond, metrics }
}
