// Goal: both directions always say the same, whatever was added, removed and read again. Method:
// examples, and a long run of random changes beside a Map of Sets.

import { expect, test } from 'bun:test'
import { randomFrom } from '../core/random.ts'
import { FollowIndex } from './follow-index.ts'
import { flat, inOrder, Model, type Pair } from './model.fixture.ts'
import { NOBODY } from './name-table.ts'

/** An index that has read these pairs. */
function indexOf(pairs: readonly Pair[], findsSubjects = true): FollowIndex {
  const rows = pairs
    .map(([subscriber, subject]) => ({ subscriber, subject }))
    .sort((a, b) => a.subject - b.subject || a.subscriber - b.subscriber)
  const subjects = new Set(pairs.map(([, subject]) => subject)).size
  return new FollowIndex({ rows, subjects, pairs: pairs.length, findsSubjects })
}

test('an index has the followers of each subject and the subjects of each follower', () => {
  const index = indexOf([
    [2, 1],
    [3, 1],
    [3, 7],
  ])
  expect([1, 7, 3].map((user) => inOrder(index.subscribersOf(user)))).toEqual([[2, 3], [3], []])
  expect([2, 3, 1].map((user) => inOrder(index.subjectsOf(user)))).toEqual([[1], [1, 7], []])
  index.add(Uint32Array.of(2, 7, 1, 3))
  index.remove(Uint32Array.of(3, 1))
  expect([1, 7, 3].map((user) => inOrder(index.subscribersOf(user)))).toEqual([[2], [2, 3], [1]])
  expect([2, 3, 1].map((user) => inOrder(index.subjectsOf(user)))).toEqual([[1, 7], [7], [3]])
  expect([index.pairs, index.subjects]).toEqual([4, 3])
})

test('an index without subjects has followers, and no one is told that a user follows nobody', () => {
  const index = indexOf([[2, 1]], false)
  index.add(Uint32Array.of(3, 1))
  index.remove(Uint32Array.of(2, 1))
  expect([...index.subscribersOf(1)]).toEqual([3])
  expect(() => index.subjectsOf(3)).toThrow('not in memory')
})

test.each([
  { subjects: 2, pairs: 2 },
  { subjects: 1, pairs: 3 },
])('rows that are not as many as was said are a bug: %p', (counts) => {
  const rows = [
    { subject: 1, subscriber: 2 },
    { subject: 1, subscriber: 3 },
  ]
  expect(() => new FollowIndex({ rows, ...counts })).toThrow('were announced')
})

/** Small numbers, some of them far apart, and names. */
const CROWDS = {
  numbers: Array.from({ length: 40 }, (_, at) => 1 + at),
  names: Array.from({ length: 40 }, (_, at) => NOBODY + 1 + at),
  both: Array.from({ length: 40 }, (_, at) => (at % 2 === 0 ? 0 : NOBODY) + 1 + at),
  'ids far apart': Array.from({ length: 40 }, (_, at) => 1 + at * 100_000_007),
}
const CHANGES = 3_000
/** Pairs of one change. */
const PAIRS_MAX = 8

test.each(Object.entries(CROWDS))('both directions are those of a Map of Sets: %s', (_, users) => {
  const below = randomFrom(19)
  const model = new Model()
  let index = indexOf([])
  const userBelow = (length: number) => users[below(length)] ?? 1
  const expectSameOf = (user: number) => {
    expect(inOrder(index.subscribersOf(user))).toEqual(model.subscribersOf(user))
    expect(inOrder(index.subjectsOf(user))).toEqual(model.subjectsOf(user))
  }
  for (let change = 0; change < CHANGES; change++) {
    // By turns it fills and empties, now and then completely.
    const adds = below(10) < (Math.floor(change / 300) % 2 === 0 ? 7 : 2)
    const pairs = Array.from({ length: 1 + below(PAIRS_MAX) }, (): Pair => {
      return [userBelow(users.length), userBelow(users.length)]
    })
    const changed = pairs.filter((pair) => model[adds ? 'add' : 'remove']([pair]) > 0)
    index[adds ? 'add' : 'remove'](flat(changed))
    for (const user of new Set(pairs.flat())) expectSameOf(user)
    if (below(100) === 0) index = indexOf(model.pairs())
    if (change % 100 > 0) continue
    for (const user of users) expectSameOf(user)
    const { length } = model.pairs()
    const subjects = users.filter((user) => model.subscribersOf(user).length > 0).length
    expect([index.pairs, index.subjects]).toEqual([length, subjects])
  }
})
