// Goal: every process can afford results, and several checks are reported as one. Method: the
// imports of the file, and checks that succeed or fail.

import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { allOf, OK, refused } from './result.ts'

test('nothing is loaded with results', () => {
  expect(readFileSync(`${import.meta.dir}/result.ts`, 'utf8')).not.toMatch(/\bimport\b|\bfrom '/)
})

test('of several checks the first that failed is reported', () => {
  expect(allOf(OK, refused('first'), OK, refused('second'))).toEqual(refused('first'))
  expect(allOf(OK, OK)).toEqual(OK)
})
