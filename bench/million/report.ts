// The result of a run, for programs. The schema is the one source for the JSON's fields; they are
// stable, and the pages and pictures are drawn from nothing else.

import { type Static, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import type { Machine } from '../harness/machine.ts'
import type { CheckItem } from './check.ts'
import { columnsOf, downsample } from './downsample.ts'
import { isFigureMet } from './figure.ts'
import { figuresOf, type Measured } from './figures.ts'
import type { Flow } from './record.ts'
import type { Sample } from './sample.ts'

const Nullable = Type.Union([Type.Number(), Type.Null()])

const ReportFigure = Type.Object({
  figure: Type.String({ description: 'Stable.' }),
  title: Type.String({ description: 'For people; may change.' }),
  isDetail: Type.Boolean({ description: 'It belongs to the figure before it.' }),
  unit: Type.String(),
  digits: Type.Integer({ description: 'Digits after the point that are worth reading.' }),
  value: Type.Union([Type.Number(), Type.Null()], { description: 'Null if it was not reached.' }),
  target: Type.Union([
    Type.Object({ atMost: Type.Number() }),
    Type.Object({ atLeast: Type.Number() }),
    Type.Null(),
  ]),
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
  p99Ms: Nullable,
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
  { description: 'All streams held before the first message; results of before have none.' },
)

export const MillionReport = Type.Object({
  schema: Type.Literal(1),
  date: Type.String({ description: 'When the run began, ISO 8601.' }),
  command: Type.String({ description: 'How to repeat it, at the commit of `versions.comet`.' }),
  connections: Type.Integer(),
  machine: Type.Object({
    processor: Type.String(),
    cores: Type.Integer(),
    memoryBytes: Type.Integer(),
    kernel: Type.String(),
    openFilesLimit: Type.Integer(),
  }),
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
  samples: Type.Record(Type.String(), Type.Array(Nullable), {
    description: 'One list a figure: totals, means of the time since the last, slowest latency.',
  }),
})
export type MillionReport = Static<typeof MillionReport>

export interface Conditions {
  readonly date: Date
  readonly command: string
  readonly machine: Machine
  readonly settings: Readonly<Record<string, string>>
  readonly versions: { readonly comet: string; readonly bun: string }
  readonly check: readonly CheckItem[]
}

/** Samples kept of the opening, and of all that comes after it. */
const SAMPLES_OPENING = 240
const SAMPLES_AFTER = 420

export function millionReport(conditions: Conditions, measured: Measured): MillionReport {
  const { record, samples, connections } = measured
  const figures = figuresOf(measured).map((of) => ({
    ...of,
    title: of.title.trim(),
    isDetail: of.title.startsWith(' '),
    // One digit more than is shown, so that rounding cannot decide about a target.
    value: of.value === null ? null : Number(of.value.toFixed(of.digits + 1)),
    target: of.target === null ? null : { ...of.target },
    met: isFigureMet(of),
  }))
  return {
    schema: 1,
    date: conditions.date.toISOString(),
    command: conditions.command,
    connections,
    machine: { ...conditions.machine },
    settings: { ...conditions.settings },
    versions: { ...conditions.versions },
    check: conditions.check.map((item) => ({ ...item })),
    ok: record.failure === null && figures.every(({ met }) => met !== false),
    failure: record.failure,
    pageCacheDropped: record.cacheDropped,
    figures,
    ...silenceOf(record),
    attempts: [...record.subjectSearch, ...record.toSearch].map(attemptOf),
    phases: record.phases.map(({ name, fromSeconds, toSeconds }) => ({
      name,
      fromSeconds: tenths(fromSeconds),
      toSeconds: tenths(toSeconds),
    })),
    samples: columnsOf(kept(samples, record.phases)),
  }
}

/** Opening is what the pictures are about, so it keeps more of its seconds than the long rest. */
function kept(samples: readonly Sample[], phases: Measured['record']['phases']): Sample[] {
  const openUntil = phases.find(({ name }) => name === 'open')?.toSeconds ?? 0
  const opening = samples.filter(({ seconds }) => seconds <= openUntil)
  const after = samples.filter(({ seconds }) => seconds > openUntil)
  return [...downsample(opening, SAMPLES_OPENING), ...downsample(after, SAMPLES_AFTER)]
}

function attemptOf(flow: Flow): ReportAttempt {
  const { address, rate, gen, received, latency, held, why } = flow
  return {
    address,
    messagesWantedPerSecond: rate,
    messagesPerSecond: gen.perSecond,
    deliveriesPerSecond: Math.round(flow.deliveriesPerSecond),
    promised: gen.delivered,
    received,
    p99Ms: latency.p99Ms,
    held,
    why,
  }
}

function silenceOf({ silence }: Measured['record']): Pick<MillionReport, 'silence'> {
  if (silence === null) return {}
  const { seconds, openBefore, openAfter, closed } = silence
  return { silence: { seconds: tenths(seconds), openBefore, openAfter, closed: { ...closed } } }
}

function tenths(seconds: number): number {
  return Math.round(seconds * 10) / 10
}

/** A report as it was written; undefined if it is none, or of another schema. */
export async function readReport(path: string): Promise<MillionReport | undefined> {
  try {
    const value: unknown = await Bun.file(path).json()
    return Value.Check(MillionReport, value) ? value : undefined
  } catch {
    // No JSON: half-written, or somebody else's file.
    return undefined
  }
}

/** The value of a figure, by its stable name. */
export function figureValue({ figures }: MillionReport, name: string): number | null {
  return figures.find(({ figure }) => figure === name)?.value ?? null
}
