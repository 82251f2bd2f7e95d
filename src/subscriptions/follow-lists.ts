// The subjects of each user as they are read, one user after another and in any order, until there
// is an index of them: numbers in a few arrays, since there are millions.

import { messageLimits, subscriptionLimits } from '../core/limits.ts'
import { isName } from '../core/name.ts'
import { finishInTurns, type Steps } from '../core/steps.ts'
import { grown } from '../core/typed-array.ts'
import { userIdOf } from '../core/user.ts'
import type { NameTable } from './name-table.ts'
import type { PairLists } from './pair-index.ts'
import { sortPairs } from './sort.ts'

/** Room at first; it doubles from there. */
const FIRST_USERS = 1_024
const FIRST_VALUES = 16 * FIRST_USERS
/** Pairs that are put in order in one step, which takes up to 20 ms. */
const PAIRS_PER_STEP = 500_000

export class FollowLists {
  /** Pairs that are not in it because they are none: who can write to Redis can write anything. */
  ignored = 0
  /** Pairs that are not in it because there is no room for another name. */
  unnamed = 0
  readonly #names: Pick<NameTable, 'intern'>
  readonly #pairsMax: number
  /** Users in the order in which they came, and where in the values those of each begin. */
  #users = new Uint32Array(FIRST_USERS)
  #starts = new Uint32Array(FIRST_USERS + 1)
  #length = 0
  #values = new Uint32Array(FIRST_VALUES)
  #pairs = 0

  constructor(names: Pick<NameTable, 'intern'>, pairsMax = subscriptionLimits.loadPairsMax) {
    this.#names = names
    this.#pairsMax = pairsMax
  }

  /** Pairs in it; of a user who came twice, all. */
  get pairs(): number {
    return this.#pairs
  }

  /**
   * Adds a user and all whom it follows, each once. Of a user who comes twice, the last time
   * counts. Hot path: once a user when a node starts.
   *
   * @returns false if there is no room for so many
   */
  add(user: string, subjects: readonly string[]): boolean {
    if (this.#pairs + subjects.length > this.#pairsMax) return false
    const subscriber = this.#idOf(user)
    if (subscriber === null || subscriber === 0) {
      if (subscriber === 0) this.ignored += subjects.length
      else this.unnamed += subjects.length
      return true
    }
    this.#makeRoom(subjects.length)
    for (let at = 0; at < subjects.length; at++) {
      const subject = this.#idOf(subjects[at] as string)
      if (subject === null) this.unnamed++
      else if (subject === 0 || subject === subscriber) this.ignored++
      else this.#values[this.#pairs++] = subject
    }
    this.#users[this.#length++] = subscriber
    this.#starts[this.#length] = this.#pairs
    return true
  }

  /** All of it in order of users, each once; the subjects of each in any order. */
  async sorted(): Promise<PairLists> {
    const order = new Uint32Array(2 * this.#length)
    for (let at = 0; at < this.#length; at++) {
      order[2 * at] = this.#users[at] as number
      order[2 * at + 1] = at
    }
    const sorted = await sortPairs(order, () => new Promise(setImmediate))
    return await finishInTurns(this.#inOrder(sorted))
  }

  /** @param order users and their places in `#users`, in order of both */
  *#inOrder(order: Uint32Array): Steps<PairLists> {
    const keys = new Uint32Array(this.#length)
    const starts = new Uint32Array(this.#length + 1)
    const values = new Uint32Array(this.#pairs)
    let known = 0
    let [end, pause] = [0, PAIRS_PER_STEP]
    for (let at = 0; at < order.length; at += 2) {
      const [user, place] = [order[at] as number, order[at + 1] as number]
      // Of the same user, the last one is the one that was read last.
      if (order[at + 2] === user) continue
      const length = this.#copy(place, values, end)
      if (length === 0) continue
      end += length
      keys[known++] = user
      starts[known] = end
      if (end < pause) continue
      pause = end + PAIRS_PER_STEP
      yield
    }
    return {
      keys: keys.subarray(0, known),
      starts: starts.subarray(0, known + 1),
      values: values.subarray(0, end),
    }
  }

  /** The subjects of one user; answers how many. */
  #copy(place: number, to: Uint32Array, at: number): number {
    const [start, end] = [this.#starts[place] as number, this.#starts[place + 1] as number]
    for (let next = start; next < end; next++) to[at + next - start] = this.#values[next] as number
    return end - start
  }

  /** 0 for what is no user; null for a name for which there is no room. */
  #idOf(text: string): number | null {
    const number = userIdOf(text)
    if (number > 0) return number <= messageLimits.userIdMax ? number : 0
    return isName(text) ? this.#names.intern(text) : 0
  }

  #makeRoom(subjects: number): void {
    if (this.#length === this.#users.length) {
      this.#users = grown(this.#users, 2 * this.#length)
      this.#starts = grown(this.#starts, 2 * this.#length + 1)
    }
    const pairs = this.#pairs + subjects
    if (pairs <= this.#values.length) return
    this.#values = grown(this.#values, Math.max(pairs, 2 * this.#values.length))
  }
}
