// Goal: the newest entry of each chain is known, or it is known up to where it is not. Method:
// small tables, and numbers around those at which bits run out.

import { expect, test } from 'bun:test'
import { Chains } from './chains.ts'
import { KIND } from './entry.ts'
import { GoneHeads, NameHash } from './gone-heads.ts'
import { Heads, NOBODY } from './heads.ts'

const HASH = new NameHash(String, [1, 2])
/** Above all numbers of a test. */
const NEXT = 1_000_000

test('the newest entry of a chain is known, and how far before it the one before is', () => {
  const heads = new Heads({ placesMax: 1_024, hash: HASH })
  expect(heads.newest(5, NEXT)).toBe(0)
  expect(heads.advance(5, 10, 1)).toBe(0)
  expect(heads.advance(6, 11, 1)).toBe(0)
  expect(heads.advance(5, 17, 1)).toBe(7)
  expect([heads.newest(5, NEXT), heads.newest(6, NEXT)]).toEqual([17, 11])
})

test('numbers beyond 32 bits are known by those near them', () => {
  const heads = new Heads({ placesMax: 1_024, hash: HASH })
  heads.advance(5, 2 ** 32 - 1, 1)
  expect(heads.newest(5, 2 ** 32 + 7)).toBe(2 ** 32 - 1)
  expect(heads.advance(5, 2 ** 32 + 7, 1)).toBe(8)
  expect(heads.newest(5, 2 ** 33)).toBe(2 ** 32 + 7)
})

test('a table grows up to its bound, and then drops what has left the window', () => {
  const heads = new Heads({ placesMax: 1_024, hash: HASH })
  for (let key = 1; key <= 1_024; key++) heads.advance(key, key, 700)
  expect(heads.table.capacity).toBe(1_024)
  // It was full at 717 keys.
  expect(heads.floorOf(1, 0, NEXT)).toBe(699)
  expect([heads.newest(699, NEXT), heads.newest(700, NEXT)]).toEqual([0, 700])
  expect(heads.newest(1_024, NEXT)).toBe(1_024)
})

test('of a window with more chains than the bound, all are known', () => {
  const heads = new Heads({ placesMax: 1_024, hash: HASH })
  for (let key = 1; key <= 5_000; key++) heads.advance(key, key, 1)
  for (let key = 1; key <= 5_000; key++) expect(heads.newest(key, NEXT)).toBe(key)
  expect(heads.floorOf(1, 0, NEXT)).toBe(0)
})

test('a name that has lost its handle is known by its hash, under another handle, too', () => {
  const names = new Map([
    [NOBODY + 1, 'one'],
    [NOBODY + 2, 'other'],
  ])
  const hash = new NameHash((handle) => names.get(handle) ?? '', [1, 2])
  const heads = new Heads({ placesMax: 1_024, hash })
  const [one, other, again] = [NOBODY + 1, NOBODY + 2, NOBODY + 9]
  heads.advance(one, 10, 1)
  heads.advance(other, 20, 1)
  heads.free(one, NEXT)
  heads.free(NOBODY + 3, NEXT)
  names.set(again, 'one').set(one, 'new')
  expect([heads.newest(one, NEXT), heads.newest(other, NEXT)]).toEqual([0, 20])
  expect([again, one, 7].map((key) => heads.floorOf(key, 5, NEXT))).toEqual([10, 0, 0])
  // What nobody asks about is not looked up.
  expect(heads.floorOf(again, 10, NEXT)).toBe(0)
})

test('of very many names that have gone the newest are known', () => {
  const gone = new GoneHeads(1_024, 0)
  for (let at = 1; at <= 10_000; at++) gone.keep(at, at, at, NEXT)
  expect(gone.byteLength).toBe(1_024 * 12)
  expect(gone.floor).toBeWithin(9_000, 10_000)
  for (let at = 1; at <= 10_000; at++) {
    expect(gone.newest(at, at, NEXT)).toBe(Math.max(at, gone.floor))
  }
  gone.keep(10_000, 10_000, 5, NEXT)
  expect(gone.newest(10_000, 10_000, NEXT)).toBe(10_000)
})

test('a table for so many has room for them at once', () => {
  const heads = new Heads({ placesMax: 2 ** 20, hash: HASH, expected: 10_000 })
  const { byteLength } = heads
  for (let key = 1; key <= 10_000; key++) heads.advance(key, key, 1)
  expect(heads.byteLength).toBe(byteLength)
})

test('heads from two billion numbers ago are forgotten, except those that are kept', () => {
  const chains = new Chains({ placesMax: 1_024, hash: HASH })
  const later = 3 * 2 ** 30
  chains.add(KIND.about, 1, 1_000, 1)
  chains.add(KIND.about, 2, later - 100, 1)
  chains.add(KIND.to, 3, 2_000, 1)
  // The window begins there; each 2^30 numbers it is looked for old ones.
  chains.add(KIND.about, 4, later, later - 50)
  const next = later + 1
  const { about, to } = chains
  expect([about.newest(1, next), about.floorOf(1, 0, next)]).toEqual([0, 1_000])
  expect([to.newest(3, next), to.floorOf(3, 0, next)]).toEqual([0, 2_000])
  expect([about.newest(2, next), about.newest(4, next)]).toEqual([later - 100, later])
})

test('the heads of a window of two billion entries are kept', () => {
  const chains = new Chains({ placesMax: 1_024, hash: HASH })
  const later = 3 * 2 ** 30
  chains.add(KIND.about, 1, 10, 1)
  chains.add(KIND.about, 2, later, 5)
  expect(chains.about.newest(1, later + 1)).toBe(10)
})
