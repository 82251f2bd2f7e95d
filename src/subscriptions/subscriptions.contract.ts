// What every store of subscriptions promises, wherever it keeps them. Method: random changes beside
// a model, with restarts in between; and examples of limits, names and pages.

import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { success } from '../core/result.ts'
import { expectSame, flat, inOrder, Model, type Pair, USERS, walk } from './model.fixture.ts'
import type { SubscriptionStores } from './stores.ts'
import { subscribe, unsubscribe } from './subscribe.ts'
import type { Subscriptions } from './subscriptions.ts'

export interface OpenedStore extends SubscriptionStores, AsyncDisposable {}

/** Opens a store with what is kept at a place: a new one has nothing. */
export type OpenStore = (place: string) => Promise<OpenedStore>

const user = fc.constantFrom(...USERS)
const pair = fc.tuple(user, user).filter(([a, b]) => a !== b)
/** Some pairs twice or more, at random positions. */
const pairs = fc
  .array(pair, { maxLength: 15 })
  .chain((some) =>
    some.length === 0
      ? fc.constant(some)
      : fc
          .array(fc.constantFrom(...some), { maxLength: 5 })
          .map((again) => [...again, ...some, ...again]),
  )

type Step =
  | { readonly does: 'add' | 'remove'; readonly pairs: Pair[] }
  | { readonly does: 'look'; readonly user: number; readonly after: number; readonly size: number }
  | { readonly does: 'restart' }

const change: fc.Arbitrary<Step> = fc.record({
  does: fc.constantFrom('add' as const, 'add' as const, 'remove' as const),
  pairs: fc.oneof(
    pairs,
    pair.map((one) => [one]),
  ),
})
const look: fc.Arbitrary<Step> = fc.record({
  does: fc.constant('look' as const),
  user,
  after: fc.oneof(fc.constant(0), user),
  size: fc.integer({ min: 1, max: 12 }),
})
const restart: fc.Arbitrary<Step> = fc.record({ does: fc.constant('restart' as const) })
const step = fc.oneof(
  { weight: 6, arbitrary: change },
  { weight: 5, arbitrary: look },
  { weight: 1, arbitrary: restart },
)

/** Compares what the store and the model return for one user. */
function looksSame(
  store: Subscriptions,
  model: Model,
  { user, after, size }: Extract<Step, { does: 'look' }>,
): void {
  const followers = model.subscribersOf(user)
  const subjects = model.subjectsOf(user)
  expect({
    followers: inOrder(store.subscribersOf(user)),
    follows: inOrder(store.subjectsOf(user)),
    has: store.has(user, after),
    count: store.countOf(user, size),
    subscribers: store.subscribersPage(user, after, size),
    subjects: store.subscriptionsPage(user, after, size),
  }).toEqual({
    followers,
    follows: subjects,
    has: model.has(user, after),
    count: Math.min(subjects.length, size),
    subscribers: pageOf(followers, after, size),
    subjects: pageOf(subjects, after, size),
  })
}

function pageOf(all: readonly number[], after: number, size: number) {
  const rest = all.filter((user) => user > after)
  const users = rest.slice(0, size)
  return { users, next: rest.length > size ? (users.at(-1) ?? null) : null }
}

let places = 0

