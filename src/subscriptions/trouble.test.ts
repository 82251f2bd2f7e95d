// Goal: what an operator can mend is told apart from bugs. Method: SQLite's codes.

import { expect, test } from 'bun:test'
import { storageTrouble } from './trouble.ts'

test.each([
  ['SQLITE_FULL', 'its disk is full (SQLITE_FULL)'],
  [
    'SQLITE_IOERR_WRITE',
    'its disk is full or fails, or its file may not grow (SQLITE_IOERR_WRITE)',
  ],
  ['SQLITE_READONLY_DBMOVED', 'its file or disk may only be read (SQLITE_READONLY_DBMOVED)'],
  ['SQLITE_CONSTRAINT_UNIQUE', null],
  ['SQLITE_MISUSE', null],
])('%s is %p', (code, words) => {
  expect(storageTrouble({ code })).toBe(words)
})
