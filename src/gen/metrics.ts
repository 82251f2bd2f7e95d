// What objectives of a search for the highest rate may be about, by name and unit. The command line reads it
// before anything else of the generator is loaded.

import type { MetricUnits } from '../core/objective.ts'

/** What objectives may be about. */
export const FIND_METRICS = {
  p50: 'ms',
  p90: 'ms',
  p99: 'ms',
  'p99.9': 'ms',
  max: 'ms',
  lost: 'count',
  duplicated: 'count',
  reordered: 'count',
  rejected: 'count',
  unanswered: 'count',
} as const satisfies MetricUnits
