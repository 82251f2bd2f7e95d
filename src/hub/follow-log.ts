// Changes of who follows whom, in the log of messages: each stands between the messages before and
// after it, so that a client that comes back gets what it would have got.

import { resumeLimits } from '../core/history-limits.ts'
import type { MessageLog, NamedUser } from '../log/message-log.ts'
import { isHandle, type NameTable } from '../subscriptions/name-table.ts'
import type { Pairs } from '../subscriptions/subscriptions.ts'

/**
 * Records changes that were made together: each by itself, or of very many that there were some.
 *
 * @param pairs that changed
 * @param follows were they added, or removed?
 */
export function logFollows(
  log: Pick<MessageLog, 'appendFollow' | 'appendBarrier'>,
  names: Pick<NameTable, 'nameOf'>,
  pairs: Pairs,
  follows: boolean,
): void {
  if (pairs.length > 2 * resumeLimits.followsTogetherMax) {
    log.appendBarrier()
    return
  }
  const named = (id: number): NamedUser => ({ id, name: isHandle(id) ? names.nameOf(id) : null })
  for (let at = 0; at < pairs.length; at += 2) {
    log.appendFollow(named(pairs[at] as number), named(pairs[at + 1] as number), follows)
  }
}
