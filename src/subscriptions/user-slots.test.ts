// Goal: every user of a list has a slot of its own, in the order of the list, all others have 0,
// and gaps between ids take no more than is allowed. Method: a property over lists of every kind.

import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { finish } from '../core/steps.ts'
import { inOrder } from './model.fixture.ts'
import { NOBODY } from './name-table.ts'
import { UserSlots } from './user-slots.ts'

const HIGHEST = 4_294_967_295

test('numbers are their own slots while they are dense, and names are behind them', () => {
  const slots = finish(UserSlots.steps(Uint32Array.of(3, 1, NOBODY + 2, 3), 5))
  const users = [0, 1, 2, 3, 4, NOBODY - 1, NOBODY, NOBODY + 1, NOBODY + 2, NOBODY + 3, HIGHEST]
  expect(users.map((user) => slots.slotOf(user))).toEqual([0, 1, 2, 3, 0, 0, 0, 4, 5, 0, 0])
  expect([slots.length, slots.memoryBytes]).toEqual([6, 0])
})

test('users have slots without gaps, by a table, once those would take too many', () => {
  const slots = finish(UserSlots.steps(Uint32Array.of(3, 1, NOBODY + 2, 3), 4))
  const users = [0, 1, 2, 3, NOBODY, NOBODY + 1, NOBODY + 2, HIGHEST]
  expect(users.map((user) => slots.slotOf(user))).toEqual([0, 2, 0, 1, 0, 0, 3, 0])
  expect([slots.length, slots.memoryBytes > 0]).toEqual([4, true])
})

test('each user has a slot of its own, in the order of an ordered list', () => {
  const user = fc.oneof(
    fc.integer({ min: 1, max: 50 }),
    fc.integer({ min: NOBODY + 1, max: NOBODY + 50 }),
    fc.integer({ min: 1, max: HIGHEST }),
  )
  fc.assert(
    fc.property(fc.array(user, { maxLength: 3_000, size: 'max' }), fc.nat(200), (some, most) => {
      const users = inOrder(new Set(some))
      const slots = finish(UserSlots.steps(Uint32Array.from(users), most))
      const found = users.map((user) => slots.slotOf(user))
      expect(found).toEqual(inOrder(new Set(found)))
      expect(found.every((slot) => slot > 0 && slot < slots.length)).toBe(true)
      expect(slots.length).toBeLessThanOrEqual(1 + Math.max(users.length, most))
      const none = [0, NOBODY, 51, NOBODY + 51, HIGHEST].filter((user) => !users.includes(user))
      expect(none.map((user) => slots.slotOf(user))).toEqual(none.map(() => 0))
    }),
  )
})
