// Several samples as one, where there are too many to keep. Pure.

/** Which figures of a sample are what, by name; all others are means. */
export interface Kinds {
  /** The largest is kept, so that no slow second disappears in a mean. */
  readonly peaks: ReadonlySet<string>
  /** The last is kept: they only grow. */
  readonly totals: ReadonlySet<string>
}

/** Neighbours as one; a figure that none of them has is null. */
export function merged<S extends object>(samples: readonly [S, ...S[]], kinds: Kinds): S {
  const entries = Object.keys(samples[0]).map((name) => {
    const values = samples
      .map((sample) => sample[name as keyof S] as number | null)
      .filter((value) => value !== null)
    return [name, values.length === 0 ? null : one(name, values, kinds)]
  })
  return Object.fromEntries(entries) as S
}

function one(name: string, values: readonly number[], { peaks, totals }: Kinds): number {
  if (peaks.has(name)) return Math.max(...values)
  if (totals.has(name)) return values.at(-1) ?? 0
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** So many neighbours each time become one; the last may stand for fewer. */
export function mergedEach<S extends object>(
  samples: readonly S[],
  each: number,
  kinds: Kinds,
): S[] {
  const fewer: S[] = []
  for (let at = 0; at < samples.length; at += each) {
    const [first, ...others] = samples.slice(at, at + each)
    if (first !== undefined) fewer.push(merged([first, ...others], kinds))
  }
  return fewer
}
