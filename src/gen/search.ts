// The search for the highest rate that holds: raise the rate until one does not hold, then halve
// the gap. A rate that fails is tried once more, since other work on the machine may fail an
// attempt. Pure: each next rate follows from the attempts before.

import { findLimits } from '../core/tool-limits.ts'

export interface Attempt {
  readonly rate: number
  readonly held: boolean
}

export interface SearchPlan {
  readonly start: number
  /** By how much the rate is raised, or lowered while none has held. */
  readonly factor: number
  /** Rates between the highest that held and the lowest that did not. */
  readonly bisections: number
  readonly attemptsMax: number
}

/** Rates closer than this count as equal: no run is that steady. */
const SAME_WITHIN = 1.03

/** Attempts at a rate before it counts as failed. */
const TRIES = 2

/**
 * Searches from a rate on.
 *
 * @param attempt tries a rate; returns null to end the search
 */
export async function findRate<A extends Attempt & { readonly perSecond: number }>(
  start: number,
  attempt: (rate: number) => Promise<A | null>,
): Promise<A[]> {
  const { factor, bisections, attemptsMax } = findLimits
  const attempts: A[] = []
  for (;;) {
    const rate = nextRate({ start, factor, bisections, attemptsMax }, attempts)
    const made = rate === null ? null : await attempt(rate)
    if (made === null) return attempts
    attempts.push(made)
    // No message was answered; no other rate would change that.
    if (made.perSecond === 0) return attempts
  }
}

/** The rate to try next, or null at the end of the search. */
export function nextRate(plan: SearchPlan, attempts: readonly Attempt[]): number | null {
  if (attempts.length >= plan.attemptsMax) return null
  const last = attempts.at(-1)
  const tries = attempts.filter(({ rate }) => rate === last?.rate).length
  if (last !== undefined && !last.held && tries < TRIES) return last.rate
  const { held, failed, bisected } = boundsOf(attempts)
  if (held === null) {
    if (failed === null) return plan.start
    const lower = Math.round(failed / plan.factor)
    return lower >= 1 && lower < failed ? lower : null
  }
  if (failed === null) return Math.round(held * plan.factor)
  if (bisected >= plan.bisections || failed / held < SAME_WITHIN) return null
  const between = Math.round(Math.sqrt(held * failed))
  return between > held && between < failed ? between : null
}

/** The attempt with the highest rate that held. */
export function highestHeld<A extends Attempt>(attempts: readonly A[]): A | null {
  return attempts.reduce<A | null>(
    (best, attempt) => (attempt.held && attempt.rate > (best?.rate ?? 0) ? attempt : best),
    null,
  )
}

interface Bounds {
  readonly held: number | null
  /** The lowest rate that failed above the one that held; a failure below it was chance. */
  readonly failed: number | null
  /** Rates tried since both bounds are known. */
  readonly bisected: number
}

function boundsOf(attempts: readonly Attempt[]): Bounds {
  // Each rate once, in order: it has held if one of its attempts did.
  const rates = new Map<number, boolean>()
  for (const { rate, held } of attempts) rates.set(rate, held || rates.get(rate) === true)
  const held = highestHeld(attempts)?.rate ?? null
  const failures = [...rates].filter(([rate, isHeld]) => !isHeld && rate > (held ?? 0))
  const failed = failures.length === 0 ? null : Math.min(...failures.map(([rate]) => rate))
  const outcomes = [...rates.values()]
  const [firstHeld, firstFailed] = [outcomes.indexOf(true), outcomes.indexOf(false)]
  const isBounded = firstHeld >= 0 && firstFailed >= 0
  const bisected = isBounded ? outcomes.length - 1 - Math.max(firstHeld, firstFailed) : 0
  return { held, failed, bisected }
}
