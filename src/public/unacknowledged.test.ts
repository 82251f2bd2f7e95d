// Goal: the bytes that are lost with a cut stream are counted, and a stream whose bytes are not
// known is counted as such. Method: a table in place of the kernel, whose own counts have a test.

import { expect, test } from 'bun:test'
import { Unacknowledged } from './unacknowledged.ts'

test('the bytes of all streams that are cut are added up', () => {
  const lost = new Unacknowledged({ bytes: (descriptor) => descriptor * 100 })
  for (const descriptor of [3, 5]) lost.beforeCut(descriptor)
  expect([lost.bytes, lost.unmeasured]).toEqual([800, 0])
})

test('a stream is unmeasured if the kernel does not know its descriptor, or cannot be asked', () => {
  const closed = new Unacknowledged({ bytes: () => null })
  const elsewhere = new Unacknowledged(null)
  for (const lost of [closed, elsewhere]) lost.beforeCut(3)
  expect([closed.bytes, closed.unmeasured]).toEqual([0, 1])
  expect([elsewhere.bytes, elsewhere.unmeasured]).toEqual([0, 1])
})
