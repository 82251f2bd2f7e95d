// Goal: which texts are names, subjects and patterns. Method: examples on both sides of each rule.

import { describe, expect, test } from 'bun:test'
import { isName, isPattern, isSubject } from './name.ts'

describe('a name', () => {
  test.each(['a', 'alice', 'room:42', 'A.b_c-d@e', '1a', '-', '...', '.a', 'x'.repeat(64)])(
    'is %j',
    (text) => {
      expect(isName(text)).toBe(true)
      expect(isSubject(text)).toBe(true)
    },
  )

  test.each([
    '',
    '0',
    '42',
    '007',
    'x'.repeat(65),
    'a b',
    'a/b',
    'a*',
    'a\n',
    'é',
    'a\u0000',
    '.',
    '..',
  ])('is not %j', (text) => {
    expect(isName(text)).toBe(false)
    expect(isSubject(text)).toBe(text === '42')
  })
})

test('a subject is a name, or a number as numbers are written', () => {
  expect(['alice', '1', '4294967295'].map(isSubject)).toEqual([true, true, true])
  expect(['', '0', '01', '1 ', '12345678901'].map(isSubject)).toEqual(Array(5).fill(false))
})

test('a pattern is a subject, or has one * at its end', () => {
  expect(['alice', '7', '*', 'room:*', '7*'].map(isPattern)).toEqual([true, true, true, true, true])
  expect(['', 'a*b', '**', 'a b*', '*a'].map(isPattern)).toEqual([
    false,
    false,
    false,
    false,
    false,
  ])
})
