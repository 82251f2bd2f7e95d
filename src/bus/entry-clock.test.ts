// Goal: a node knows how old the entries of its window are, also those from before its start, and
// after the log was lost. Method: entries by hand, with times of Redis.

import { expect, test } from 'bun:test'
import type { Cursor } from '../core/cursor.ts'
import type { BatchEntry } from './stream-entry.ts'
import { A, at, batch, fork, WindowNode } from './window.fixture.ts'

let batches = 0

function added(where: Cursor, seconds: number, ...texts: string[]): BatchEntry {
  return { ...batch(where, A, ++batches, ...texts), seconds }
}

test('an entry is as old as Redis says, whenever it was read', () => {
  const node = new WindowNode([fork(at(5, 0), at(0, 0)), added(at(5, 1), 100, 'a', 'b')])
  node.apply(added(at(5, 3), 160, 'c'), added(at(5, 4), 220, 'd'))
  const { clock } = node.window
  expect([1, 2, 3, 4].map((number) => clock.ageMs(number, 300_000))).toEqual([
    ...[200_000, 200_000, 140_000, 80_000],
  ])
})

test('an entry is not of the future when the clock of Redis is ahead', () => {
  const node = new WindowNode([fork(at(5, 0), at(0, 0)), added(at(5, 1), 100, 'a')])
  expect(node.window.clock.ageMs(1, 90_000)).toBe(0)
})

test('what is added again in the place of a lost entry has a time of its own', () => {
  const node = new WindowNode([fork(at(5, 0), at(0, 0)), added(at(5, 1), 100, 'a')])
  node.apply(added(at(5, 2), 150, 'b'), fork(at(9, 1), at(5, 1)), added(at(9, 2), 180, 'b'))
  const { clock } = node.window
  expect([1, 2].map((number) => clock.ageMs(number, 200_000))).toEqual([100_000, 20_000])
})

test('after a gap, no entry has the time of one from before it', () => {
  const node = new WindowNode([fork(at(5, 0), at(0, 0)), added(at(5, 1), 100, 'a')])
  node.apply(added(at(5, 9), 101, 'z'), fork(at(9, 0), at(0, 0)))
  const { clock } = node.window
  expect(clock.ageMs(1, 200_000)).toBeNull()
  node.apply(added(at(9, 1), 101, 'c'))
  expect(clock.ageMs(1, 200_000)).toBe(99_000)
})
