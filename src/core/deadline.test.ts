// Goal: a wait ends with its promise, or with its time limit. Method: promises that settle, and
// one that never does.

import { expect, test } from 'bun:test'
import { settledWithin, withTimeout } from './deadline.ts'

test('settledWithin settles as a promise that settles in time', async () => {
  expect(await settledWithin(Promise.resolve(5), 60_000)).toBe(5)
  const failing = settledWithin(Promise.reject(new Error('no')), 60_000)
  await expect(failing).rejects.toThrow('no')
})

test('settledWithin returns undefined for a promise that never settles', async () => {
  expect(await settledWithin(new Promise(() => undefined), 5)).toBeUndefined()
})

test('withTimeout settles as the promise does', async () => {
  expect(await withTimeout('five', Promise.resolve(5), 60_000)).toBe(5)
  expect(await withTimeout('nothing', Promise.resolve(undefined), 60_000)).toBeUndefined()
  const failing = withTimeout('five', Promise.reject(new Error('no')), 60_000)
  expect(failing).rejects.toThrow('no')
})

test('withTimeout rejects with what it waited for', async () => {
  const waiting = withTimeout('an answer', new Promise(() => undefined), 5)
  await expect(waiting).rejects.toThrow('timed out after 5 ms, waiting for an answer')
})
