// Goal: the index returns what was added to it, in any way and in both directions. Method: a base
// made by hand and changed, ids that collide in its table, and a property against a Map of Sets.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { finish } from '../core/steps.ts'
import { IntegerTable } from '../core/table.ts'
import { inOrder, Model, type Pair } from './model.fixture.ts'
import { NOBODY } from './name-table.ts'
import { PairIndex, type PairLists } from './pair-index.ts'

const HIGHEST = 4_294_967_295

/** Pairs of a value and its key. */
function listsOf(pairs: readonly Pair[]): PairLists {
  const sorted = pairs.toSorted(([a, one], [b, other]) => one - other || a - b)
  const starts = new Map<number, number>()
  for (const [at, [, key]] of sorted.entries()) if (!starts.has(key)) starts.set(key, at)
  return {
    keys: Uint32Array.from(starts.keys()),
    starts: Uint32Array.from([...starts.values(), sorted.length]),
    values: Uint32Array.from(sorted.map(([value]) => value)),
  }
}

function indexOf(pairs: readonly Pair[]): PairIndex {
  return finish(PairIndex.byKey(listsOf(pairs)))
}

function values(index: PairIndex, key: number): number[] {
  return inOrder(index.valuesOf(key))
}

const BASE: readonly Pair[] = [
  [2, 1],
  [3, 1],
  [4, 1],
  [1, HIGHEST],
  [HIGHEST, 7],
]

describe('the base of an index', () => {
  test('has the values of each key, and none for others', () => {
    const index = indexOf(BASE)
    expect([1, 7, HIGHEST].map((key) => values(index, key))).toEqual([[2, 3, 4], [HIGHEST], [1]])
    for (const key of [0, 2, 3, 4, 8, NOBODY, HIGHEST - 1]) expect(values(index, key)).toEqual([])
    expect(index.keys).toBe(3)
  })

  test('has the keys of each value, the other way round', () => {
    const index = finish(PairIndex.byValue(listsOf(BASE)))
    const found = [1, 2, 3, 4, HIGHEST].map((value) => values(index, value))
    expect(found).toEqual([[HIGHEST], [1], [1], [1], [7]])
    for (const none of [0, 5, 7, NOBODY, HIGHEST - 1]) expect(values(index, none)).toEqual([])
    expect(index.keys).toBe(5)
  })

  test('may be empty, and the index still grows', () => {
    for (const index of [indexOf([]), finish(PairIndex.byValue(listsOf([])))]) {
      expect([values(index, 1), index.keys]).toEqual([[], 0])
      index.add(1, 5)
      expect([values(index, 1), index.keys]).toEqual([[5], 1])
    }
  })

  test('distinguishes ids that collide at the last place of its table', () => {
    // That of a table at first.
    const capacity = 1_024
    const table = new IntegerTable({ width: 1, capacity })
    const colliding: number[] = []
    for (let id = HIGHEST; colliding.length < 14; id--) {
      if (table.home(id) === capacity - 1) colliding.push(id)
    }
    const [there, absent] = [colliding.slice(0, 7), colliding.slice(7)]
    const index = indexOf(
      there.flatMap((id, at): Pair[] => [
        [at + 1, id],
        [at + 100, id],
      ]),
    )
    there.forEach((id, at) => {
      expect(values(index, id)).toEqual([at + 1, at + 100])
    })
    for (const id of absent) expect(values(index, id)).toEqual([])
    absent.forEach((id, at) => {
      index.add(id, at + 50)
    })
    absent.forEach((id, at) => {
      expect(values(index, id)).toEqual([at + 50])
    })
    expect(index.keys).toBe(14)
  })

  test('takes little more than its values if ids are dense, and not much more if they are not', () => {
    const dense = Array.from({ length: 5_000 }, (_, at) => 1 + at)
    const named = dense.map((id) => NOBODY + id)
    const pairs = (ids: readonly number[]) =>
      ids.flatMap((id, at) => [1, 2, 3].map((step): Pair => [ids.at(at - step) ?? 0, id]))
    const both = pairs([...dense, ...named])
    for (const [some, bytesMax] of [
      [pairs(dense), 4 + 4 / 3],
      [pairs(named), 4 + 4 / 3],
      [both, 4 + 4 / 3],
      [pairs(dense.map((id) => id * 100)), 4 + 4 / 3 + 16],
      [pairs(dense.map((id) => id * 400_000)), 4 + 4 / 3 + 16],
    ] as const) {
      const lists = listsOf(some)
      for (const index of [finish(PairIndex.byKey(lists)), finish(PairIndex.byValue(lists))]) {
        expect(index.baseBytes / some.length).toBeLessThan(bytesMax + 0.01)
      }
    }
  })
})

