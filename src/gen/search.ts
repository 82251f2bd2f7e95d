// Finding the highest rate that holds: raise until one does not, then halve the gap. A rate that
// fails is tried once more, since one moment of a machine that is not ours alone fails an attempt.
// Pure: the attempts are made elsewhere, and each next rate follows from those before.

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

/** Rates closer than this are the same: no run is that steady. */
const SAME_WITHIN = 1.03

/** Attempts at a rate before it counts as failed. */
const TRIES = 2

/** The rate to try next, or null once the search is over. */
export function nextRate(plan: SearchPlan, attempts: readonly Attempt[]): number | null {
  if (attempts.length >= plan.attemptsMax) return null
  const last = attempts.at(-1)
  if (last !== undefined && !last.held && triesOf(attempts, last.rate) < TRIES) return last.rate
  const { held, failed, bisected } = boundsOf(rates(attempts))
  if (held === null && failed === null) return plan.start
  if (held === null) return lowered(plan, failed ?? plan.start)
  if (failed === null) return Math.round(held * plan.factor)
  if (bisected >= plan.bisections || failed / held < SAME_WITHIN) return null
  const between = Math.round(Math.sqrt(held * failed))
  return between > held && between < failed ? between : null
}

/** The highest rate that held. */
export function highestHeld<T extends Attempt>(attempts: readonly T[]): T | null {
  return attempts.reduce<T | null>(
    (best, of) => (of.held && (best === null || of.rate > best.rate) ? of : best),
    null,
  )
}

function triesOf(attempts: readonly Attempt[], rate: number): number {
  return attempts.filter((of) => of.rate === rate).length
}

/** One attempt for each rate, in order: a rate has held if it did once. */
function rates(attempts: readonly Attempt[]): Attempt[] {
  const held = new Map<number, boolean>()
  for (const of of attempts) held.set(of.rate, of.held || held.get(of.rate) === true)
  return [...held].map(([rate, isHeld]) => ({ rate, held: isHeld }))
}

function lowered({ factor }: SearchPlan, failed: number): number | null {
  const rate = Math.round(failed / factor)
  return rate >= 1 && rate < failed ? rate : null
}

interface Bounds {
  readonly held: number | null
  /** The lowest that failed above what held; one below it was chance. */
  readonly failed: number | null
  /** Rates since both bounds are known. */
  readonly bisected: number
}

function boundsOf(attempts: readonly Attempt[]): Bounds {
  const held = highestHeld(attempts)?.rate ?? null
  const failures = attempts.filter((of) => !of.held && of.rate > (held ?? 0))
  const failed = failures.length === 0 ? null : Math.min(...failures.map(({ rate }) => rate))
  const firstHeld = attempts.findIndex((of) => of.held)
  const firstFailed = attempts.findIndex((of) => !of.held)
  const known = firstHeld < 0 || firstFailed < 0 ? -1 : Math.max(firstHeld, firstFailed)
  return { held, failed, bisected: known < 0 ? 0 : attempts.length - 1 - known }
}
