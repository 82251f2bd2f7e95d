// Who follows whom, in memory: the followers of every subject for the router, and if wanted the
// subjects of every follower for clients that resume. It changes only after the database has.

import { finish, type Steps } from '../core/steps.ts'
import { PairIndex, type PairLists, type SavedPairs } from './pair-index.ts'
import type { Followers, Follows, Pairs } from './subscriptions.ts'

/** Rows in order of subject, then subscriber. */
export type Rows = Iterable<{ readonly subject: number; readonly subscriber: number }>

interface BothDirections {
  readonly followers: PairIndex
  readonly subjects: PairIndex
  readonly pairs: number
}

/** An index of both directions, to be kept in a file. */
export interface SavedFollows {
  readonly pairs: number
  readonly followers: SavedPairs
  readonly subjects: SavedPairs
}

export interface FollowIndexOptions {
  readonly rows?: Rows
  /** Different subjects in the rows. */
  readonly subjects?: number
  /** Rows. */
  readonly pairs?: number
  /** Instead of rows: both directions, made already. */
  readonly both?: BothDirections
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
    both,
    findsSubjects = false,
  }: FollowIndexOptions = {}) {
    if (both !== undefined) {
      this.pairs = both.pairs
      this.#followers = both.followers
      this.#subjects = both.subjects
      return
    }
    const lists = listsOf(rows, subjects, pairs)
    this.pairs = pairs
    this.#followers = finish(PairIndex.byKey(lists))
    this.#subjects = findsSubjects ? finish(PairIndex.byValue(lists)) : null
  }

  /**
   * An index of both directions.
   *
   * @param lists the subjects of each follower; the index keeps the array of values
   */
  static *ofSubjects(lists: PairLists): Steps<FollowIndex> {
    const followers = yield* PairIndex.byValue(lists)
    const subjects = yield* PairIndex.byKey(lists)
    return new FollowIndex({ both: { followers, subjects, pairs: lists.values.length } })
  }

  /** The same index as the one that was saved, whose arrays it keeps. */
  static restored({ pairs, followers, subjects }: SavedFollows): FollowIndex {
    const both = {
      followers: PairIndex.restored(followers),
      subjects: PairIndex.restored(subjects),
      pairs,
    }
    return new FollowIndex({ both })
  }

  /**
   * All of it: a view if nothing has changed since it was made; else it is made again, which takes
   * as long as a start.
   */
  saved(): SavedFollows {
    const { pairs } = this
    const [followers, subjects] = [this.#followers, this.#subjects]
    if (subjects !== null && followers.changed === 0 && subjects.changed === 0) {
      return { pairs, followers: followers.saved(), subjects: subjects.saved() }
    }
    const lists = followers.lists(pairs)
    return {
      pairs,
      followers: finish(PairIndex.byKey(lists)).saved(),
      subjects: finish(PairIndex.byValue(lists)).saved(),
    }
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
