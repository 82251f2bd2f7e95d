// The followers of every subject, in memory, for the router: a compact base in typed arrays, and a
// small overlay of the subjects that have changed since. It never changes by itself: what owns
// the disk tells it, after the disk.

import { homeOf } from '../core/hash.ts'
import type { Followers, Pairs } from './subscriptions.ts'

const NOBODY = new Uint32Array(0)

/** One subject's followers, with room to grow. */
interface Grown {
  users: Uint32Array
  length: number
}

/** Rows in order of subject, and within one of subscriber. */
export type Rows = Iterable<{ readonly subject: number; readonly subscriber: number }>

export class FollowersIndex implements Followers {
  /** Pairs in all. */
  pairs = 0
  /** Subjects with at least one follower. */
  subjects = 0

  /** An open-addressing table from subject to its place in `#users`; subject 0 is a free place. */
  readonly #keys: Uint32Array
  readonly #starts: Uint32Array
  readonly #users: Uint32Array
  /** A changed subject's followers, all of them: the base no longer counts for it. */
  readonly #changed = new Map<number, Grown>()

  /**
   * Builds the base.
   *
   * @param subjects how many different subjects the rows have
   * @param pairs how many rows there are
   */
  constructor(rows: Rows, subjects: number, pairs: number) {
    const capacity = 2 ** Math.ceil(Math.log2(subjects * 2 + 2))
    this.#keys = new Uint32Array(capacity)
    // Two numbers a place: where its users begin, and how many they are.
    this.#starts = new Uint32Array(capacity * 2)
    this.#users = new Uint32Array(pairs)
    let at = 0
    let place = -1
    let last = 0
    for (const { subject, subscriber } of rows) {
      if (subject !== last) {
        place = this.#placeOf(subject)
        this.#keys[place] = subject
        this.#starts[place * 2] = at
        last = subject
        this.subjects++
      }
      this.#users[at++] = subscriber
      this.#starts[place * 2 + 1] = (this.#starts[place * 2 + 1] ?? 0) + 1
    }
    this.pairs = at
  }

  subscribersOf(subject: number): Uint32Array {
    if (this.#changed.size > 0) {
      const grown = this.#changed.get(subject)
      if (grown !== undefined) return grown.users.subarray(0, grown.length)
    }
    const place = this.#placeOf(subject)
    if (this.#keys[place] !== subject) return NOBODY
    const start = this.#starts[place * 2] as number
    return this.#users.subarray(start, start + (this.#starts[place * 2 + 1] as number))
  }

  /** Adds pairs that are not there yet. */
  add(pairs: Pairs): void {
    for (let at = 0; at < pairs.length; at += 2) {
      const grown = this.#grownOf(pairs[at + 1] as number)
      if (grown.length === grown.users.length) {
        const larger = new Uint32Array(Math.max(4, grown.length * 2))
        larger.set(grown.users)
        grown.users = larger
      }
      if (grown.length === 0) this.subjects++
      grown.users[grown.length++] = pairs[at] as number
      this.pairs++
    }
  }

  /** Removes pairs that are there. The last follower takes the place of the one that goes. */
  remove(pairs: Pairs): void {
    for (let at = 0; at < pairs.length; at += 2) {
      const grown = this.#grownOf(pairs[at + 1] as number)
      const where = grown.users.subarray(0, grown.length).indexOf(pairs[at] as number)
      if (where < 0) throw new Error(`${pairs[at]} does not follow ${pairs[at + 1]} in memory`)
      grown.length--
      grown.users[where] = grown.users[grown.length] as number
      if (grown.length === 0) this.subjects--
      this.pairs--
    }
  }

  #grownOf(subject: number): Grown {
    const known = this.#changed.get(subject)
    if (known !== undefined) return known
    // A copy of what the base has, which is never written to.
    const users = this.subscribersOf(subject).slice()
    const grown = { users, length: users.length }
    this.#changed.set(subject, grown)
    return grown
  }

  #placeOf(subject: number): number {
    const mask = this.#keys.length - 1
    let place = homeOf(subject, mask)
    while (this.#keys[place] !== 0 && this.#keys[place] !== subject) place = (place + 1) & mask
    return place
  }
}
