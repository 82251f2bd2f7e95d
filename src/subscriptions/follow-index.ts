// Who follows whom, in memory: the followers of every subject for the router, and if wanted the
// subjects of every follower for clients that resume. It changes only after the database has.

import { PairIndex, type PairLists } from './pair-index.ts'
import type { Followers, Follows, Pairs } from './subscriptions.ts'

/** Rows in order of subject, then subscriber. */
export type Rows = Iterable<{ readonly subject: number; readonly subscriber: number }>

export interface FollowIndexOptions {
  readonly rows?: Rows
  /** Different subjects in the rows. */
  readonly subjects?: number
  /** Rows. */
  readonly pairs?: number
  /** Instead of rows: the subjects of each follower. The index keeps the array of values. */
  readonly lists?: PairLists
  /** Are the subjects of a follower found, too? */
  readonly findsSubjects?: boolean
}

export class FollowIndex implements Followers, Follows {
  pairs: number
  readonly #followers: PairIndex
  readonly #subjects: PairIndex | null

  constructor({
    rows = [],
    subjects = 0,
    pairs = 0,
    lists,
    findsSubjects = false,
  }: FollowIndexOptions = {}) {
    if (lists !== undefined) {
      this.pairs = lists.values.length
      this.#followers = PairIndex.byValue(lists)
      this.#subjects = findsSubjects ? PairIndex.byKey(lists) : null
      return
    }
    const followers = listsOf(rows, subjects, pairs)
    this.pairs = pairs
    this.#followers = PairIndex.byKey(followers)
    this.#subjects = findsSubjects ? PairIndex.byValue(followers) : null
  }

  /** Subjects with at least one follower. */
  get subjects(): number {
    return this.#followers.keys
  }

  subscribersOf(subject: number): Uint32Array {
    return this.#followers.valuesOf(subject)
  }

  subjectsOf(subscriber: number): Uint32Array {
    if (this.#subjects === null) throw new Error('subjects of followers are not in memory')
    return this.#subjects.valuesOf(subscriber)
  }

  /** Looks through the shorter of two lists; in a store that has both directions in memory. */
  has(subscriber: number, subject: number): boolean {
    const subjects = this.subjectsOf(subscriber)
    const followers = this.subscribersOf(subject)
    return subjects.length < followers.length
      ? subjects.includes(subject)
      : followers.includes(subscriber)
  }

  /** Adds a pair or removes it; answers whether it was not so before. */
  set(subscriber: number, subject: number, follows: boolean): boolean {
    if (this.has(subscriber, subject) === follows) return false
    const pair = Uint32Array.of(subscriber, subject)
    if (follows) this.add(pair)
    else this.remove(pair)
    return true
  }

  /** Adds pairs that are new. */
  add(pairs: Pairs): void {
    for (let at = 0; at < pairs.length; at += 2) {
      const subscriber = pairs[at] as number
      const subject = pairs[at + 1] as number
      this.#followers.add(subject, subscriber)
      this.#subjects?.add(subscriber, subject)
      this.pairs++
    }
  }

  /** Removes pairs that exist. */
  remove(pairs: Pairs): void {
    for (let at = 0; at < pairs.length; at += 2) {
      const subscriber = pairs[at] as number
      const subject = pairs[at + 1] as number
      this.#followers.remove(subject, subscriber)
      this.#subjects?.remove(subscriber, subject)
      this.pairs--
    }
  }
}

/** Subjects are the keys. */
function listsOf(rows: Rows, subjects: number, pairs: number): PairLists {
  const keys = new Uint32Array(subjects)
  const starts = new Uint32Array(subjects + 1)
  const values = new Uint32Array(pairs)
  let known = 0
  let at = 0
  let last = 0
  for (const { subject, subscriber } of rows) {
    if (subject !== last) {
      keys[known] = subject
      starts[known++] = at
      last = subject
    }
    values[at++] = subscriber
  }
  if (known !== subjects || at !== pairs) {
    throw new Error(`${subjects} subjects with ${pairs} pairs were announced, not ${known}, ${at}`)
  }
  starts[known] = at
  return { keys, starts, values }
}
