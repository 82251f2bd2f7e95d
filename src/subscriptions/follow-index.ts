// The followers of every subject in memory, for the router: a compact base in typed arrays, and an
// overlay of the subjects that have changed since. It changes only after the database has.

import { IntegerTable } from '../core/table.ts'
import type { Followers, Pairs } from './subscriptions.ts'

const NONE = new Uint32Array(0)

/** The followers of one subject, with room to grow. */
interface Grown {
  users: Uint32Array
  length: number
}

/** Rows in order of subject, then subscriber. */
export type Rows = Iterable<{ readonly subject: number; readonly subscriber: number }>

export class FollowersIndex implements Followers {
  pairs = 0
  /** Subjects with at least one follower. */
  subjects = 0

  /** Rows of a subject, where its followers begin in `#users`, and how many there are. */
  readonly #base: IntegerTable
  readonly #users: Uint32Array
  /** All followers of a changed subject, for which the base no longer counts. */
  readonly #changed = new Map<number, Grown>()

  /** Subjects that are in the overlay, of which each takes memory. */
  get changed(): number {
    return this.#changed.size
  }

  /**
   * Builds the base.
   *
   * @param subjects number of different subjects in the rows
   * @param pairs number of rows
   */
  constructor(rows: Rows, subjects: number, pairs: number) {
    const capacity = 2 ** Math.ceil(Math.log2(subjects * 2 + 2))
    this.#base = new IntegerTable({ width: 3, capacity })
    this.#users = new Uint32Array(pairs)
    const base = this.#base.rows
    let at = 0
    let row = 0
    let last = 0
    for (const { subject, subscriber } of rows) {
      if (subject !== last) {
        row = this.#base.find(subject)
        this.#base.occupy(row, subject)
        base[row + 1] = at
        last = subject
      }
      this.#users[at++] = subscriber
      base[row + 2] = at - (base[row + 1] as number)
    }
    this.pairs = at
    this.subjects = this.#base.size
  }

  subscribersOf(subject: number): Uint32Array {
    if (this.#changed.size > 0) {
      const grown = this.#changed.get(subject)
      if (grown !== undefined) return grown.users.subarray(0, grown.length)
    }
    const { rows } = this.#base
    const row = this.#base.find(subject)
    if (rows[row] !== subject) return NONE
    const start = rows[row + 1] as number
    return this.#users.subarray(start, start + (rows[row + 2] as number))
  }

  /** Adds pairs that are new. */
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

  /** Removes pairs that exist. The last follower takes the place of the removed one. */
  remove(pairs: Pairs): void {
    for (let at = 0; at < pairs.length; at += 2) {
      const subject = pairs[at + 1] as number
      const grown = this.#grownOf(subject)
      const where = grown.users.subarray(0, grown.length).indexOf(pairs[at] as number)
      if (where < 0) throw new Error(`${pairs[at]} does not follow ${subject} in memory`)
      grown.length--
      grown.users[where] = grown.users[grown.length] as number
      this.pairs--
      if (grown.length > 0) continue
      this.subjects--
      // Else a subject that was followed once would take memory for ever.
      if (!this.#isInBase(subject)) this.#changed.delete(subject)
    }
  }

  #isInBase(subject: number): boolean {
    return this.#base.rows[this.#base.find(subject)] === subject
  }

  #grownOf(subject: number): Grown {
    const known = this.#changed.get(subject)
    if (known !== undefined) return known
    // A copy, since the base is never written to.
    const users = this.subscribersOf(subject).slice()
    const grown = { users, length: users.length }
    this.#changed.set(subject, grown)
    return grown
  }
}
