// Goal: a wait ends with what is waited for, or with its time. Method: promises that settle, and
// one that never does.

import { expect, test } from 'bun:test'
import { settledWithin, withTimeout } from './deadline.ts'

test('a promise that settles in time is as it is', async () => {
  expect(await settledWithin(Promise.resolve(5), 60_000)).toBe(5)
  const failing = settledWithin(Promise.reject(new Error('no')), 60_000)
  await expect(failing).rejects.toThrow('no')
})

test('one that never settles is undefined when the time is over', async () => {
  expect(await settledWithin(new Promise(() => undefined), 5)).toBeUndefined()
})

test('withTimeout settles as the promise does', async () => {
  expect(await withTimeout('five', Promise.resolve(5), 60_000)).toBe(5)
  expect(await withTimeout('nothing', Promise.resolve(undefined), 60_000)).toBeUndefined()
  const failing = withTimeout('five', Promise.reject(new Error('no')), 60_000)
  expect(failing).rejects.toThrow('no')
})

test('what it waited for is said when it has not come', async () => {
  const waiting = withTimeout('an answer', new Promise(() => undefined), 5)
  await expect(waiting).rejects.toThrow('timed out after 5 ms, waiting for an answer')
})
