// The rules for one subscription: which pairs there may be, and how many one user may have.
// It knows no HTTP.

import { failed, type Result, success } from '../core/errors.ts'
import type { Subscriptions } from './subscriptions.ts'

export interface SubscriptionRules {
  /** Highest user id. */
  readonly userIdMax: number
  /** Subjects that one user may follow. */
  readonly perUserMax: number
}

/** Adds one subscription; answers whether it is new. */
export function subscribe(
  subscriptions: Subscriptions,
  rules: SubscriptionRules,
  subscriber: number,
  subject: number,
): Result<boolean> {
  if (subscriber === subject) {
    return failed('subscription_to_self', `User ${subject} gets his own messages without that.`)
  }
  if (subscriptions.has(subscriber, subject)) return success(false)
  if (isFull(subscriptions, rules, subscriber)) {
    return failed(
      'subscription_limit',
      `User ${subscriber} follows ${rules.perUserMax} others, the most there may be.`,
    )
  }
  subscriptions.add(Uint32Array.of(subscriber, subject))
  return success(true)
}

function isFull(subscriptions: Subscriptions, rules: SubscriptionRules, user: number): boolean {
  return subscriptions.countOf(user, rules.perUserMax) >= rules.perUserMax
}
