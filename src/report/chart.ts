// A chart as data: what a page's builder says and its script draws. Types only; they lie in the page
// as JSON.

import type { FormatName } from './format.ts'

/** Of the page's style, which has others in the dark. */
export type ColorName = 'ink' | 'blue' | 'green' | 'orange' | 'purple' | 'pink'

/** A value for each place across; null is a gap, which is bridged. */
export type Values = readonly (number | null)[]

export interface Curve {
  readonly name: string
  readonly color: ColorName
  readonly values: Values
  /** On the axis at the right. */
  readonly isRight?: boolean
  /** Lengths in pixels of a stroke and a gap. */
  readonly dash?: readonly [number, number]
}

export interface Chart {
  readonly id: string
  readonly title: string
  /** What it shows, in a sentence. */
  readonly words: string
  /**
   * What the places across are: seconds, or `1 / (1 - share)` on a logarithmic axis, which gives the
   * slowest tenth as much room as the tenth of those, and is labelled with percentiles.
   */
  readonly across: 'seconds' | 'percentiles'
  readonly places: readonly number[]
  readonly format: FormatName
  /** Of the axis at the right; without it there is none. */
  readonly rightFormat?: FormatName
  readonly isLogarithmic?: boolean
  readonly curves: readonly Curve[]
}

/** A stretch of time with a name, shaded behind the curves. */
export interface Band {
  readonly name: string
  readonly fromSeconds: number
  readonly toSeconds: number
}

export interface Charts {
  readonly charts: readonly Chart[]
  readonly bands: readonly Band[]
}
