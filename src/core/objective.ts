// Objectives as people write them, `p99<50ms,lost=0`: read, and held against what was measured. It
// knows no metric; who uses it says which there are.

import { formatCount, formatMs, parseCount, parseDurationMs } from './units.ts'

/** What a metric is measured in: milliseconds, or a count. */
export type MetricUnit = 'ms' | 'count'

/** The metrics that objectives may be about, by name. */
export type MetricUnits = Readonly<Record<string, MetricUnit>>

export interface Objective {
  readonly metric: string
  readonly comparison: Comparison
  readonly unit: MetricUnit
  /** In the metric's unit. */
  readonly limit: number
}

/** What was measured, by the metric's name; null where there was nothing to measure. */
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
 * Reads objectives that commas part.
 *
 * @returns the objectives, or undefined if one of them is none: no such metric, no comparison, or a
 * limit that is not in the metric's unit
 */
export function parseObjectives(text: string, units: MetricUnits): Objective[] | undefined {
  const objectives = text.split(',').map((part) => parseObjective(part.trim(), units))
  return objectives.every((one) => one !== undefined) ? objectives : undefined
}

function parseObjective(text: string, units: MetricUnits): Objective | undefined {
  const [, metric = '', comparison = '', limitText = ''] =
    /^([a-z][a-z0-9._-]*?)\s*(<=|>=|=|<|>)\s*(\S+)$/i.exec(text) ?? []
  const unit = Object.hasOwn(units, metric) ? units[metric] : undefined
  if (unit === undefined) return undefined
  const limit = unit === 'ms' ? parseDurationMs(limitText) : parseCount(limitText)
  if (limit === undefined) return undefined
  return { metric, comparison: comparison as Comparison, unit, limit }
}

/** Holds each objective against what was measured; what was not measured does not meet any. */
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

/** `p99 is 61.2 ms, not <50ms`, or that it is as wanted. */
export function judgementText({ objective, value, met }: Judgement): string {
  const { metric, unit } = objective
  const wanted = objectiveText(objective).slice(metric.length)
  if (value === null) return `${metric} was not measured, wanted ${wanted}`
  const found = unit === 'ms' ? formatMs(value) : formatCount(value)
  return met
    ? `${metric} is ${found}, as wanted (${wanted})`
    : `${metric} is ${found}, not ${wanted}`
}
