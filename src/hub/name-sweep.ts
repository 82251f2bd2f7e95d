// Frees the names that no one uses any more: a little of the table at a time, pass after pass.

import { identityLimits } from '../core/identity-limits.ts'
import type { MessageBus } from '../log/message-bus.ts'
import type { NameTable } from '../subscriptions/name-table.ts'
import type { StreamHost } from './host.ts'
import type { Checkpoints } from './outlet.ts'

/**
 * Sweeps until the returned function is called. The handles of names that have gone rest until no
 * message is under way that was for them: behind very many broadcasts, that takes minutes.
 */
export function sweepNames(
  names: Pick<NameTable, 'sweep' | 'beginRest' | 'endRest'>,
  host: Pick<StreamHost, 'isReached'> & { readonly outlet: Checkpoints },
  bus: { readonly window: Pick<MessageBus['window'], 'refersTo' | 'onNameFreed'> },
): () => void {
  const { nameCheckEveryMs, namesPerCheck, namePassMs } = identityLimits
  const checksPerPass = namePassMs / nameCheckEveryMs
  // What waits for its place in a shared log finds its name again when it has one.
  const isUsed = (id: number) => host.isReached(id) || bus.window.refersTo(id)
  const onFree = (id: number) => bus.window.onNameFreed(id)
  let next = 0
  let waiting = checksPerPass
  let isRested: (() => boolean) | null = null
  const timer = setInterval(() => {
    waiting--
    if (isRested?.() === true) {
      names.endRest()
      isRested = null
    }
    if (next === 0) {
      if (waiting > 0) return
      next = 1
      waiting = checksPerPass
    }
    next = names.sweep(next, namesPerCheck, isUsed, onFree)
    if (next === 0 && isRested === null && names.beginRest()) isRested = host.outlet.checkpoint()
  }, nameCheckEveryMs)
  timer.unref()
  return () => clearInterval(timer)
}
