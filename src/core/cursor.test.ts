// Goal: a cursor survives the way to a client and back, and nothing else is taken for one. Method:
// the edges of both parts, and texts that are nearly cursors.

import { expect, test } from 'bun:test'
import { CURSOR_LENGTH, cursorText, parseCursor } from './cursor.ts'

test('a cursor is written in fixed width and read back', () => {
  const highest = 2 ** 48 - 1
  for (const cursor of [
    { epoch: 1_764_504_000_000, number: 0 },
    { epoch: 1, number: 42 },
    { epoch: highest, number: highest },
  ]) {
    const text = cursorText(cursor)
    expect(text).toHaveLength(CURSOR_LENGTH)
    expect(parseCursor(text)).toEqual(cursor)
  }
  expect(cursorText({ epoch: 0x19ad3f0c2a1, number: 42 })).toBe('019ad3f0c2a1-00000000002a')
})

test('cursors of one epoch sort as their numbers do', () => {
  const numbers = [0, 1, 9, 10, 255, 256, 2 ** 32, 2 ** 47]
  const texts = numbers.map((number) => cursorText({ epoch: 5, number }))
  expect(texts.toSorted()).toEqual(texts)
})

test.each([
  '',
  'oldest',
  '019ad3f0c2a1',
  '019ad3f0c2a1-00000000002',
  '019ad3f0c2a1-00000000002a ',
  '019AD3F0C2A1-00000000002A',
  '019ad3f0c2a1_00000000002a',
  '019ad3f0c2a1-0000000000-1',
  '019ad3f0c2a1-00000000002a\n',
])('%p is no cursor', (text) => expect(parseCursor(text)).toBeNull())
