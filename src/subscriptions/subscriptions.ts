// Who follows whom: the interface that the router and the routes use.

import type { SQLiteError } from 'bun:sqlite'
import type { Failure } from '../core/errors.ts'
import type { Result } from '../core/result.ts'

/**
 * Pairs in bulk: subscriber, subject, subscriber, subject, … in one array, because millions of
 * objects would cost more than their contents.
 */
export type Pairs = Uint32Array

/** What the router needs. */
export interface Followers {
  /**
   * The users who follow a subject, each once, without the subject itself. Hot path: once a
   * message. The array may be a view of the store's memory: read it at once and do not change it.
   */
  subscribersOf(subject: number): Uint32Array
}

/** What those who resume need. */
export interface Follows {
  /**
   * The subjects that a user follows, each once, without the user itself. Hot path: once a client
   * that resumes. The array may be a view of the store's memory: read it at once and do not change
   * it.
   *
   * @throws in a store that was made without `findsSubjects`
   */
  subjectsOf(subscriber: number): Uint32Array
}

/**
 * Records changes elsewhere. It is told of each one before it is committed and after that, so that
 * it can have all that were made and no others, also if the process is killed between.
 */
export interface ChangeRecorder {
  /**
   * A change is about to be committed. Names in it have their handles. The array is not changed
   * afterwards.
   *
   * @param pairs that it adds or removes, in its order and each once, at least one
   * @param stamp of the subscriptions once it is committed
   */
  begin(pairs: Pairs, follows: boolean, stamp: number): void
  /** It is in the database and in memory; or it failed, and nothing has changed. */
  end(isMade: boolean): void
}

export interface SubscriptionsOptions {
  /** Are the subjects of a user found in memory, too? About 4.3 bytes a subscription more. */
  readonly findsSubjects?: boolean
  readonly recorder?: ChangeRecorder | null
}

/** One page of a list, in order of ids. */
export interface PageOfUsers {
  readonly users: number[]
  /** The users of the next page come after this one. Null on the last page. */
  readonly next: number | null
}

export interface SubscriptionCounts {
  readonly subscriptions: number
  /** Users with at least one follower. */
  readonly subjects: number
}

/**
 * A change is kept, on disk or by Redis, before it is in memory, and in memory before the caller
 * has its result, so it survives a kill of the process.
 */
export interface Subscriptions extends Followers, Follows {
  /**
   * May there be changes of other machines that this process has not heard of yet? Then only the
   * result of a change says what there was, and {@link has} and {@link countOf} are hints.
   */
  readonly isShared: boolean
  /**
   * Adds pairs, all or none, and ignores existing ones.
   *
   * @param pairs `subscriptionLimits.batchPairs` at most
   * @param perUserMax subjects that a user may follow, beyond which it gets no other one and the
   *   failure is `subscription_limit`; null, or left out, for any number
   * @returns how many were new
   */
  add(pairs: Pairs, perUserMax?: number | null): Promise<Result<number, Failure>>
  /**
   * Removes pairs, all or none, and ignores missing ones.
   *
   * @param pairs `subscriptionLimits.batchPairs` at most
   * @returns how many there were
   */
  remove(pairs: Pairs): Promise<Result<number, Failure>>
  /** Counts the subjects that a user follows, up to `max`. */
  countOf(subscriber: number, max: number): number
  has(subscriber: number, subject: number): boolean
  /** Users who follow the subject, with ids above `after`. */
  subscribersPage(subject: number, after: number, size: number): PageOfUsers
  /** Subjects that the subscriber follows, with ids above `after`. */
  subscriptionsPage(subscriber: number, after: number, size: number): PageOfUsers
  counts(): SubscriptionCounts
  /** Ends it; no method is called afterwards. */
  close(): void
}

/**
 * Those of a database, which no other process changes meanwhile. What it refuses, a change throws
 * as SQLiteError, and nothing has changed. A change is made before its method returns its promise.
 */
export interface StoredSubscriptions extends Subscriptions {
  /** Another one after each change, also of another process while this one did not run. */
  readonly stamp: number
  /** Writes without changing anything; returns the error if that failed, else null. */
  tryWrite(): SQLiteError | null
}
