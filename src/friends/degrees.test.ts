// Goal: the degrees are those of the pairs. Method: a made graph, and a property against counting.

import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { openDatabase } from '../subscriptions/database.ts'
import { flat, Model, type Pair, USERS } from '../subscriptions/model.fixture.ts'
import { sqliteSubscriptions } from '../subscriptions/sqlite.ts'
import { followersPerUser } from './degrees.ts'

function degreesOf(pairs: readonly Pair[]) {
  const opened = openDatabase(':memory:')
  if (!opened.ok) throw new Error(opened.why)
  const store = sqliteSubscriptions(opened.database)
  store.add(flat(pairs))
  const degrees = followersPerUser(opened.database)
  store.close()
  return degrees
}

test('nobody has no followers', () => {
  expect(degreesOf([])).toEqual({ users: 0, followers: new Uint32Array(0) })
})

test('users who only follow count, but have no followers', () => {
  const pairs: Pair[] = [
    [9, 1],
    [8, 1],
    [1, 2],
  ]
  expect(degreesOf(pairs)).toEqual({ users: 4, followers: Uint32Array.of(2, 1) })
})

test('the degrees are those that counting gives', () => {
  const user = fc.constantFrom(...USERS)
  fc.assert(
    fc.property(fc.array(fc.tuple(user, user), { maxLength: 60 }), (pairs) => {
      const model = new Model()
      model.add(pairs)
      const degrees = USERS.map((user) => model.subscribersOf(user).length)
      expect(degreesOf(pairs)).toEqual({
        users: new Set(pairs.flat()).size,
        followers: Uint32Array.from(degrees.filter((count) => count > 0)),
      })
    }),
  )
})
