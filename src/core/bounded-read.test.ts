// Goal: a body is read whole or not at all, whatever parts it comes in. Method: bodies around the
// bound, and one that never ends.

import { expect, test } from 'bun:test'
import { readWithin } from './bounded-read.ts'

function bodyOf(...parts: string[]): AsyncIterable<Uint8Array> {
  return (async function* () {
    for (const part of parts) yield Buffer.from(part)
  })()
}

test('a body within the bound is joined from its parts', async () => {
  expect(String(await readWithin(bodyOf('ab', '', 'c'), 3))).toBe('abc')
  expect(String(await readWithin(null, 3))).toBe('')
})

test('a body of one byte more is refused', async () => {
  expect(await readWithin(bodyOf('ab', 'cd'), 3)).toBeNull()
})

test('a body that never ends is read no further than the bound', async () => {
  let parts = 0
  const endless = (async function* () {
    while (true) {
      parts++
      yield new Uint8Array(10)
    }
  })()
  expect(await readWithin(endless, 95)).toBeNull()
  expect(parts).toBe(10)
})