/** @param runs of the random test */
export function subscriptionsContract(open: OpenStore, { runs }: { readonly runs: number }): void {
  const newPlace = () => `place-${places++}`

  async function runSteps(steps: readonly Step[]): Promise<void> {
    const place = newPlace()
    const model = new Model()
    let opened = await open(place)
    try {
      for (const step of steps) {
        const store = opened.subscriptions
        if (step.does === 'look') looksSame(store, model, step)
        else if (step.does === 'restart') {
          await opened[Symbol.asyncDispose]()
          opened = await open(place)
          expectSame(opened.subscriptions, model)
        } else {
          const changed = await store[step.does](flat(step.pairs))
          expect(changed).toEqual(success(model[step.does](step.pairs)))
        }
      }
      expectSame(opened.subscriptions, model)
      expectSame(opened.subscriptions, model, 1)
    } finally {
      await opened[Symbol.asyncDispose]()
    }
  }

  test('a store behaves like a Map of Sets, with restarts in between', async () => {
    const steps = fc.array(step, { maxLength: 40, size: 'max' })
    await fc.assert(fc.asyncProperty(steps, runSteps), { numRuns: runs })
  })

  const withStore = (name: string, run: (stores: SubscriptionStores) => Promise<void>) => {
    test(name, async () => {
      await using opened = await open(newPlace())
      await run(opened)
    })
  }

  withStore('a batch of changes may be empty', async ({ subscriptions: store }) => {
    expect(await store.add(new Uint32Array(0))).toEqual(success(0))
    expect(await store.remove(new Uint32Array(0))).toEqual(success(0))
    expectSame(store, new Model())
  })

  withStore('a batch counts a pair once that it has twice', async ({ subscriptions: store }) => {
    expect(await store.add(Uint32Array.of(1, 2, 1, 2, 3, 2, 1, 2))).toEqual(success(2))
    expect(inOrder(store.subscribersOf(2))).toEqual([1, 3])
    expect(await store.remove(Uint32Array.of(1, 2, 1, 2, 4, 2))).toEqual(success(1))
    expect(inOrder(store.subscribersOf(2))).toEqual([3])
  })

  withStore('a batch may be a view of an array that is changed afterwards', async (stores) => {
    const store = stores.subscriptions
    const large = Uint32Array.of(9, 9, 1, 2, 3, 2, 9, 9)
    const added = store.add(large.subarray(2, 6))
    large.fill(8)
    expect(await added).toEqual(success(2))
    expect(inOrder(store.subscribersOf(2))).toEqual([1, 3])
    expect(store.counts()).toEqual({ subscriptions: 2, subjects: 1 })
  })

  withStore('of a batch beyond the limit of one user, nothing is added', async (stores) => {
    const store = stores.subscriptions
    const model = new Model()
    const add = async (pairs: Pair[]) => {
      const added = await store.add(flat(pairs), 3)
      if (!added.ok) return added.why.code
      expect(added.value).toBe(model.add(pairs))
      return 'added'
    }
    const first: Pair[] = [1, 2, 3].map((subject) => [9, subject])
    expect(await add(first)).toBe('added')
    // One that is there is no other one, and each counts once.
    expect(await add([...first, [8, 1], [8, 1]])).toBe('added')
    const others: Pair[] = [
      [7, 1],
      [9, 3],
      [9, 4],
      [6, 1],
    ]
    expect(await add(others)).toBe('subscription_limit')
    expectSame(store, model)
    expect(await store.remove(Uint32Array.of(9, 1))).toEqual(success(model.remove([[9, 1]])))
    expect(await add(others)).toBe('added')
    expect(await add([[9, 5]])).toBe('subscription_limit')
    expectSame(store, model)
  })

  withStore(
    'a user who follows more than a new limit keeps them, and gets no other one',
    async (stores) => {
      const store = stores.subscriptions
      await store.add(Uint32Array.of(1, 2, 1, 3, 1, 4))
      expect(await store.add(Uint32Array.of(1, 3, 5, 3), 2)).toEqual(success(1))
      expect(await store.add(Uint32Array.of(1, 5), 2)).toMatchObject({
        why: { code: 'subscription_limit' },
      })
      expect(inOrder(store.subjectsOf(1))).toEqual([2, 3, 4])
    },
  )

  withStore(
    'names and numbers follow each other by the rules of one subscription',
    async (stores) => {
      const { names, subscriptions: store } = stores
      const rules = { userIdMax: 1_000, perUserMax: 2 }
      const follow = async (from: string | number, to: string | number) => {
        const added = await subscribe(stores, rules, from, to)
        return added.ok ? added.value : added.why.code
      }
      expect([await follow('alice', 'news'), await follow('alice', 'news')]).toEqual([true, false])
      expect([await follow('alice', 7), await follow('alice', 8)]).toEqual([
        true,
        'subscription_limit',
      ])
      expect(await follow('alice', 'news')).toBe(false)
      expect(await follow('alice', 'alice')).toBe('subscription_to_self')
      expect(await follow(7, 'news')).toBe(true)
      const followers = [...store.subscribersOf(names.find('news'))].map((id) =>
        names.subjectOf(id),
      )
      expect(new Set(followers)).toEqual(new Set(['alice', 7]))
      expect(await unsubscribe(stores, 'alice', 'news')).toEqual(success(true))
      expect(await unsubscribe(stores, 'alice', 'news')).toEqual(success(false))
      expect(await unsubscribe(stores, 'bob', 'unheard-of')).toEqual(success(false))
      expect([...store.subscribersOf(names.find('news'))]).toEqual([7])
    },
  )

  test('names are found by their names after a restart', async () => {
    const place = newPlace()
    {
      await using first = await open(place)
      await subscribe(first, { userIdMax: 9, perUserMax: 9 }, 'alice', 'news')
      await subscribe(first, { userIdMax: 9, perUserMax: 9 }, 7, 'news')
    }
    await using again = await open(place)
    const { names, subscriptions } = again
    const followers = subscriptions.subscribersOf(names.find('news'))
    expect(new Set([...followers].map((id) => names.subjectOf(id)))).toEqual(new Set(['alice', 7]))
  })

  withStore(
    'a long list is complete in pages of any size, in order',
    async ({ subscriptions: store }) => {
      const followers = Array.from({ length: 900 }, (_, at) => 10 + ((at * 577) % 9_001))
      await store.add(flat(followers.map((follower): Pair => [follower, 5])))
      for (const size of [1, 7, 100, 899, 900, 1_000]) {
        expect(walk((after) => store.subscribersPage(5, after, size))).toEqual(inOrder(followers))
      }
      expect(store.subscribersPage(5, inOrder(followers).at(-1) ?? 0, 10)).toEqual({
        users: [],
        next: null,
      })
    },
  )
}
