// Goal: the store behaves like a Map of Sets that survives restarts, and changes completely or not
// at all.
// Method: random changes of a real file with restarts, beside a model; then a trigger that fails.

import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import fc from 'fast-check'
import { success } from '../core/result.ts'
import { openDatabase } from './database.ts'
import { expectSame, flat, inOrder, Model, openStore, type Pair, USERS } from './model.fixture.ts'
import { NameTable } from './name-table.ts'
import { storesOf } from './stores.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(`${tmpdir()}/comet-store-`)
})
afterEach(() => rmSync(folder, { recursive: true }))

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
  store: ReturnType<typeof openStore>,
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

test('the store behaves like a Map of Sets, with restarts in between', async () => {
  let run = 0
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), async (steps) => {
      const path = `${folder}/${run++}.db`
      const model = new Model()
      let store = openStore(path)
      try {
        for (const step of steps) {
          if (step.does === 'look') {
            looksSame(store, model, step)
          } else if (step.does === 'restart') {
            store.close()
            store = openStore(path)
            expectSame(store, model)
          } else {
            expect(await store[step.does](flat(step.pairs))).toEqual(
              success(model[step.does](step.pairs)),
            )
          }
        }
        expectSame(store, model)
        expectSame(store, model, 1)
      } finally {
        store.close()
      }
    }),
    { numRuns: 60 },
  )
})

describe('a batch of changes', () => {
  test('may be empty', async () => {
    const store = openStore(':memory:')
    expect(await store.add(new Uint32Array(0))).toEqual(success(0))
    expect(await store.remove(new Uint32Array(0))).toEqual(success(0))
    expectSame(store, new Model())
    store.close()
  })

  test('counts a pair once that it has twice', async () => {
    const store = openStore(':memory:')
    expect(await store.add(Uint32Array.of(1, 2, 1, 2, 3, 2, 1, 2))).toEqual(success(2))
    expect(inOrder(store.subscribersOf(2))).toEqual([1, 3])
    expect(await store.remove(Uint32Array.of(1, 2, 1, 2, 4, 2))).toEqual(success(1))
    expect(inOrder(store.subscribersOf(2))).toEqual([3])
    store.close()
  })

  test('may be a view of a larger array that is changed afterwards', async () => {
    const store = openStore(':memory:')
    const large = Uint32Array.of(9, 9, 1, 2, 3, 2, 9, 9)
    expect(await store.add(large.subarray(2, 6))).toEqual(success(2))
    large.fill(8)
    expect(inOrder(store.subscribersOf(2))).toEqual([1, 3])
    expect(store.counts()).toEqual({ subscriptions: 2, subjects: 1 })
    store.close()
  })
})

describe('a change that fails halfway', () => {
  const PAIRS: Pair[] = [
    [1, 2],
    [2, 3],
    [3, 4],
  ]

  test.each(['add', 'remove'] as const)('(%s) changes neither disk nor index', async (action) => {
    const path = `${folder}/refusing.db`
    const opened = openDatabase(path)
    if (!opened.ok) throw new Error(opened.why)
    const { subscriptions: store } = storesOf(opened.value, new NameTable({ seed: 1 }), {
      findsSubjects: true,
    })
    const model = new Model()
    model.add([[4, 5], ...(action === 'remove' ? PAIRS : [])])
    await store.add(flat(model.pairs()))
    const when = action === 'add' ? 'INSERT' : 'DELETE'
    const row = action === 'add' ? 'NEW' : 'OLD'
    opened.value.run(
      `CREATE TEMP TRIGGER refusing BEFORE ${when} ON subscriptions WHEN ${row}.subject = 4
       BEGIN SELECT RAISE(ABORT, 'refused by the test'); END`,
    )
    await expect(store[action](flat(PAIRS))).rejects.toThrow('refused by the test')
    expectSame(store, model)

    // Later changes are not affected.
    const others = PAIRS.slice(0, 2)
    expect(await store[action](flat(others))).toEqual(success(model[action](others)))
    expectSame(store, model)
    store.close()
    const again = openStore(path)
    expectSame(again, model)
    again.close()
  })
})
