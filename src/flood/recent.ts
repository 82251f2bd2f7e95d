// Times as one process of a flood collects them, and tells them once a second: the few buckets that
// were hit. It loads no histogram, of which each process would carry the cost.

/** An hour in microseconds; what takes longer counts as an hour. */
export const MICROS_MAX = 3_600_000_000

/** Below twice this each microsecond is a bucket; above, each power of two has this many. */
const BUCKETS_EACH = 1_024

/** Times on their way: a bucket and how often it was hit, the next bucket, and so on. */
export type Times = readonly number[]

/**
 * The times since they were last taken. A map of the buckets that were hit, since a histogram of
 * an hour has 23,000 of them, and a second of one process in fifty hits a few hundred.
 */
export class RecentTimes {
  readonly #hits = new Map<number, number>()

  /** What lies before the clock's zero, by skew, counts as nothing. Hot path: once a message. */
  record(micros: number): void {
    const bucket = bucketOf(Math.min(MICROS_MAX, Math.max(0, Math.round(micros))))
    this.#hits.set(bucket, (this.#hits.get(bucket) ?? 0) + 1)
  }

  /** All that was recorded since the last call. */
  take(): Times {
    if (this.#hits.size === 0) return []
    const times = [...this.#hits].flat()
    this.#hits.clear()
    return times
  }
}

function bucketOf(micros: number): number {
  if (micros < 2 * BUCKETS_EACH) return micros
  // So far to the right that eleven bits are left, of which the first is always set.
  const shift = 21 - Math.clz32(micros)
  return shift * BUCKETS_EACH + (micros >>> shift)
}

/** The longest time of a bucket. */
export function highestOf(bucket: number): number {
  if (bucket < 2 * BUCKETS_EACH) return bucket
  const shift = Math.floor(bucket / BUCKETS_EACH) - 1
  return (bucket - shift * BUCKETS_EACH + 1) * 2 ** shift - 1
}
