// What a histogram says of one stretch of time: the difference of two of its states, and a quantile of
// that. Pure. Within a bucket values are taken to be spread evenly, as Prometheus does.

import type { HistogramFigures } from '../core/histogram.ts'

type Counts = readonly number[]

/** What was recorded since an earlier state; all of it if there is none. */
export function recordedSince(
  { counts }: HistogramFigures,
  earlier: HistogramFigures | null,
): Counts {
  return counts.map((count, at) => count - (earlier?.counts[at] ?? 0))
}

/** The value that this share of all does not exceed; null of nothing. */
export function quantileOf(
  bounds: readonly number[],
  counts: Counts,
  share: number,
): number | null {
  const total = counts.reduce((sum, count) => sum + count, 0)
  if (total === 0) return null
  const wanted = share * total
  let below = 0
  for (const [at, count] of counts.entries()) {
    if (count > 0 && below + count >= wanted) {
      const least = bounds[at - 1] ?? 0
      // What lies beyond the last bound is at least that.
      const most = bounds[at] ?? least
      return least + ((most - least) * (wanted - below)) / count
    }
    below += count
  }
  return bounds.at(-1) ?? null
}
