// Who follows whom with `--bus`: all of it in the memory of each node, which applies a change when
// it reads it from the shared log.

import { type Failure, failed } from '../core/errors.ts'
import { type FollowLimits, followLimits } from '../core/follow-limits.ts'
import { subscriptionLimits } from '../core/limits.ts'
import { LowestNumbers } from '../core/lowest.ts'
import { type Result, refused, success } from '../core/result.ts'
import { finish, finishInTurns, type Steps } from '../core/steps.ts'
import { grown } from '../core/typed-array.ts'
import type { NamedUser } from '../core/user.ts'
import { FollowIndex } from './follow-index.ts'
import { FollowLists } from './follow-lists.ts'
import { isHandle, type NameTable, NOBODY } from './name-table.ts'
import type { PageOfUsers, Pairs, SubscriptionCounts, Subscriptions } from './subscriptions.ts'

export interface FollowPair {
  readonly user: NamedUser
  readonly subject: NamedUser
}

/** A change as the log has it. */
export interface FollowPairChange extends FollowPair {
  readonly follows: boolean
}

/**
 * Why a change was not made. `limit`: a user would follow too many. `full`, `closed` and
 * `unavailable`: it was not sent. `unknown`: it may have been made or not.
 */
export type FollowRefusal = 'limit' | 'full' | 'closed' | 'unavailable' | 'unknown' | 'conflict'

/** Changes who follows whom on all nodes. */
export interface FollowChanger {
  /**
   * Changes all pairs or none.
   *
   * @param perUserMax subjects that a user may follow; null for any number
   * @returns how many were not so before, once {@link SharedSubscriptions.apply} has had them
   */
  changeFollows(
    pairs: readonly FollowPair[],
    follows: boolean,
    perUserMax: number | null,
  ): Promise<Result<number, FollowRefusal>>
}

/** Reads who follows whom into the lists. */
export type ReadFollows = (lists: FollowLists) => Promise<Result<void>>

/** What was read. */
export interface FollowsRead {
  readonly subscriptions: number
  /** Invalid pairs, and pairs with names for which the name table had no room. */
  readonly ignored: number
  readonly unnamed: number
}

export interface SharedSubscriptionsOptions {
  readonly names: Pick<NameTable, 'intern' | 'nameOf'>
  readonly changer: FollowChanger
  readonly limits?: FollowLimits
}

export class SharedSubscriptions implements Subscriptions {
  readonly isShared = true
  /** Changes that could not be applied because the name table was full. */
  unnamed = 0
  readonly #names: SharedSubscriptionsOptions['names']
  readonly #changer: FollowChanger
  readonly #limits: FollowLimits
  #index = new FollowIndex({ findsSubjects: true })
  /** Changes since the sets began to be read; null while they are not being read. */
  #changes: Changes | null = null

  constructor({ names, changer, limits = followLimits }: SharedSubscriptionsOptions) {
    this.#names = names
    this.#changer = changer
    this.#limits = limits
  }

  /** Are the sets being read? */
  get isLoading(): boolean {
    return this.#changes !== null
  }

