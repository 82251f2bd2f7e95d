// One figure of a run: what it is, its value, what it is held to. Pure; figures.ts has them all.

import type { Target } from '../harness/case.ts'

export interface Figure {
  readonly figure: string
  readonly title: string
  readonly unit: string
  readonly digits: number
  /** Null if the run did not come so far. */
  readonly value: number | null
  readonly target: Target | null
}

export function figure(
  name: string,
  title: string,
  unit: string,
  digits: number,
  value: number | null | undefined,
  target: Target | null = null,
): Figure {
  const found = value === undefined || value === null || !Number.isFinite(value) ? null : value
  return { figure: name, title, unit, digits, value: found, target }
}

/** A figure that is a whole number of something its title names. */
export function count(
  name: string,
  title: string,
  value: number | null | undefined,
  target: Target | null = null,
): Figure {
  return figure(name, title, '', 0, value, target)
}

/** Whether a figure is as it should be; null if it is held to nothing. */
export function isFigureMet({ value, target }: Pick<Figure, 'value' | 'target'>): boolean | null {
  if (target === null) return null
  if (value === null) return false
  return 'atMost' in target ? value <= target.atMost : value >= target.atLeast
}
