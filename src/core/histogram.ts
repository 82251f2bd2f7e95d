// A histogram with a count for each of a few fixed upper bounds, like those of Prometheus.
// Recording allocates nothing.

/** A histogram as plain data, sent between processes. */
export interface HistogramFigures {
  /** Values up to each bound and above the one before; then those above the last bound. */
  readonly counts: readonly number[]
  readonly sum: number
}

export class Histogram {
  /** The sum of all recorded values. */
  sum = 0
  readonly #bounds: readonly number[]
  readonly #counts: Float64Array

  /** @param bounds ascending */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds
    this.#counts = new Float64Array(bounds.length + 1)
  }

  /** Counts a value. Hot path: no binary search, since most values are small. */
  record(value: number): void {
    const bounds = this.#bounds
    let at = 0
    while (at < bounds.length && value > (bounds[at] as number)) at++
    this.#counts[at] = (this.#counts[at] as number) + 1
    this.sum += value
  }

  figures(): HistogramFigures {
    return { counts: [...this.#counts], sum: this.sum }
  }
}

/** Adds up two histograms of the same bounds. */
export function addHistograms(one: HistogramFigures, other: HistogramFigures): HistogramFigures {
  const { length } = one.counts
  if (other.counts.length !== length) throw new Error('histograms of different bounds')
  return {
    counts: one.counts.map((count, at) => count + (other.counts[at] ?? 0)),
    sum: one.sum + other.sum,
  }
}

/** A histogram without values. */
export function emptyHistogram(bounds: readonly number[]): HistogramFigures {
  return new Histogram(bounds).figures()
}

/** The counts of what was recorded since an earlier state; all of them if there is none. */
export function recordedSince(
  { counts }: HistogramFigures,
  earlier: HistogramFigures | null,
): readonly number[] {
  return counts.map((count, at) => count - (earlier?.counts[at] ?? 0))
}

/**
 * The value that this share of all does not exceed; null of nothing. Within a bucket, values are
 * taken to be spread evenly, as Prometheus does; beyond the last bound they are taken to be that
 * bound.
 */
export function quantileOf(
  bounds: readonly number[],
  counts: readonly number[],
  share: number,
): number | null {
  const total = counts.reduce((sum, count) => sum + count, 0)
  if (total === 0) return null
  const wanted = share * total
  let below = 0
  for (const [at, count] of counts.entries()) {
    if (count > 0 && below + count >= wanted) {
      const least = bounds[at - 1] ?? 0
      const most = bounds[at] ?? least
      return least + ((most - least) * (wanted - below)) / count
    }
    below += count
  }
  return bounds.at(-1) ?? null
}
