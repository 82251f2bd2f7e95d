// The rules for one subscription: which pairs are valid, and how many subjects a user may follow.

import { type Failure, failed } from '../core/errors.ts'
import { type Result, success } from '../core/result.ts'
import type { Subscriptions } from './subscriptions.ts'

export interface SubscriptionRules {
  /** Highest user id. */
  readonly userIdMax: number
  /** Subjects that one user may follow. */
  readonly perUserMax: number
}

/** Adds one subscription; returns whether it is new. */
export function subscribe(
  subscriptions: Subscriptions,
  { perUserMax }: SubscriptionRules,
  subscriber: number,
  subject: number,
): Result<boolean, Failure> {
  if (subscriber === subject) {
    const text = `User ${subject} receives its own messages without a subscription.`
    return failed('subscription_to_self', text)
  }
  if (subscriptions.has(subscriber, subject)) return success(false)
  if (subscriptions.countOf(subscriber, perUserMax) >= perUserMax) {
    const text = `User ${subscriber} follows ${perUserMax} others, the maximum.`
    return failed('subscription_limit', text)
  }
  subscriptions.add(Uint32Array.of(subscriber, subject))
  return success(true)
}
