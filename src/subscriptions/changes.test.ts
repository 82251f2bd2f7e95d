// Goal: a recorder is told of exactly the pairs that a change makes, before the commit and when
// they are in the database and in memory, or that it failed. Method: one that looks them up, and
// one that repeats them to a model.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { openDatabase } from './database.ts'
import {
  expectSame,
  flat,
  inOrder,
  Model,
  openStores,
  type Pair,
  recorderOf,
  USERS,
} from './model.fixture.ts'
import { NameTable } from './name-table.ts'
import { storesOf } from './stores.ts'
import type { ChangeRecorder, Pairs } from './subscriptions.ts'

type Told = readonly [follows: boolean, ...pairs: number[]]

/** Stores, and what their recorder has been told. */
function listening() {
  const told: Told[] = []
  const arrays: Pairs[] = []
  const recorder = recorderOf((pairs, follows) => {
    arrays.push(pairs)
    told.push([follows, ...pairs])
  })
  const stores = openStores(':memory:', recorder)
  return { ...stores, store: stores.subscriptions, told, arrays }
}

describe('a change is told', () => {
  test('with the pairs that it really changed, in its order', async () => {
    const { store, told } = listening()
    await store.add(Uint32Array.of(3, 2, 1, 2))
    await store.add(Uint32Array.of(9, 8, 1, 2, 5, 2, 9, 8, 4, 2))
    await store.remove(Uint32Array.of(5, 2, 6, 2, 1, 2, 5, 2))
    expect(told).toEqual([
      [true, 3, 2, 1, 2],
      [true, 9, 8, 5, 2, 4, 2],
      [false, 5, 2, 1, 2],
    ])
    store.close()
  })

  test('not at all if it changed nothing, or only looked whether it could', async () => {
    const { store, told } = listening()
    await store.add(Uint32Array.of(1, 2))
    await store.add(Uint32Array.of(1, 2))
    await store.add(new Uint32Array(0))
    await store.remove(Uint32Array.of(2, 1))
    expect(store.tryWrite()).toBeNull()
    expect(told).toEqual([[true, 1, 2]])
    store.close()
  })

  test.each([
    ['before', 'CREATE TEMP TRIGGER refusing BEFORE INSERT ON subscriptions WHEN NEW.subject = 4'],
    ['after', 'CREATE TEMP TRIGGER refusing AFTER UPDATE ON subscriptions_state'],
  ])('not at all if it failed %s it was begun', async (_, refusing) => {
    const names = new NameTable({ seed: 1 })
    const opened = openDatabase(':memory:', names)
    if (!opened.ok) throw new Error(opened.why)
    const told: Told[] = []
    const recorder = recorderOf((pairs, follows) => told.push([follows, ...pairs]))
    const { subscriptions: store } = storesOf(opened.value, names, { recorder })
    opened.value.run(`${refusing} BEGIN SELECT RAISE(ABORT, 'refused by the test'); END`)
    await expect(store.add(Uint32Array.of(1, 2, 3, 4))).rejects.toThrow('refused by the test')
    expect([told, store.has(1, 2), store.counts().subscriptions]).toEqual([[], false, 0])
    opened.value.run('DROP TRIGGER refusing')
    await store.add(Uint32Array.of(1, 2))
    expect(told).toEqual([[true, 1, 2]])
    store.close()
  })

  test('as failed if its commit fails, and then nothing has changed', async () => {
    const names = new NameTable({ seed: 1 })
    const opened = openDatabase(':memory:', names)
    if (!opened.ok) throw new Error(opened.why)
    const events: unknown[] = []
    const recorder: ChangeRecorder = {
      begin: (pairs, follows, stamp) => {
        events.push([[...pairs], follows, opened.value.inTransaction])
        stamps.push(stamp)
        // As long as it stands, no commit succeeds.
        if (!follows) opened.value.run('INSERT INTO child VALUES (1)')
      },
      end: (isMade) => events.push(isMade),
    }
    const stamps: number[] = []
    const { subscriptions: store } = storesOf(opened.value, names, { recorder })
    opened.value.run('PRAGMA foreign_keys = ON')
    opened.value.run('CREATE TABLE parent (id INTEGER PRIMARY KEY)')
    opened.value.run(
      'CREATE TABLE child (id INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED)',
    )
    await store.add(Uint32Array.of(1, 2))
    expect(store.stamp).toBe(stamps[0] as number)
    await expect(store.remove(Uint32Array.of(1, 2))).rejects.toThrow('FOREIGN KEY')
    expect(events).toEqual([[[1, 2], true, true], true, [[1, 2], false, true], false])
    expect([store.has(1, 2), [...store.subscribersOf(2)]]).toEqual([true, [1]])
    expect(store.stamp).toBe(stamps[0] as number)
    store.close()
  })

  test('when it is committed and in memory, in both directions', async () => {
    const names = new NameTable({ seed: 1 })
    const opened = openDatabase(':memory:', names)
    if (!opened.ok) throw new Error(opened.why)
    const seen: unknown[] = []
    const { subscriptions: store } = storesOf(opened.value, names, {
      findsSubjects: true,
      recorder: recorderOf(() => {
        const followers = inOrder(store.subscribersOf(2))
        const subjects = inOrder(store.subjectsOf(1))
        seen.push([opened.value.inTransaction, store.has(1, 2), followers, subjects])
      }),
    })
    await store.add(Uint32Array.of(1, 2, 3, 2))
    await store.remove(Uint32Array.of(1, 2))
    expect(seen).toEqual([
      [false, true, [1, 3], [2]],
      [false, false, [3], []],
    ])
    store.close()
  })

  test('with handles that still have their names', async () => {
    const told: string[] = []
    const { names, subscriptions } = openStores(':memory:', {
      begin: (pairs, follows) => {
        told.push(`${follows} ${[...pairs].map((user) => names.subjectOf(user)).join(' ')}`)
      },
      end: () => undefined,
    })
    const pair = Uint32Array.from(['alice', 'news'], (name) => names.intern(name) ?? 0)
    await subscriptions.add(pair)
    await subscriptions.remove(pair)
    expect(told).toEqual(['true alice news', 'false alice news'])
    subscriptions.close()
  })

  test('in an array that later changes leave as it is', async () => {
    const { store, arrays } = listening()
    const large = Uint32Array.of(9, 9, 1, 2, 3, 2, 9, 9)
    await store.add(large.subarray(2, 6))
    large.fill(8)
    await store.remove(Uint32Array.of(3, 2))
    expect(arrays.map((pairs) => [...pairs])).toEqual([
      [1, 2, 3, 2],
      [3, 2],
    ])
    store.close()
  })
})

test('what is told, repeated by another, is who follows whom', async () => {
  const user = fc.constantFrom(...USERS)
  const pair = fc.tuple(user, user).filter(([a, b]) => a !== b)
  const change = fc.record({ adds: fc.boolean(), pairs: fc.array(pair, { maxLength: 12 }) })
  await fc.assert(
    fc.asyncProperty(fc.array(change, { maxLength: 30 }), async (changes) => {
      const model = new Model()
      const recorder = recorderOf((flat, follows) => {
        const pairs = Array.from({ length: flat.length / 2 }, (_, at): Pair => {
          return [flat[2 * at] ?? 0, flat[2 * at + 1] ?? 0]
        })
        // Each told pair is a change of what was there: none too many.
        expect(follows ? model.add(pairs) : model.remove(pairs)).toBe(pairs.length)
      })
      const { subscriptions: store } = openStores(':memory:', recorder)
      for (const { adds, pairs } of changes) await store[adds ? 'add' : 'remove'](flat(pairs))
      expectSame(store, model)
      store.close()
    }),
    { numRuns: 60 },
  )
})