  /**
   * Reads all sets again; the old ones are used until it is done. One call at a time. Changes that
   * are applied meanwhile win over what was read: the last change of a pair decides.
   */
  async load(read: ReadFollows): Promise<Result<FollowsRead>> {
    if (this.#changes !== null) throw new Error('the subscriptions are being read already')
    const changes = new Changes(this.#limits.changesMax)
    this.#changes = changes
    try {
      const lists = new FollowLists(this.#names)
      const done = await read(lists)
      if (!done.ok) return done
      const index = await finishInTurns(FollowIndex.ofSubjects(await lists.sorted()))
      await finishInTurns(changes.applyTo(index))
      // Changes that came in the turns of the loop in between.
      finish(changes.applyTo(index))
      if (changes.isFull) {
        return refused(`more than ${this.#limits.changesMax} changes came while it was read`)
      }
      this.#index = index
      const { ignored, unnamed } = lists
      return success({ subscriptions: index.pairs, ignored, unnamed })
    } finally {
      this.#changes = null
    }
  }

  /**
   * Takes a change of the log, in the order of the log. Hot path: once a change.
   *
   * @returns whether it was not so before
   */
  apply({ user, subject, follows }: FollowPairChange): boolean {
    if (user.id === NOBODY || subject.id === NOBODY) {
      this.unnamed++
      return false
    }
    if (user.id === subject.id) return false
    this.#changes?.add(user.id, subject.id, follows)
    return this.#index.set(user.id, subject.id, follows)
  }

  /** Is the handle of a name in use? While sets are read, any may be. */
  refersTo(handle: number): boolean {
    if (this.#changes !== null) return true
    const index = this.#index
    return index.subjectsOf(handle).length > 0 || index.subscribersOf(handle).length > 0
  }

  subscribersOf(subject: number): Uint32Array {
    return this.#index.subscribersOf(subject)
  }

  subjectsOf(subscriber: number): Uint32Array {
    return this.#index.subjectsOf(subscriber)
  }

  add(pairs: Pairs, perUserMax: number | null = null): Promise<Result<number, Failure>> {
    return this.#change(pairs, true, perUserMax)
  }

  remove(pairs: Pairs): Promise<Result<number, Failure>> {
    return this.#change(pairs, false, null)
  }

  has(subscriber: number, subject: number): boolean {
    return this.#index.has(subscriber, subject)
  }

  countOf(subscriber: number, max: number): number {
    return Math.min(this.#index.subjectsOf(subscriber).length, max)
  }

  subscribersPage(subject: number, after: number, size: number): PageOfUsers {
    return pageOf(this.#index.subscribersOf(subject), after, size)
  }

  subscriptionsPage(subscriber: number, after: number, size: number): PageOfUsers {
    return pageOf(this.#index.subjectsOf(subscriber), after, size)
  }

  counts(): SubscriptionCounts {
    return { subscriptions: this.#index.pairs, subjects: this.#index.subjects }
  }

  close(): void {
    this.#index = new FollowIndex({ findsSubjects: true })
  }

  async #change(
    pairs: Pairs,
    follows: boolean,
    perUserMax: number | null,
  ): Promise<Result<number, Failure>> {
    if (pairs.length > 2 * subscriptionLimits.batchPairs) throw new Error('too many pairs at once')
    const named: FollowPair[] = []
    for (let at = 0; at < pairs.length; at += 2) {
      const [user, subject] = [pairs[at] as number, pairs[at + 1] as number]
      // An unknown name follows no subject and has no followers.
      if (user === NOBODY || subject === NOBODY) continue
      named.push({ user: this.#named(user), subject: this.#named(subject) })
    }
    if (named.length === 0) return success(0)
    const changed = await this.#changer.changeFollows(named, follows, perUserMax)
    return changed.ok ? changed : failureOf(changed.why, perUserMax)
  }

  #named(id: number): NamedUser {
    return { id, name: isHandle(id) ? this.#names.nameOf(id) : null }
  }
}

/** Numbers of changes that are applied in one step: about ten milliseconds of them. */
const CHANGES_PER_STEP = 3 * 5_000

/** Changes of pairs, in their order; as numbers, since there may be a million. */
class Changes {
  /** Were there more than it holds? */
  isFull = false
  readonly #lengthMax: number
  /** User, subject, and whether the one follows the other. */
  #all = new Uint32Array(3 * 1_024)
  #length = 0
  /** How many of these numbers were applied. */
  #applied = 0

  constructor(changesMax: number) {
    this.#lengthMax = 3 * changesMax
  }

  add(user: number, subject: number, follows: boolean): void {
    if (this.#length >= this.#lengthMax) this.isFull = true
    if (this.isFull) return
    if (this.#length === this.#all.length) this.#all = grown(this.#all, 2 * this.#length)
    this.#all[this.#length++] = user
    this.#all[this.#length++] = subject
    this.#all[this.#length++] = follows ? 1 : 0
  }

  /** Applies those that it has not applied yet; always to the same index. */
  *applyTo(index: FollowIndex): Steps<void> {
    let pause = this.#applied + CHANGES_PER_STEP
    while (this.#applied < this.#length) {
      const at = this.#applied
      const [user, subject] = [this.#all[at] as number, this.#all[at + 1] as number]
      index.set(user, subject, this.#all[at + 2] === 1)
      this.#applied += 3
      if (at < pause) continue
      pause = at + CHANGES_PER_STEP
      yield
    }
  }
}

/** Reads the whole list without sorting it: it may have millions. */
function pageOf(list: Uint32Array, after: number, size: number): PageOfUsers {
  const lowest = new LowestNumbers(size + 1)
  for (let at = 0; at < list.length; at++) {
    const user = list[at] as number
    if (user > after) lowest.add(user)
  }
  const users = [...lowest.take()]
  return users.length > size
    ? { users: users.slice(0, size), next: users[size - 1] ?? null }
    : { users, next: null }
}

function failureOf(why: FollowRefusal, perUserMax: number | null): Result<never, Failure> {
  switch (why) {
    case 'limit':
      return failed('subscription_limit', `A user would follow more than ${perUserMax} others.`)
    case 'full':
      return failed(
        'bus_unavailable',
        'The queue to Redis is full; nothing has changed. Send it again later.',
      )
    case 'unavailable':
      return failed(
        'bus_unavailable',
        'Redis is not available; nothing has changed. Send it again later.',
      )
    case 'closed':
      return failed(
        'draining',
        'The server is stopping; nothing has changed. Send it to another node.',
      )
    case 'unknown':
      return failed(
        'outcome_unknown',
        'Redis did not answer: the change may have been made or not. Send it again.',
      )
    case 'conflict':
      throw new Error('a change of who follows whom has no key')
  }
}
