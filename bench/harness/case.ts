// What a benchmark is: its figures, their targets, and one run of it. The cases lie beside this
// file, one a file; bench.ts has the table of them.

/** What a figure is held to. */
export type Target = { readonly atMost: number } | { readonly atLeast: number }

export interface FigureSpec {
  readonly title: string
  readonly unit: string
  /** Digits after the point that are worth reading. */
  readonly digits: number
  readonly target?: Target
}

export interface Case<Figure extends string = string> {
  readonly name: string
  readonly figures: Readonly<Record<Figure, FigureSpec>>
  /** Counted runs at least, where more than are asked for cost little. */
  readonly runsMin?: number
  /** Prepares what all runs share, or says why this machine cannot run the case. */
  open(): Promise<Session<Figure> | { readonly impossible: string }>
}

export interface Session<Figure extends string = string> extends AsyncDisposable {
  /** One run: each figure once. It throws when what was measured was not correct. */
  run(): Promise<Record<Figure, number>>
}

/** For a case whose runs share nothing. */
export const nothingToClose = { [Symbol.asyncDispose]: () => Promise.resolve() }

/** The figures of all counted runs, in their order. */
export interface Series {
  readonly spec: FigureSpec
  readonly values: readonly number[]
}

/** Of an even number of values the mean of the middle two. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/** Whether a series meets its target; null if it has none. The median is what counts. */
export function isMet({ spec: { target }, values }: Series): boolean | null {
  if (target === undefined) return null
  const value = median(values)
  return 'atMost' in target ? value <= target.atMost : value >= target.atLeast
}
