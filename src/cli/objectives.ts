// The option that takes objectives: those that a run is to meet.

import { type MetricUnits, type Objective, parseObjectives } from '../core/objective.ts'
import type { ValueOption } from './option.ts'

/** Objectives like `p99<20ms,lost=0`, about the metrics of a table. */
export function objectives<const F extends string | null>(
  units: MetricUnits,
  fallback: F,
  description: string,
): ValueOption<Objective[]> & { fallback: F } {
  return {
    value: 'objectives',
    description,
    fallback,
    parse: (text) => parseObjectives(text, units),
    expected:
      `objectives like p99<20ms,lost=0, about ${Object.keys(units).join(', ')}, ` +
      'or another percentile like p99.5',
  }
}
