// What a silence shows: whether all streams stayed open while nothing was sent. Pure.

import { formatCount } from '../../src/core/units.ts'
import type { Silence } from './record.ts'

type Closed = Silence['closed']

/** Streams that ended between two looks, by reason. */
export function closedBetween(before: Closed, after: Closed): Closed {
  return Object.fromEntries(
    Object.entries(after).map(([reason, count]) => [reason, count - (before[reason] ?? 0)]),
  )
}

/** Why a silence was not held; null if it was. */
export function silenceFlaw({ seconds, openBefore, openAfter, closed }: Silence): string | null {
  const reasons = Object.entries(closed).filter(([, count]) => count > 0)
  if (reasons.length === 0 && openAfter >= openBefore) return null
  const told = reasons.map(([reason, count]) => `${formatCount(count)} ${reason}`).join(', ')
  const [after, before] = [openAfter, openBefore].map(formatCount)
  return (
    `${after} of ${before} streams are open after ${formatCount(Math.round(seconds))} s of ` +
    `silence; closed: ${told === '' ? 'none' : told}`
  )
}
