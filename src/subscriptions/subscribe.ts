// The rules for one subscription: which pairs are valid, and how many subjects a user may follow.

import { type Failure, failed, TOO_MANY_NAMES } from '../core/errors.ts'
import { type Result, refused, success } from '../core/result.ts'
import type { Subject } from '../core/user.ts'
import type { SubscriptionStores } from './stores.ts'

export interface SubscriptionRules {
  /** Highest user id. */
  readonly userIdMax: number
  /** Subjects that one user may follow. */
  readonly perUserMax: number
}

/** Adds one subscription; returns whether it is new. */
export function subscribe(
  { subscriptions, names }: SubscriptionStores,
  { perUserMax }: SubscriptionRules,
  subscriber: Subject,
  subject: Subject,
): Result<boolean, Failure> {
  if (subscriber === subject) {
    const text = `User ${subject} receives its own messages without a subscription.`
    return failed('subscription_to_self', text)
  }
  // Not interned yet: what is refused leaves no name behind.
  const known = names.idOf(subscriber)
  if (subscriptions.has(known, names.idOf(subject))) return success(false)
  if (subscriptions.countOf(known, perUserMax) >= perUserMax) {
    const text = `User ${subscriber} follows ${perUserMax} others, the maximum.`
    return failed('subscription_limit', text)
  }
  const [follower, followed] = [names.intern(subscriber), names.intern(subject)]
  if (follower === null || followed === null) return refused(TOO_MANY_NAMES)
  subscriptions.add(Uint32Array.of(follower, followed))
  return success(true)
}
