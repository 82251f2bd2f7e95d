// A case of `bun run bench`: its figures with their targets, and one run of it. Here cases are run,
// and what they measured becomes a table for people and JSON for programs.

import type { Conditions } from './machine.ts'
import { isMet, type Spread, spreadOf, type Target } from './report.ts'
import { alignedTable, formatMachine, formatMet, formatNumber, formatTarget } from './table.ts'

export interface FigureSpec {
  /** For people. Two blanks in front: it belongs to the figure before it. */
  readonly title: string
  readonly unit: string
  /** Digits after the point that are worth reading. */
  readonly digits: number
  readonly target?: Target
}

export interface Case<Figure extends string = string> {
  readonly name: string
  readonly figures: Readonly<Record<Figure, FigureSpec>>
  /** Counted runs at least, where more runs than asked for cost little. */
  readonly runsMin?: number
  /** False where a run that is not counted would change nothing for those that are. */
  readonly warmsUp?: boolean
  /** Prepares what all runs share, or says why this machine cannot run the case. */
  open(): Promise<Session<Figure> | { readonly impossible: string }>
}

export interface Session<Figure extends string = string> extends AsyncDisposable {
  /** One run: each figure once. It throws when what was measured was not correct. */
  run(): Promise<Record<Figure, number>>
}

/** For a case whose runs share nothing. */
export const nothingToClose = { [Symbol.asyncDispose]: () => Promise.resolve() }

/** What became of one case: its counted runs, or why it has none. */
export type Outcome =
  | { readonly case: Case; readonly runs: readonly Readonly<Record<string, number>>[] }
  /** Not possible on this machine, or tried and failed. */
  | { readonly case: Case; readonly why: string; readonly failed: boolean }

/** One run to warm up, then the counted ones. A failure does not take other cases with it. */
export async function measure(
  of: Case,
  runsWanted: number,
  log: (line: string) => void,
): Promise<Outcome> {
  try {
    const session = await of.open()
    if ('impossible' in session) return { case: of, why: session.impossible, failed: false }
    await using _ = session
    if (of.warmsUp !== false) {
      log(`${of.name}: warm-up`)
      await session.run()
    }
    const runs: Record<string, number>[] = []
    for (const all = Math.max(runsWanted, of.runsMin ?? 0); runs.length < all; ) {
      runs.push(await session.run())
      log(`${of.name}: ${runs.length}/${all} ${JSON.stringify(runs.at(-1))}`)
    }
    return { case: of, runs }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    return { case: of, why, failed: true }
  }
}

/** A figure over all counted runs. The median is what must meet the target. */
interface Series extends Spread {
  readonly case: string
  readonly figure: string
  readonly spec: FigureSpec
  readonly runs: readonly number[]
  readonly target: Target | null
  readonly met: boolean | null
}

function seriesOf(outcome: Outcome): Series[] {
  if ('why' in outcome) return []
  return Object.entries(outcome.case.figures).map(([figure, spec]) => {
    const runs = outcome.runs.map((run) => run[figure] ?? Number.NaN)
    const { median, min, max } = spreadOf(runs) ?? { median: NaN, min: NaN, max: NaN }
    const target = spec.target ?? null
    const met = isMet(median, target)
    return { case: outcome.case.name, figure, spec, median, min, max, runs, target, met }
  })
}

/** Did a case fail, or a figure miss its target? */
export function isMissed(outcome: Outcome): boolean {
  return 'why' in outcome ? outcome.failed : seriesOf(outcome).some(({ met }) => met === false)
}

/** For programs: its fields are stable. `missing` has the cases without figures. */
export function casesReport({ date, ...conditions }: Conditions, outcomes: readonly Outcome[]) {
  return {
    schema: 1,
    date: date.toISOString(),
    ...conditions,
    figures: outcomes.flatMap(seriesOf).map(({ spec: { title, unit, digits }, ...series }) => {
      // One digit more than is shown, so that rounding cannot decide about a target.
      const round = (value: number) => Number(value.toFixed(digits + 1))
      return {
        case: series.case,
        figure: series.figure,
        title: title.trim(),
        unit,
        median: round(series.median),
        min: round(series.min),
        max: round(series.max),
        runs: series.runs.map(round),
        target: series.target,
        met: series.met,
      }
    }),
    missing: outcomes.flatMap((of) => ('why' in of ? [{ case: of.case.name, why: of.why }] : [])),
  }
}

/** A line a figure, then a line a case without figures, then what they were measured on. */
export function casesTable(conditions: Conditions, outcomes: readonly Outcome[]): string {
  const rows = outcomes.flatMap(seriesOf).map(({ spec, median, min, max, runs, target, met }) => {
    const shown = [median, min, max].map((value) => formatNumber(value, spec.digits))
    return [
      ...[spec.title, spec.unit, ...shown, String(runs.length)],
      ...[formatTarget(target), formatMet(met)],
    ]
  })
  const head = ['figure', 'unit', 'median', 'min', 'max', 'runs', 'target', '']
  const missing = outcomes.flatMap((of) =>
    'why' in of ? [`${of.case.name}: no figure: ${of.why}`] : [],
  )
  const { machine, versions, date, command } = conditions
  return [
    alignedTable([head, ...rows], new Set([2, 3, 4, 5])),
    ...missing,
    '',
    `${formatMachine(machine)}, ${machine.openFilesLimit} open files`,
    `${versions.comet}, bun ${versions.bun}${versions.cc === null ? '' : `, ${versions.cc}`}`,
    `${date.toISOString()}, repeat with: ${command}`,
  ].join('\n')
}
