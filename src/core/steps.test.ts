// Goal: work in steps is the same however it is done, and others have their turn between two of
// them. Method: steps that note when they are done.

import { expect, test } from 'bun:test'
import { finish, finishInTurns, type Steps } from './steps.ts'

function* counted(noted: string[]): Steps<number> {
  for (let step = 1; step <= 3; step++) {
    noted.push(`step ${step}`)
    yield
  }
  return noted.length
}

test('all steps are done at once', () => {
  const noted: string[] = []
  expect([finish(counted(noted)), noted]).toEqual([3, ['step 1', 'step 2', 'step 3']])
})

test('or one in each turn', async () => {
  const noted: string[] = []
  const working = finishInTurns(counted(noted))
  setImmediate(() => noted.push('other'))
  expect(await working).toBe(4)
  expect(noted).toEqual(['step 1', 'step 2', 'other', 'step 3'])
})
