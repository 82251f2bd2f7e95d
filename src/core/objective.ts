// Objectives such as `p99<50ms,lost=0`: parsed, and compared with what was measured. Its users name
// the metrics.

import { formatCount, formatMs, parseCount, parseDurationMs } from './units.ts'

/** What a metric is measured in: milliseconds, or a count. */
export type MetricUnit = 'ms' | 'count'

/** The metrics of objectives, by name; one percentile stands for all of its quantity. */
export type MetricUnits = Readonly<Record<string, MetricUnit>>

export interface Objective {
  readonly metric: string
  readonly comparison: Comparison
  readonly unit: MetricUnit
  /** In the metric's unit. */
  readonly limit: number
}

/** A percentile of a quantity: `p99.9` of ``, or `connect-p50` of `connect-`. */
export interface PercentileName {
  readonly of: string
  readonly percentile: number
}

/** Parses the name of a percentile above 0 and below 100; null for any other metric. */
export function percentileNamed(metric: string): PercentileName | null {
  const [, of = '', digits] = /^(|[a-z]+-)p(\d{1,2}(?:\.\d{1,6})?)$/.exec(metric) ?? []
  const percentile = Number(digits)
  return percentile > 0 ? { of, percentile } : null
}

/**
 * Measures the percentiles that objectives name.
 *
 * @param measure returns null where nothing was timed
 */
export function measurePercentiles(
  objectives: readonly Objective[],
  measure: (name: PercentileName) => number | null,
): Measured {
  const names = objectives.map(({ metric }) => [metric, percentileNamed(metric)] as const)
  return Object.fromEntries(
    names.flatMap(([metric, name]) => (name === null ? [] : [[metric, measure(name)]])),
  )
}

/** Values by the metric's name; null where there was nothing to measure. */
export type Measured = Readonly<Record<string, number | null>>

export interface Judgement {
  readonly objective: Objective
  readonly value: number | null
  readonly met: boolean
}

const COMPARISONS = {
  '<': (value: number, limit: number) => value < limit,
  '<=': (value: number, limit: number) => value <= limit,
  '=': (value: number, limit: number) => value === limit,
  '>=': (value: number, limit: number) => value >= limit,
  '>': (value: number, limit: number) => value > limit,
} as const
type Comparison = keyof typeof COMPARISONS

/**
 * Parses objectives that are separated by commas.
 *
 * @returns undefined if one of them is invalid: an unknown metric, no comparison, or a limit that
 *   is not in the metric's unit
 */
export function parseObjectives(text: string, units: MetricUnits): Objective[] | undefined {
  const objectives = text.split(',').map((part) => parseObjective(part.trim(), units))
  return objectives.every((one) => one !== undefined) ? objectives : undefined
}

function parseObjective(text: string, units: MetricUnits): Objective | undefined {
  const [, metric = '', comparison = '', limitText = ''] =
    /^([a-z][a-z0-9._-]*?)\s*(<=|>=|=|<|>)\s*(\S+)$/i.exec(text) ?? []
  const unit = unitOf(metric, units)
  if (unit === undefined) return undefined
  const limit = unit === 'ms' ? parseDurationMs(limitText) : parseCount(limitText)
  if (limit === undefined) return undefined
  return { metric, comparison: comparison as Comparison, unit, limit }
}

function unitOf(metric: string, units: MetricUnits): MetricUnit | undefined {
  if (Object.hasOwn(units, metric)) return units[metric]
  const of = percentileNamed(metric)?.of
  const like = Object.entries(units).find(([name]) => percentileNamed(name)?.of === of)
  return of === undefined ? undefined : like?.[1]
}

/** Compares each objective with what was measured; a value that was not measured meets none. */
export function judge(objectives: readonly Objective[], measured: Measured): Judgement[] {
  return objectives.map((objective) => {
    const value = measured[objective.metric] ?? null
    const met = value !== null && COMPARISONS[objective.comparison](value, objective.limit)
    return { objective, value, met }
  })
}

/** `p99<50ms` */
export function objectiveText({ metric, comparison, unit, limit }: Objective): string {
  return `${metric}${comparison}${unit === 'ms' ? `${limit}ms` : limit}`
}

/** `p99 is 61.2 ms, not <50ms`, or `p99 is 41.2 ms, as wanted (<50ms)`. */
export function judgementText({ objective, value, met }: Judgement): string {
  const { metric, unit } = objective
  const wanted = objectiveText(objective).slice(metric.length)
  if (value === null) return `${metric} was not measured, wanted ${wanted}`
  const found = unit === 'ms' ? formatMs(value) : formatCount(value)
  return met
    ? `${metric} is ${found}, as wanted (${wanted})`
    : `${metric} is ${found}, not ${wanted}`
}
