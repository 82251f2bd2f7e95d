// A simple model of who follows whom, and how tests compare a store with it.

import { expect } from 'bun:test'
import { openDatabase } from './database.ts'
import { NameTable } from './name-table.ts'
import { type OwnStores, storesOf } from './stores.ts'
import type { ChangeRecorder, PageOfUsers, Pairs, Subscriptions } from './subscriptions.ts'

/** Few, so that random pairs overlap; the last is the highest id. */
export const USERS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 2_147_483_647]

export type Pair = readonly [subscriber: number, subject: number]

/** A Map of Sets: subscriber to subjects. */
export class Model {
  readonly #subjects = new Map<number, Set<number>>()

  add(pairs: readonly Pair[]): number {
    let changed = 0
    for (const [subscriber, subject] of pairs) {
      const subjects = this.#subjects.get(subscriber) ?? new Set<number>()
      this.#subjects.set(subscriber, subjects)
      if (!subjects.has(subject)) changed++
      subjects.add(subject)
    }
    return changed
  }

  remove(pairs: readonly Pair[]): number {
    let changed = 0
    for (const [subscriber, subject] of pairs) {
      if (this.#subjects.get(subscriber)?.delete(subject) === true) changed++
    }
    return changed
  }

  has(subscriber: number, subject: number): boolean {
    return this.#subjects.get(subscriber)?.has(subject) ?? false
  }

  subjectsOf(subscriber: number): number[] {
    return inOrder(this.#subjects.get(subscriber) ?? [])
  }

  subscribersOf(subject: number): number[] {
    const all = [...this.#subjects.keys()]
    return inOrder(all.filter((subscriber) => this.has(subscriber, subject)))
  }

  pairs(): Pair[] {
    const all = inOrder(this.#subjects.keys())
    return all.flatMap((from) => this.subjectsOf(from).map((to): Pair => [from, to]))
  }

  copy(): Model {
    const copy = new Model()
    copy.add(this.pairs())
    return copy
  }
}

export function inOrder(users: Iterable<number>): number[] {
  return [...users].sort((a, b) => a - b)
}

export function flat(pairs: readonly Pair[]): Uint32Array {
  return Uint32Array.from(pairs.flat())
}

export function openStore(path: string): Subscriptions {
  return openStores(path).subscriptions
}

/** Calls back with each change that was made. */
export function recorderOf(onMade: (pairs: Pairs, follows: boolean) => void): ChangeRecorder {
  let begun: readonly [Pairs, boolean] | null = null
  return {
    begin(pairs, follows) {
      expect(begun).toBeNull()
      begun = [pairs, follows]
    },
    end(isMade) {
      if (begun === null) throw new Error('no change was begun')
      if (isMade) onMade(...begun)
      begun = null
    },
  }
}

/** Opens a database that must open; the store has both directions in memory. */
export function openStores(path = ':memory:', recorder: ChangeRecorder | null = null): OwnStores {
  const names = new NameTable({ seed: 1 })
  const opened = openDatabase(path, names)
  if (!opened.ok) throw new Error(opened.why)
  return storesOf(opened.value, names, { findsSubjects: true, recorder })
}

/** Collects a list from its pages. */
export function walk(page: (after: number) => PageOfUsers): number[] {
  const users: number[] = []
  let after: number | null = 0
  while (after !== null) {
    const { users: some, next }: PageOfUsers = page(after)
    users.push(...some)
    after = next
  }
  return users
}

/** Compares all results of the store with the model's. */
export function expectSame(store: Subscriptions, model: Model, pageSize = 3): void {
  const answers = USERS.map((user) => ({
    user,
    followers: inOrder(store.subscribersOf(user)),
    follows: inOrder(store.subjectsOf(user)),
    subscribers: walk((after) => store.subscribersPage(user, after, pageSize)),
    subjects: walk((after) => store.subscriptionsPage(user, after, pageSize)),
    count: store.countOf(user, 1_000),
    has: USERS.filter((subject) => store.has(user, subject)),
  }))
  const expected = USERS.map((user) => {
    const followers = model.subscribersOf(user)
    const subjects = model.subjectsOf(user)
    const count = subjects.length
    return {
      user,
      followers,
      follows: subjects,
      subscribers: followers,
      ...{ subjects, count },
      has: subjects,
    }
  })
  expect(answers).toEqual(expected)
  expect(store.counts()).toEqual({
    subscriptions: model.pairs().length,
    subjects: USERS.filter((user) => model.subscribersOf(user).length > 0).length,
  })
}
