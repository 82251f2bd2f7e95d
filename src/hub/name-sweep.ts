// Frees the names that no one uses any more: a little of the table at a time, pass after pass.

import { identityLimits } from '../core/identity-limits.ts'
import type { NameTable } from '../subscriptions/name-table.ts'
import type { StreamHost } from './host.ts'

/** Sweeps until the returned function is called. */
export function sweepNames(
  names: Pick<NameTable, 'sweep'>,
  host: Pick<StreamHost, 'isReached'>,
): () => void {
  const { nameCheckEveryMs, namesPerCheck, namePassMs } = identityLimits
  const checksPerPass = namePassMs / nameCheckEveryMs
  let next = 0
  let waiting = checksPerPass
  const timer = setInterval(() => {
    waiting--
    if (next === 0) {
      if (waiting > 0) return
      next = 1
      waiting = checksPerPass
    }
    next = names.sweep(next, namesPerCheck, (id) => host.isReached(id))
  }, nameCheckEveryMs)
  timer.unref()
  return () => clearInterval(timer)
}
