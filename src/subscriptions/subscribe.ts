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
export async function subscribe(
  { subscriptions, names }: SubscriptionStores,
  { perUserMax }: SubscriptionRules,
  subscriber: Subject,
  subject: Subject,
): Promise<Result<boolean, Failure>> {
  if (subscriber === subject) {
    const text = `User ${subject} receives its own messages without a subscription.`
    return failed('subscription_to_self', text)
  }
  if (!subscriptions.isShared) {
    // Not interned yet: what is refused leaves no name behind.
    const known = names.idOf(subscriber)
    if (subscriptions.has(known, names.idOf(subject))) return success(false)
    if (subscriptions.countOf(known, perUserMax) >= perUserMax) {
      return refused(followsTooMany(subscriber, perUserMax))
    }
  }
  const [follower, followed] = [names.intern(subscriber), names.intern(subject)]
  if (follower === null || followed === null) return refused(TOO_MANY_NAMES)
  const added = await subscriptions.add(Uint32Array.of(follower, followed), perUserMax)
  if (added.ok) return success(added.value > 0)
  const isLimit = added.why.code === 'subscription_limit'
  return isLimit ? refused(followsTooMany(subscriber, perUserMax)) : added
}

/** Removes one subscription; returns whether there was one. */
export async function unsubscribe(
  { subscriptions, names }: SubscriptionStores,
  subscriber: Subject,
  subject: Subject,
): Promise<Result<boolean, Failure>> {
  const stores = { subscriptions, names }
  const [follower, followed] = [idToRemove(stores, subscriber), idToRemove(stores, subject)]
  if (follower === null || followed === null) return refused(TOO_MANY_NAMES)
  const removed = await subscriptions.remove(Uint32Array.of(follower, followed))
  return removed.ok ? success(removed.value > 0) : removed
}

/**
 * By what a subscription is removed; null if there is no room for a name. A name that is not known
 * here is in none, unless another machine has added it a moment ago: then only its text tells.
 */
export function idToRemove(
  { subscriptions, names }: SubscriptionStores,
  user: Subject,
): number | null {
  return subscriptions.isShared ? names.intern(user) : names.idOf(user)
}

export function followsTooMany(subscriber: Subject, perUserMax: number): Failure {
  const message = `User ${subscriber} follows ${perUserMax} others, the maximum.`
  return { code: 'subscription_limit', message }
}
