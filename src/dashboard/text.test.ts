// Goal: figures on the page are short, and true where reports have no unit for them. Method: tables.

import { expect, test } from 'bun:test'
import type { FormatName } from '../report/format.ts'
import { durationText, figureText, some } from './text.ts'

test.each<[FormatName, number | null, string]>([
  ['count', null, '–'],
  ['count', 1_234, '1,234'],
  ['milliseconds', 0, '0'],
  ['milliseconds', 0.0004, '1 µs'],
  ['milliseconds', 0.9949, '995 µs'],
  ['milliseconds', 0.996, '0.996 ms'],
  ['milliseconds', 17.34, '17.3 ms'],
  ['cores', 0.5, '0.50'],
])('%s %p is %s', (format, value, text) => {
  expect(figureText(format, value)).toBe(text)
})

test.each([
  [0, '0 s'],
  [59.9, '59 s'],
  [60, '1 min'],
  [7_500, '2 h 5 min'],
  [176_400, '2 d 1 h'],
])('%d seconds are %s', (seconds, text) => {
  expect(durationText(seconds)).toBe(text)
})

test('one is one, and more are several', () => {
  expect([some(1, 'user'), some(0, 'user'), some(1_200, 'user')]).toEqual([
    ...['1 user', '0 users', '1,200 users'],
  ])
})
