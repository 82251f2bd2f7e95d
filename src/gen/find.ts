// The search for the highest rate that holds, from its first attempt to its report. What an attempt
// is, it is told.

import { type Static, Type } from '@sinclair/typebox'
import { findLimits } from '../core/tool-limits.ts'
import { formatCount, formatMs } from '../core/units.ts'
import { FindAttempt } from './attempt.ts'
import { highestHeld, nextRate, type SearchPlan } from './search.ts'

export const FindReport = Type.Object(
  {
    highest: Type.Union([Type.Integer({ minimum: 1 }), Type.Null()], {
      description: 'The highest rate that held, in messages a second; null if none did.',
    }),
    objectives: Type.Array(Type.String()),
    attempts: Type.Array(FindAttempt),
  },
  { $id: 'FindReport' },
)
export type FindReport = Static<typeof FindReport>

/**
 * Raises the rate until it does not hold, and narrows down.
 *
 * @param attempt tries a rate; answers null if the search is to end
 */
export async function findRate(
  start: number,
  attempt: (rate: number) => Promise<FindAttempt | null>,
): Promise<FindAttempt[]> {
  const { factor, bisections, attemptsMax } = findLimits
  const plan: SearchPlan = { start, factor, bisections, attemptsMax }
  const attempts: FindAttempt[] = []
  for (;;) {
    const rate = nextRate(plan, attempts)
    const made = rate === null ? null : await attempt(rate)
    if (made === null) return attempts
    attempts.push(made)
    // Nobody answers; at no other rate would anybody.
    if (made.perSecond === 0) return attempts
  }
}

export function findReport(
  attempts: readonly FindAttempt[],
  objectives: readonly string[],
): FindReport {
  const highest = highestHeld(attempts)?.rate ?? null
  return { highest, objectives: [...objectives], attempts: [...attempts] }
}

/** One attempt in a line, while the search goes on. */
export function attemptLine({ rate, why, metrics }: FindAttempt): string {
  const { p99Ms, lost } = metrics
  const text = why ?? `held, p99 ${formatMs(p99Ms)}, lost ${formatCount(lost)}`
  return `${formatCount(rate)} messages a second: ${text}`
}

type Column = readonly [head: string, cell: (attempt: FindAttempt) => string]

const COLUMNS: readonly Column[] = [
  ['messages/s', ({ rate }) => formatCount(rate)],
  ['held', ({ held }) => (held ? 'yes' : 'no')],
  ['sent/s', ({ perSecond }) => formatCount(perSecond)],
  ['p50', ({ metrics }) => formatMs(metrics.p50Ms)],
  ['p90', ({ metrics }) => formatMs(metrics.p90Ms)],
  ['p99', ({ metrics }) => formatMs(metrics.p99Ms)],
  ['p99.9', ({ metrics }) => formatMs(metrics.p999Ms)],
  ['max', ({ metrics }) => formatMs(metrics.maxMs)],
  ['lost', ({ metrics }) => formatCount(metrics.lost)],
]

/** The attempts as a table, and the rate that was found. */
export function findSummary({ highest, objectives, attempts }: FindReport): string {
  const columns = COLUMNS.map(([head, cell]) => {
    const cells = [head, ...attempts.map(cell)]
    const width = Math.max(...cells.map(({ length }) => length))
    return cells.map((text) => text.padStart(width))
  })
  const rows = [null, ...attempts].map((_, at) => columns.map((cells) => cells[at]).join('  '))
  const wanted = objectives.join(', ')
  const found =
    highest === null
      ? `No rate held ${wanted}.`
      : `The highest rate that held ${wanted}: ${formatCount(highest)} messages a second.`
  return attempts.length === 0 ? found : [...rows, found].join('\n')
}
