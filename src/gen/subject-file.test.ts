// Goal: a list gives its numbers and names back as they were added, and both are bounded. Method:
// lists beyond the first array and up to their bounds; subjects.test.ts reads files.

import { expect, test } from 'bun:test'
import { OK, refused } from '../core/result.ts'
import { genLimits } from '../core/tool-limits.ts'
import type { Subject } from '../core/user.ts'
import { SubjectList } from './subject-file.ts'

test('numbers and names keep their order', () => {
  const added: Subject[] = ['alice', 1, 2_147_483_647, 'bob', 'alice']
  for (let number = 1; number < 3_000; number++) added.push(number, `user-${number}`)
  const list = new SubjectList()
  for (const subject of added) list.add(subject)
  expect(Array.from({ length: list.count }, (_, place) => list.at(place))).toEqual(added)
})

test('names have a bound of their own, and numbers may still follow', () => {
  const { subjectNamesMax } = genLimits
  const list = new SubjectList()
  for (let count = 0; count < subjectNamesMax; count++) list.add('alice')
  expect(list.add('bob')).toEqual(refused(`more than ${subjectNamesMax} names`))
  expect(list.add(7)).toEqual(OK)
  expect([list.count, list.at(subjectNamesMax)]).toEqual([subjectNamesMax + 1, 7])
})

test('all together have a bound', () => {
  const { subjectsMax } = genLimits
  const list = new SubjectList()
  for (let count = 0; count < subjectsMax; count++) list.add(7)
  expect(list.add(8)).toEqual(refused(`more than ${subjectsMax} ids`))
})
