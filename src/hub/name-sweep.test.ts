// Goal: a name that no one uses goes within a few passes, never while its user is connected, and
// its handle is not given to another name while messages may be under way to it. Method: a table
// and timers that are moved by hand.

import { afterEach, beforeEach, expect, jest, test } from 'bun:test'
import { identityLimits } from '../core/identity-limits.ts'
import { NameTable } from '../subscriptions/name-table.ts'
import { sweepNames } from './name-sweep.ts'

beforeEach(() => {
  jest.useFakeTimers()
})
afterEach(() => {
  jest.useRealTimers()
})

/** Where no message is under way. */
const outlet = { checkpoint: () => () => true }

/** A log that has kept no message. */
const NOTHING = { window: { refersTo: () => false, onNameFreed: () => undefined } }

test('a name goes after two passes without its user, and not before', () => {
  const names = new NameTable({ seed: 1 })
  const connected = new Set([names.intern('alice')])
  names.intern('bob')
  const stop = sweepNames(names, { outlet, isReached: (id) => connected.has(id) }, NOTHING)
  jest.advanceTimersByTime(identityLimits.namePassMs)
  expect(names.size).toBe(2)
  jest.advanceTimersByTime(identityLimits.namePassMs)
  expect(names.size).toBe(1)
  connected.clear()
  jest.advanceTimersByTime(3 * identityLimits.namePassMs)
  expect(names.size).toBe(0)
  stop()
  names.intern('carol')
  jest.advanceTimersByTime(10 * identityLimits.namePassMs)
  expect(names.size).toBe(1)
})

test('a name stays as long as the log has a message for it, and goes after that', () => {
  const names = new NameTable({ seed: 1 })
  const kept = new Set([names.intern('alice')])
  names.intern('bob')
  const freed: number[] = []
  const log = {
    refersTo: (id: number) => kept.has(id),
    onNameFreed: (id: number) => void freed.push(id),
  }
  const stop = sweepNames(names, { outlet, isReached: () => false }, { window: log })
  jest.advanceTimersByTime(10 * identityLimits.namePassMs)
  expect([names.size, names.find('alice')]).toEqual([1, [...kept][0] as number])
  kept.clear()
  const alice = names.find('alice')
  jest.advanceTimersByTime(3 * identityLimits.namePassMs)
  expect([names.size, freed.at(-1), freed.length]).toEqual([0, alice, 2])
  stop()
})

test('a pass over very many names takes several checks, and ends', () => {
  const names = new NameTable({ seed: 1 })
  const count = 3 * identityLimits.namesPerCheck
  for (let at = 0; at < count; at++) names.intern(`user-${at}`)
  const stop = sweepNames(names, { outlet, isReached: () => false }, NOTHING)
  jest.advanceTimersByTime(2 * identityLimits.namePassMs)
  expect(names.size).toBeLessThan(count)
  jest.advanceTimersByTime(identityLimits.namePassMs)
  expect(names.size).toBe(0)
  stop()
})

test('a handle is not of another name while messages are under way that may be for the first', () => {
  const names = new NameTable({ seed: 1 })
  const alice = names.intern('alice')
  let sent = 1
  let delivered = 0
  const checkpoint = () => {
    const before = sent
    return () => delivered >= before
  }
  const stop = sweepNames(names, { outlet: { checkpoint }, isReached: () => false }, NOTHING)
  jest.advanceTimersByTime(10 * identityLimits.namePassMs)
  expect(names.size).toBe(0)
  expect(names.intern('bob')).not.toBe(alice)
  // What comes later is not waited for.
  delivered = sent
  sent = 100
  jest.advanceTimersByTime(identityLimits.nameCheckEveryMs)
  expect(names.intern('carol')).toBe(alice)
  stop()
})
