// Warnings about subscriptions in Redis that this node cannot use: their users miss messages about
// the subjects, without an error elsewhere.

import { followsPrefix } from '../bus/follow-sets.ts'
import { identityLimits } from '../core/identity-limits.ts'
import type { Log } from '../core/log.ts'
import { formatCount, formatQuantity } from '../core/units.ts'
import type { FollowsRead } from '../subscriptions/shared.ts'

/** Called once after all subscriptions were read from Redis. */
export function warnOfUnused(
  { ignored, unnamed }: Pick<FollowsRead, 'ignored' | 'unnamed'>,
  prefix: string,
  log: Pick<Log, 'warn'>,
): void {
  const countOf = (count: number) => `${formatQuantity(count, 'subscription')} in Redis`
  if (ignored > 0) {
    const keys = `the sets whose keys begin with ${followsPrefix(prefix)}`
    const message =
      `${countOf(ignored)} cannot be used: not valid, so comet has not written them. ` +
      `Look for other programs that write to ${keys}, and remove what they have added.`
    log.warn('subscriptions_unused', message, { reason: 'invalid', count: ignored })
  }
  if (unnamed > 0) {
    const most = formatCount(identityLimits.namesMax)
    const message =
      `${countOf(unnamed)} cannot be used: this node has no room for more names, ${most} at most. ` +
      'Remove subscriptions that are not needed, or use numbers for users and subjects.'
    log.warn('subscriptions_unused', message, { reason: 'names', count: unnamed })
  }
}
