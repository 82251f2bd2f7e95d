// What objectives of a flood may be about, by name and unit. The command line reads it before anything else
// of the flood is loaded.

import type { MetricUnits } from '../core/objective.ts'

/** What `--assert` may be about. */
export const FLOOD_METRICS = {
  p50: 'ms',
  p99: 'ms',
  'p99.9': 'ms',
  max: 'ms',
  'connect-p50': 'ms',
  'connect-p99': 'ms',
  'connect-max': 'ms',
  opened: 'count',
  failed: 'count',
  closed: 'count',
  reopened: 'count',
  late: 'count',
  messages: 'count',
  duplicated: 'count',
  reordered: 'count',
  untracked: 'count',
  lost: 'count',
  unexpected: 'count',
} as const satisfies MetricUnits
