// Goal: what was read becomes the index of exactly that, in any order of users and of subjects.
// Method: random lists beside a Map, and examples of what is none.

import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { finish } from '../core/steps.ts'
import { FollowIndex } from './follow-index.ts'
import { FollowLists } from './follow-lists.ts'
import { inOrder } from './model.fixture.ts'
import { NameTable } from './name-table.ts'

const newNames = (namesMax?: number) =>
  new NameTable({ seed: 1, ...(namesMax === undefined ? {} : { namesMax }) })

async function indexOf(lists: FollowLists): Promise<FollowIndex> {
  return finish(FollowIndex.ofSubjects(await lists.sorted()))
}

const user = fc.oneof(
  fc.integer({ min: 1, max: 12 }).map(String),
  fc.constantFrom('2147483647', 'alice', 'room:42', '100000'),
)

test('the index has what was read last of each user, in both directions', async () => {
  const list = fc.tuple(user, fc.uniqueArray(user, { maxLength: 10 }))
  await fc.assert(
    fc.asyncProperty(fc.array(list, { maxLength: 30 }), async (read) => {
      const names = newNames()
      const lists = new FollowLists(names)
      const expected = new Map<string, string[]>()
      for (const [from, subjects] of read) {
        expect(lists.add(from, subjects)).toBe(true)
        expected.set(
          from,
          subjects.filter((subject) => subject !== from),
        )
      }
      const index = await indexOf(lists)
      const texts = (ids: Uint32Array) => [...ids].map((id) => String(names.subjectOf(id))).sort()
      const idOf = (text: string) => names.idOf(/^\d+$/.test(text) ? Number(text) : text)
      const pairs = [...expected].flatMap(([from, subjects]) => subjects.map((to) => [from, to]))
      expect(index.pairs).toBe(pairs.length)
      expect(index.subjects).toBe(new Set(pairs.map(([, to]) => to)).size)
      for (const [from, subjects] of expected) {
        expect(texts(index.subjectsOf(idOf(from)))).toEqual(subjects.toSorted())
      }
      for (const to of new Set(pairs.map(([, to = '']) => to))) {
        const followers = pairs.filter(([, subject]) => subject === to).map(([from = '']) => from)
        expect(texts(index.subscribersOf(idOf(to)))).toEqual(followers.sort())
      }
    }),
    { numRuns: 100 },
  )
})

test('what is no user or subject is ignored and counted, and so is who follows itself', async () => {
  const lists = new FollowLists(newNames())
  lists.add('1', ['2', '1', '0', '!3', '007', '2147483648', '', 'a b', '3'])
  lists.add('x y', ['2', '3'])
  lists.add('4', [])
  expect([lists.ignored, lists.unnamed]).toEqual([9, 0])
  const index = await indexOf(lists)
  expect([index.pairs, inOrder(index.subjectsOf(1))]).toEqual([2, [2, 3]])
})

test('names for which there is no room are left out and counted', async () => {
  const names = newNames(1)
  const lists = new FollowLists(names)
  lists.add('alice', ['1', 'bob'])
  lists.add('carol', ['1', '2'])
  expect(lists.unnamed).toBe(3)
  expect([...(await indexOf(lists)).subscribersOf(1)]).toEqual([names.find('alice')])
})

test('no more pairs are taken than there is room for', async () => {
  const lists = new FollowLists(newNames(), 3)
  expect(lists.add('1', ['2', '3'])).toBe(true)
  expect(lists.add('2', ['4', '5'])).toBe(false)
  expect(lists.add('2', ['4'])).toBe(true)
  expect((await indexOf(lists)).pairs).toBe(3)
})

test('an index of nothing takes changes', async () => {
  const index = await indexOf(new FollowLists(newNames()))
  expect([index.set(1, 2, true), index.set(1, 2, true)]).toEqual([true, false])
  expect([index.has(1, 2), index.has(2, 1)]).toEqual([true, false])
  expect([index.set(1, 2, false), index.set(1, 2, false), index.pairs]).toEqual([true, false, 0])
})
