// What was measured, as a table for people and as JSON for programs. The schema is the one source
// for the JSON's fields; they are stable.

import { type Static, Type } from '@sinclair/typebox'
import { formatBytes } from '../../src/core/units.ts'
import { isMet, median, type Series, type Target } from './case.ts'
import type { Machine, Versions } from './machine.ts'

const Figure = Type.Object({
  case: Type.String(),
  figure: Type.String({ description: 'The name within the case; stable.' }),
  title: Type.String({ description: 'For people; may change.' }),
  unit: Type.String(),
  median: Type.Number(),
  min: Type.Number(),
  max: Type.Number(),
  runs: Type.Array(Type.Number(), { description: 'Every counted run, in order.' }),
  target: Type.Union([
    Type.Object({ atMost: Type.Number() }),
    Type.Object({ atLeast: Type.Number() }),
    Type.Null(),
  ]),
  met: Type.Union([Type.Boolean(), Type.Null()], { description: 'Null without a target.' }),
})
type Figure = Static<typeof Figure>

export const BenchReport = Type.Object({
  schema: Type.Literal(1),
  date: Type.String({ description: 'When the run began, ISO 8601.' }),
  command: Type.String({ description: 'How to repeat it, at the commit of `versions.comet`.' }),
  machine: Type.Object({
    processor: Type.String(),
    cores: Type.Integer(),
    memoryBytes: Type.Integer(),
    kernel: Type.String(),
    openFilesLimit: Type.Integer(),
  }),
  versions: Type.Object({
    comet: Type.String(),
    bun: Type.String(),
    cc: Type.Union([Type.String(), Type.Null()]),
  }),
  figures: Type.Array(Figure),
  missing: Type.Array(Type.Object({ case: Type.String(), why: Type.String() }), {
    description: 'Cases without figures: not possible on this machine, or failed.',
  }),
})
export type BenchReport = Static<typeof BenchReport>

/** What became of one case. */
export type Outcome =
  | { readonly name: string; readonly series: Readonly<Record<string, Series>> }
  /** Not possible on this machine, or tried and failed. */
  | { readonly name: string; readonly why: string; readonly failed: boolean }

export interface Conditions {
  readonly date: Date
  readonly command: string
  readonly machine: Machine
  readonly versions: Versions
}

export function benchReport(conditions: Conditions, outcomes: readonly Outcome[]): BenchReport {
  const { date, command, machine, versions } = conditions
  return {
    schema: 1,
    date: date.toISOString(),
    command,
    machine: { ...machine },
    versions: { ...versions },
    figures: outcomes.flatMap((outcome) =>
      'series' in outcome
        ? Object.entries(outcome.series).map(([figure, of]) => figureOf(outcome.name, figure, of))
        : [],
    ),
    missing: outcomes.flatMap((outcome) =>
      'why' in outcome ? [{ case: outcome.name, why: outcome.why }] : [],
    ),
  }
}

function figureOf(name: string, figure: string, series: Series): Figure {
  const { title, unit, digits, target } = series.spec
  // One digit more than is shown, so that rounding cannot decide about a target.
  const round = (value: number) => Number(value.toFixed(digits + 1))
  return {
    case: name,
    figure,
    title: title.trim(),
    unit,
    median: round(median(series.values)),
    min: round(Math.min(...series.values)),
    max: round(Math.max(...series.values)),
    runs: series.values.map(round),
    target: target === undefined ? null : { ...target },
    met: isMet(series),
  }
}

/** Every case is one block: its figures, or why there are none. */
export function benchTable(outcomes: readonly Outcome[]): string {
  const rows = [['figure', 'unit', 'median', 'min', 'max', 'runs', 'target', '']]
  for (const outcome of outcomes) {
    if ('why' in outcome) continue
    for (const series of Object.values(outcome.series)) rows.push(rowOf(series))
  }
  const widths = rows[0]?.map((_, at) => Math.max(...rows.map((row) => (row[at] ?? '').length)))
  const lines = rows.map((row) =>
    row
      .map((text, at) => {
        const width = widths?.[at] ?? 0
        const isNumber = at >= 2 && at <= 5
        return isNumber ? text.padStart(width) : text.padEnd(width)
      })
      .join('  ')
      .trimEnd(),
  )
  const missing = outcomes.flatMap((of) =>
    'why' in of ? [`${of.name}: no figure: ${of.why}`] : [],
  )
  return [...lines, ...missing].join('\n')
}

function rowOf({ spec, values }: Series): string[] {
  const { title, unit, digits, target } = spec
  const format = (value: number) =>
    value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
  const met = isMet({ spec, values })
  return [
    title,
    unit,
    format(median(values)),
    format(Math.min(...values)),
    format(Math.max(...values)),
    String(values.length),
    target === undefined ? '' : formatTarget(target),
    met === null ? '' : met ? 'met' : 'NOT MET',
  ]
}

function formatTarget(target: Target): string {
  return 'atMost' in target
    ? `at most ${target.atMost.toLocaleString('en-US')}`
    : `at least ${target.atLeast.toLocaleString('en-US')}`
}

/** The lines under the table: what it was measured on and how to repeat it. */
export function benchConditions({ date, command, machine, versions }: Conditions): string {
  const cc = versions.cc === null ? '' : `, ${versions.cc}`
  return [
    `${machine.processor}, ${machine.cores} cores, ${formatBytes(machine.memoryBytes)}, ` +
      `${machine.kernel}, ${machine.openFilesLimit} open files`,
    `${versions.comet}, bun ${versions.bun}${cc}`,
    `${date.toISOString()}, repeat with: ${command}`,
  ].join('\n')
}
