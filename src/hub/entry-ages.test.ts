// Goal: how old an entry of the log is, is known to within a small share of that, in bounded
// memory. Method: a log of one entry a second, over days.

import { expect, test } from 'bun:test'
import { EntryAges } from './entry-ages.ts'

test('an entry is as old as it is, to within a second in the first quarter of an hour', () => {
  const ages = new EntryAges(5, 0)
  expect([ages.ageMs(5, 1_000), ages.ageMs(1, 1_000)]).toEqual([null, null])
  for (let second = 1; second <= 900; second++) {
    ages.note(5 + second, second * 1_000)
    for (const number of [6, 5 + second]) {
      const age = ages.ageMs(number, second * 1_000) ?? Number.NaN
      const exact = (5 + second - number) * 1_000
      expect(age).toBeWithin(exact, exact + 2_001)
    }
  }
})

test('over days it is still known to within a few minutes', () => {
  const ages = new EntryAges(0, 0)
  const seconds = 7 * 86_400
  for (let second = 1; second <= seconds; second++) ages.note(second, second * 1_000)
  for (const number of [1, 1_000, seconds / 2, seconds - 10]) {
    const age = ages.ageMs(number, seconds * 1_000) ?? Number.NaN
    const exact = (seconds - number) * 1_000
    expect(age).toBeWithin(exact - 1_000, exact + seconds * 4)
  }
})
