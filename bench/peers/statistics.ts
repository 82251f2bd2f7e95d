// Medians, ratios to the floor and what was the limit: arithmetic over the turns of a comparison.
// Pure, and it knows no server.

import { median } from '../harness/case.ts'

/** Of the rounds that have a value. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** Null if no round has a value. */
export function spreadOf(values: readonly (number | null)[]): Spread | null {
  const found = values.filter((value) => value !== null)
  if (found.length === 0) return null
  return { median: median(found), min: Math.min(...found), max: Math.max(...found) }
}

/**
 * How many times as much as the floor, round by round: both sides of a ratio met the same machine.
 *
 * @param values one a round, as `floor` has
 */
export function ratiosTo(
  floor: readonly (number | null)[],
  values: readonly (number | null)[],
): (number | null)[] {
  return values.map((value, round) => {
    const below = floor[round] ?? null
    return value === null || below === null || below <= 0 ? null : value / below
  })
}

/** Cores that each took part with while messages went as fast as they could. */
export interface Cores {
  readonly server: number
  readonly gen: number
  readonly flood: number
  readonly machine: number
}

/** Of a core, for a process with one thread at work, which sleeps a little even at its limit. */
const BUSY_ABOVE = 0.85
/** Of all cores of the machine; a generator's start, on one core, is in the figure. */
const FULL_ABOVE = 0.85

/** What had no more to give, in words. */
export function saturatedBy(cores: Cores, machineCores: number): string {
  const names: string[] = []
  if (cores.server >= BUSY_ABOVE) names.push('the server')
  if (cores.gen >= BUSY_ABOVE) names.push('the generator')
  if (cores.flood >= BUSY_ABOVE) names.push('the client')
  if (cores.machine >= machineCores * FULL_ABOVE) names.push('the machine')
  return names.length === 0 ? 'waiting for each other' : names.join(', ')
}