describe('a change to an index', () => {
  test('adds to the base, repeatedly', () => {
    const index = indexOf(BASE)
    const more = Array.from({ length: 1_000 }, (_, at) => at + 10)
    for (const value of more) index.add(1, value)
    expect(values(index, 1)).toEqual([2, 3, 4, ...more])
    expect(index.keys).toBe(3)
  })

  test('does not affect other keys', () => {
    const index = indexOf(BASE)
    index.add(1, 9)
    index.add(2, 9)
    index.remove(1, 2)
    expect(values(index, 7)).toEqual([HIGHEST])
    expect(values(index, HIGHEST)).toEqual([1])
  })

  test('removes the first, the middle and the last value of the base', () => {
    for (const gone of [2, 3, 4]) {
      const index = indexOf(BASE)
      index.remove(1, gone)
      expect(values(index, 1)).toEqual([2, 3, 4].filter((value) => value !== gone))
      expect(index.keys).toBe(3)
    }
  })

  test('removes the last value of a key, and adds one again', () => {
    const index = indexOf(BASE)
    index.remove(7, HIGHEST)
    expect([values(index, 7), index.keys]).toEqual([[], 2])
    index.add(7, 6)
    expect([values(index, 7), index.keys]).toEqual([[6], 3])
  })

  test('leaves nothing of keys that come and go', () => {
    const index = indexOf(BASE)
    for (let key = 100; key < 200; key++) {
      index.add(key, 2)
      index.add(key, 3)
    }
    expect(index.changed).toBe(100)
    for (let key = 100; key < 200; key++) {
      index.remove(key, 3)
      index.remove(key, 2)
      expect(values(index, key)).toEqual([])
    }
    expect([index.changed, index.keys]).toEqual([0, 3])
    // The base still has what was removed from it.
    index.remove(7, HIGHEST)
    expect([index.changed, values(index, 7)]).toEqual([1, []])
  })

  test('throws if it removes a pair that does not exist', () => {
    expect(() => indexOf(BASE).remove(1, 9)).toThrow('9 is not with 1')
  })
})

const low = fc.integer({ min: 1, max: 6 })
const names = fc.integer({ min: NOBODY + 1, max: NOBODY + 4 })
const high = fc.integer({ min: HIGHEST - 6, max: HIGHEST })

test.each([
  ['small numbers, without a table', low],
  ['numbers and names, without a table', fc.oneof(low, names)],
  ['ids that are far apart', fc.oneof(low, high)],
])('an index behaves like a Map of Sets, both ways: %s', (_, user) => {
  const pair = fc.tuple(user, user)
  const changes = fc.array(fc.record({ adds: fc.boolean(), pair }), { maxLength: 60 })
  fc.assert(
    fc.property(fc.array(pair, { maxLength: 40 }), changes, (base, list) => {
      const model = new Model()
      model.add(base)
      const lists = listsOf(model.pairs())
      const [followers, subjects] = [
        finish(PairIndex.byKey(lists)),
        finish(PairIndex.byValue(lists)),
      ]
      for (const { adds, pair } of list) {
        const [subscriber, subject] = pair
        if ((adds ? model.add([pair]) : model.remove([pair])) === 0) continue
        followers[adds ? 'add' : 'remove'](subject, subscriber)
        subjects[adds ? 'add' : 'remove'](subscriber, subject)
      }
      const others = [0, 7, 8, NOBODY - 1, NOBODY, NOBODY + 1, NOBODY + 5, HIGHEST]
      const users = new Set([...others, ...base.flat(), ...list.flatMap(({ pair }) => pair)])
      for (const user of users) {
        expect(values(followers, user)).toEqual(model.subscribersOf(user))
        expect(values(subjects, user)).toEqual(model.subjectsOf(user))
      }
      const pairs = model.pairs()
      expect(followers.keys).toBe(new Set(pairs.map(([, subject]) => subject)).size)
      expect(subjects.keys).toBe(new Set(pairs.map(([subscriber]) => subscriber)).size)
    }),
  )
})
