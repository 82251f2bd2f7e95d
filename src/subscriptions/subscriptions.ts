// Who follows whom: what the router and the routes ask of it. Implementations lie beside this file.

import type { SQLiteError } from 'bun:sqlite'

/**
 * Pairs as they go in and out in bulk: subscriber, subject, subscriber, subject, … in one array,
 * because millions of objects would cost more than what they say.
 */
export type Pairs = Uint32Array

/** What the router asks. */
export interface Followers {
  /**
   * The users who follow a subject, each once, without the subject itself. Hot path: once a message.
   * The array may be a view of the store's own memory: read it at once and do not change it.
   */
  subscribersOf(subject: number): Uint32Array
}

/** One page of a list, in order of ids. */
export interface Page {
  readonly users: number[]
  /** Where the next page begins: its users come after this one. Null if there is none. */
  readonly next: number | null
}

export interface SubscriptionCounts {
  readonly subscriptions: number
  /** Users whom somebody follows. */
  readonly subjects: number
}

/**
 * Every change is on disk before it is in memory and before the caller has its answer; so what was
 * answered is there after the process was killed.
 */
export interface Subscriptions extends Followers {
  /** Adds pairs, all or none; those that are there already change nothing. Answers how many were new. */
  add(pairs: Pairs): number
  /** Removes pairs, all or none; those that are not there change nothing. Answers how many were. */
  remove(pairs: Pairs): number
  /** How many subjects a user follows, counted up to `max`. */
  countOf(subscriber: number, max: number): number
  /** Does the subscriber follow the subject? */
  has(subscriber: number, subject: number): boolean
  /** Users who follow the subject, with ids above `after`. */
  subscribersPage(subject: number, after: number, size: number): Page
  /** Users whom the subscriber follows, with ids above `after`. */
  subscriptionsPage(subscriber: number, after: number, size: number): Page
  counts(): SubscriptionCounts
  /** Writes what changes nothing; answers why that failed, or null. */
  tryWrite(): SQLiteError | null
  close(): void
}
