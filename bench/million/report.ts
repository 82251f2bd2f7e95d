// The result of a run for programs. The schema is the one source for the fields of the JSON; they
// are stable, and pages and pictures are drawn from nothing else.

import { type Static, Type } from '@sinclair/typebox'
import type { Conditions } from '../harness/machine.ts'
import { isMet, NumberOrNull, ReportHead, Target } from '../harness/report.ts'
import type { CheckItem } from './check.ts'
import { figuresOf, type Measured } from './figures.ts'
import { sampleColumns } from './sampler.ts'

const ReportFigure = Type.Object({
  figure: Type.String({ description: 'Stable.' }),
  title: Type.String({ description: 'For people; may change.' }),
  isDetail: Type.Boolean({ description: 'It belongs to the figure before it.' }),
  unit: Type.String(),
  digits: Type.Integer({ description: 'Digits after the point that are worth reading.' }),
  value: Type.Union([Type.Number(), Type.Null()], { description: 'Null if it was not reached.' }),
  target: Type.Union([Target, Type.Null()]),
  met: Type.Union([Type.Boolean(), Type.Null()], { description: 'Null without a target.' }),
})
export type ReportFigure = Static<typeof ReportFigure>

const ReportAttempt = Type.Object({
  address: Type.Union([Type.Literal('to'), Type.Literal('subject')]),
  messagesWantedPerSecond: Type.Number(),
  messagesPerSecond: Type.Number(),
  deliveriesPerSecond: Type.Number(),
  promised: Type.Integer(),
  received: Type.Integer(),
  p99Ms: NumberOrNull,
  held: Type.Boolean(),
  why: Type.Union([Type.String(), Type.Null()], { description: 'Why it did not hold.' }),
})
export type ReportAttempt = Static<typeof ReportAttempt>

const ReportSilence = Type.Object(
  {
    seconds: Type.Number(),
    openBefore: Type.Integer(),
    openAfter: Type.Integer(),
    closed: Type.Record(Type.String(), Type.Integer(), {
      description: 'Streams that ended meanwhile, by the reason that /stats has for it.',
    }),
  },
  { description: 'All streams held before the first message; early results have none.' },
)

export const MillionReport = Type.Object({
  ...ReportHead,
  connections: Type.Integer(),
  settings: Type.Record(Type.String(), Type.String(), { description: 'Of the kernel.' }),
  versions: Type.Object({ comet: Type.String(), bun: Type.String() }),
  check: Type.Array(
    Type.Object({
      name: Type.String(),
      found: Type.String(),
      wanted: Type.String(),
      why: Type.String(),
      ok: Type.Boolean(),
    }),
  ),
  ok: Type.Boolean({ description: 'It ran to its end, and every target was met.' }),
  failure: Type.Union([Type.String(), Type.Null()], { description: 'Why it broke off.' }),
  pageCacheDropped: Type.Boolean({
    description:
      'Before the start and once the server listens, so that it counts only what grew since.',
  }),
  figures: Type.Array(ReportFigure),
  silence: Type.Optional(ReportSilence),
  attempts: Type.Array(ReportAttempt, { description: 'Of the searches, in order.' }),
  phases: Type.Array(
    Type.Object({ name: Type.String(), fromSeconds: Type.Number(), toSeconds: Type.Number() }),
  ),
  samples: Type.Record(Type.String(), Type.Array(NumberOrNull), {
    description: 'One list a figure: totals, means of the time since the last, slowest latency.',
  }),
})
export type MillionReport = Static<typeof MillionReport>

export interface MillionConditions extends Conditions {
  readonly settings: Readonly<Record<string, string>>
  readonly check: readonly CheckItem[]
}

export function millionReport(conditions: MillionConditions, measured: Measured): MillionReport {
  const { record, samples, connections } = measured
  const { date, command, machine, settings, versions, check } = conditions
  const figures = figuresOf(measured).map((of) => ({
    ...of,
    title: of.title.trim(),
    isDetail: of.title.startsWith(' '),
    // One digit more than is shown, so that rounding cannot decide about a target.
    value: of.value === null ? null : Number(of.value.toFixed(of.digits + 1)),
    met: isMet(of.value, of.target),
  }))
  const { silence, phases } = record
  return {
    schema: 1,
    date: date.toISOString(),
    ...{ command, connections, machine, settings },
    versions: { comet: versions.comet, bun: versions.bun },
    check: [...check],
    ok: record.failure === null && figures.every(({ met }) => met !== false),
    failure: record.failure,
    pageCacheDropped: record.cacheDropped,
    figures,
    ...(silence === null ? {} : { silence: silenceOf(silence) }),
    attempts: [...record.subjectSearch, ...record.toSearch].map(attemptOf),
    phases: phases.map(({ name, fromSeconds, toSeconds }) => {
      return { name, fromSeconds: tenths(fromSeconds), toSeconds: tenths(toSeconds) }
    }),
    samples: sampleColumns(samples, phases),
  }
}

function attemptOf(flow: Measured['record']['subjectSearch'][number]): ReportAttempt {
  const { address, rate, gen, received, latency, held, why } = flow
  return {
    address,
    messagesWantedPerSecond: rate,
    messagesPerSecond: gen.perSecond,
    deliveriesPerSecond: Math.round(flow.deliveriesPerSecond),
    promised: gen.delivered,
    ...{ received, p99Ms: latency.p99Ms, held, why },
  }
}

function silenceOf(silence: NonNullable<Measured['record']['silence']>) {
  const { seconds, openBefore, openAfter, closed } = silence
  return { seconds: tenths(seconds), openBefore, openAfter, closed: { ...closed } }
}

function tenths(seconds: number): number {
  return Math.round(seconds * 10) / 10
}

/** The value of a figure, by its stable name. */
export function figureValue({ figures }: MillionReport, name: string): number | null {
  return figures.find(({ figure }) => figure === name)?.value ?? null
}
