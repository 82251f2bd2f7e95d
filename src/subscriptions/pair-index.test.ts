// Goal: the index returns what was added to it, in any way. Method: a base made by hand and
// changed, ids that collide in its table, and a property against a Map of Sets.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { IntegerTable } from '../core/table.ts'
import { FollowersIndex } from './followers.ts'
import { flat, inOrder, Model, type Pair } from './model.fixture.ts'

const HIGHEST = 4_294_967_295

/** An index whose base holds these pairs. */
function indexOf(pairs: readonly Pair[]): FollowersIndex {
  const rows = pairs
    .map(([subscriber, subject]) => ({ subscriber, subject }))
    .sort((a, b) => a.subject - b.subject || a.subscriber - b.subscriber)
  return new FollowersIndex(rows, new Set(pairs.map(([, subject]) => subject)).size, pairs.length)
}

function followers(index: FollowersIndex, subject: number): number[] {
  return inOrder(index.subscribersOf(subject))
}

const BASE: readonly Pair[] = [
  [2, 1],
  [3, 1],
  [4, 1],
  [1, HIGHEST],
  [HIGHEST, 7],
]

describe('the base of an index', () => {
  test('has the followers of each subject, and none for other users', () => {
    const index = indexOf(BASE)
    expect([1, 7, HIGHEST].map((subject) => followers(index, subject))).toEqual([
      [2, 3, 4],
      [HIGHEST],
      [1],
    ])
    for (const subject of [2, 3, 4, 8, HIGHEST - 1]) expect(followers(index, subject)).toEqual([])
    expect([index.pairs, index.subjects]).toEqual([5, 3])
  })

  test('may be empty, and the index still grows', () => {
    const index = indexOf([])
    expect(followers(index, 1)).toEqual([])
    expect([index.pairs, index.subjects]).toEqual([0, 0])
    index.add(Uint32Array.of(5, 1))
    expect(followers(index, 1)).toEqual([5])
    expect([index.pairs, index.subjects]).toEqual([1, 1])
  })

  test('distinguishes ids that collide at the last place of its table', () => {
    // Seven subjects make a table of 16 places, and all of them would have the last.
    const capacity = 16
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
      expect(followers(index, id)).toEqual([at + 1, at + 100])
    })
    for (const id of absent) expect(followers(index, id)).toEqual([])
    index.add(flat(absent.map((id, at): Pair => [at + 50, id])))
    absent.forEach((id, at) => {
      expect(followers(index, id)).toEqual([at + 50])
    })
    expect(index.subjects).toBe(14)
  })
})

describe('a change to an index', () => {
  test('adds to the base, repeatedly', () => {
    const index = indexOf(BASE)
    const more = Array.from({ length: 1_000 }, (_, at): Pair => [at + 10, 1])
    for (const pair of more) index.add(flat([pair]))
    expect(followers(index, 1)).toEqual([2, 3, 4, ...more.map(([subscriber]) => subscriber)])
    expect([index.pairs, index.subjects]).toEqual([1_005, 3])
  })

  test('does not affect other subjects', () => {
    const index = indexOf(BASE)
    index.add(Uint32Array.of(9, 1, 9, 2))
    index.remove(Uint32Array.of(2, 1))
    expect(followers(index, 7)).toEqual([HIGHEST])
    expect(followers(index, HIGHEST)).toEqual([1])
  })

  test('removes the first, the middle and the last follower of the base', () => {
    for (const gone of [2, 3, 4]) {
      const index = indexOf(BASE)
      index.remove(Uint32Array.of(gone, 1))
      expect(followers(index, 1)).toEqual([2, 3, 4].filter((user) => user !== gone))
      expect([index.pairs, index.subjects]).toEqual([4, 3])
    }
  })

  test('removes the last follower of a subject, and adds one again', () => {
    const index = indexOf(BASE)
    index.remove(Uint32Array.of(HIGHEST, 7))
    expect(followers(index, 7)).toEqual([])
    expect([index.pairs, index.subjects]).toEqual([4, 2])
    index.add(Uint32Array.of(6, 7))
    expect(followers(index, 7)).toEqual([6])
    expect([index.pairs, index.subjects]).toEqual([5, 3])
  })

  test('leaves nothing of subjects that come and go', () => {
    const index = indexOf(BASE)
    for (let subject = 100; subject < 200; subject++) {
      index.add(Uint32Array.of(2, subject, 3, subject))
    }
    expect(index.changed).toBe(100)
    for (let subject = 100; subject < 200; subject++) {
      index.remove(Uint32Array.of(3, subject, 2, subject))
      expect(followers(index, subject)).toEqual([])
    }
    expect([index.changed, index.pairs, index.subjects]).toEqual([0, 5, 3])
    // The base still has what was removed from it.
    index.remove(Uint32Array.of(HIGHEST, 7))
    expect([index.changed, followers(index, 7)]).toEqual([1, []])
  })

  test('throws if it removes a pair that does not exist', () => {
    expect(() => indexOf(BASE).remove(Uint32Array.of(9, 1))).toThrow('9 does not follow 1')
  })
})

test('an index behaves like a Map of Sets', () => {
  const user = fc.oneof(
    fc.integer({ min: 1, max: 6 }),
    fc.integer({ min: HIGHEST - 6, max: HIGHEST }),
  )
  const pair = fc.tuple(user, user)
  const changes = fc.array(fc.record({ adds: fc.boolean(), pair }), { maxLength: 60 })
  fc.assert(
    fc.property(fc.array(pair, { maxLength: 40 }), changes, (base, list) => {
      const model = new Model()
      model.add(base)
      const index = indexOf(model.pairs())
      for (const { adds, pair } of list) {
        if (adds && model.add([pair]) > 0) index.add(flat([pair]))
        if (!adds && model.remove([pair]) > 0) index.remove(flat([pair]))
      }
      const pairs = model.pairs()
      const subjects = new Set([...base, ...list.map(({ pair }) => pair)].map(([, to]) => to))
      for (const subject of subjects) {
        expect(followers(index, subject)).toEqual(model.subscribersOf(subject))
      }
      expect(index.pairs).toBe(pairs.length)
      expect(index.subjects).toBe(new Set(pairs.map(([, subject]) => subject)).size)
    }),
  )
})
