// Goal: the known word is found for a typing error, and not for another word. Method: a table of
// words, and properties of the distance.

import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { editsBetween, nearestTo } from './nearest.ts'

const OPTIONS = ['listen', 'control', 'workers', 'max-users', 'max-streams', 'db']

test.each([
  ['listn', 'listen'],
  ['lsiten', 'listen'],
  ['listen', 'listen'],
  ['max_users', 'max-users'],
  ['max-stream', 'max-streams'],
  ['bd', 'db'],
  ['dx', 'db'],
  ['xy', undefined],
  ['d', 'db'],
  ['port', undefined],
  ['', undefined],
])('%p is near to %p', (word, nearest) => {
  expect(nearestTo(word, OPTIONS)).toBe(nearest)
})

test('of several words the nearest is returned, and of equally near ones the first', () => {
  expect(nearestTo('cattle', ['battles', 'cattles', 'bottle'])).toBe('cattles')
  expect(nearestTo('cat', ['bat', 'rat'])).toBe('bat')
})

test('the distance is symmetric, and 0 only to the same word', () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 8 })
  fc.assert(
    fc.property(word, word, (a, b) => {
      expect(editsBetween(a, b) === 0).toBe(a === b)
      expect(editsBetween(a, b)).toBe(editsBetween(b, a))
      expect(editsBetween(a, '')).toBe(a.length)
    }),
  )
})
