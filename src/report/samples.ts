// Samples of figures over time: several folded into one, and a bounded number of them kept. Pure,
// and imports nothing, since pages carry it into the browser.

/**
 * What stands for a figure of several samples: their mean; the largest, so that no bad second
 * disappears in a mean; or the last, for totals.
 */
export type Fold = 'mean' | 'peak' | 'last'

/** By name; a figure that is not listed is a mean. */
export type Folds<S> = Readonly<Partial<Record<keyof S, Fold>>>

/** A sample has numbers only; a figure that is not known is null. */
type Figures<S> = Readonly<Record<keyof S, number | null>>

/** Neighbours as one; a figure that none of them has is null. */
export function foldSamples<S extends Figures<S>>(samples: readonly S[], folds: Folds<S>): S {
  const [first] = samples
  if (first === undefined) throw new Error('there is no sample to fold')
  const entries = (Object.keys(first) as (keyof S)[]).map((name) => {
    const values = samples.map((sample) => sample[name]).filter((value) => value !== null)
    return [name, values.length === 0 ? null : foldValues(values, folds[name] ?? 'mean')]
  })
  return Object.fromEntries(entries) as S
}

function foldValues(values: readonly number[], fold: Fold): number {
  if (fold === 'peak') return Math.max(...values)
  if (fold === 'last') return values.at(-1) as number
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** Folds `count` neighbours at a time; the last group may be smaller. */
export function foldEvery<S extends Figures<S>>(
  samples: readonly S[],
  count: number,
  folds: Folds<S>,
): S[] {
  const fewer: S[] = []
  for (let at = 0; at < samples.length; at += count) {
    fewer.push(foldSamples(samples.slice(at, at + count), folds))
  }
  return fewer
}

/** At most `most` samples, each of which stands for as many of the original ones. */
export function foldTo<S extends Figures<S>>(
  samples: readonly S[],
  most: number,
  folds: Folds<S>,
): S[] {
  const count = Math.ceil(samples.length / Math.max(1, most))
  return count <= 1 ? [...samples] : foldEvery(samples, count, folds)
}

/** Samples as one list for each figure, which takes a third of the room as JSON. */
export function columnsOf<S extends Figures<S>>(
  samples: readonly S[],
  rounded: (value: number, name: keyof S & string) => number = (value) => value,
): Record<keyof S & string, (number | null)[]> {
  const names = Object.keys(samples[0] ?? {}) as (keyof S & string)[]
  const columns = names.map((name) => {
    const values = samples.map((sample): number | null => sample[name])
    return [name, values.map((value) => (value === null ? null : rounded(value, name)))]
  })
  return Object.fromEntries(columns) as Record<keyof S & string, (number | null)[]>
}

/**
 * The samples of a run of unknown length, never more than `most`: whenever there are as many,
 * neighbours are folded, and from then on each sample stands for twice as many.
 */
export class BoundedSamples<S extends Figures<S>> {
  readonly #most: number
  readonly #folds: Folds<S>
  #full: S[] = []
  /** Folded into one as soon as there are {@link #each}. */
  #pending: S[] = []
  #each = 1

  /** @param most an even number */
  constructor(most: number, folds: Folds<S>) {
    this.#most = most
    this.#folds = folds
  }

  push(sample: S): void {
    this.#pending.push(sample)
    if (this.#pending.length < this.#each) return
    this.#full.push(foldSamples(this.#pending, this.#folds))
    this.#pending = []
    if (this.#full.length < this.#most) return
    this.#full = foldEvery(this.#full, 2, this.#folds)
    this.#each *= 2
  }

  /** Oldest first; the last stands for what came since the one before it. */
  get list(): readonly S[] {
    if (this.#pending.length === 0) return this.#full
    return [...this.#full, foldSamples(this.#pending, this.#folds)]
  }
}

/**
 * Several moments: for each figure as many values as there are times, in milliseconds since 1970.
 */
export interface SampleColumns<Name extends string> {
  readonly times: readonly number[]
  readonly values: Readonly<Record<Name, readonly (number | null)[]>>
}

/** The newest samples, up to a capacity, in memory that is allocated once. */
export class SampleRing<Name extends string> {
  length = 0
  readonly #names: readonly Name[]
  readonly #capacity: number
  readonly #times: Float64Array
  /** A row for each sample; NaN stands for null. */
  readonly #values: Float64Array
  /** The row that is written next, over the oldest. */
  #next = 0

  constructor(names: readonly Name[], capacity: number) {
    this.#names = names
    this.#capacity = capacity
    this.#times = new Float64Array(capacity)
    this.#values = new Float64Array(capacity * names.length)
  }

  push(timeMs: number, sample: Readonly<Record<Name, number | null>>): void {
    this.#times[this.#next] = timeMs
    const row = this.#next * this.#names.length
    for (const [at, name] of this.#names.entries()) {
      this.#values[row + at] = sample[name] ?? Number.NaN
    }
    this.#next = (this.#next + 1) % this.#capacity
    this.length = Math.min(this.length + 1, this.#capacity)
  }

  clear(): void {
    this.length = 0
    this.#next = 0
  }

  /** The time of the newest sample; null of none. */
  get newestMs(): number | null {
    if (this.length === 0) return null
    return this.#times[(this.#next + this.#capacity - 1) % this.#capacity] as number
  }

  /** The samples that are newer, oldest first. */
  since(timeMs: number): SampleColumns<Name> {
    const rows = this.#rows().filter((row) => (this.#times[row] as number) > timeMs)
    const columns = this.#names.map((name, at) => [name, rows.map((row) => this.#value(row, at))])
    return {
      times: rows.map((row) => this.#times[row] as number),
      values: Object.fromEntries(columns) as Record<Name, (number | null)[]>,
    }
  }

  /** The known values of one figure in the newest `count` samples, oldest first. */
  last(name: Name, count: number): number[] {
    const at = this.#names.indexOf(name)
    return this.#rows()
      .slice(-count)
      .map((row) => this.#value(row, at))
      .filter((value) => value !== null)
  }

  #rows(): number[] {
    const first = this.#next - this.length + this.#capacity
    return Array.from({ length: this.length }, (_, at) => (first + at) % this.#capacity)
  }

  #value(row: number, at: number): number | null {
    const value = this.#values[row * this.#names.length + at] as number
    return Number.isNaN(value) ? null : value
  }
}
