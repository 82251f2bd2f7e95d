// Goal: each slot is due at its time, spread over five seconds, whatever the table has gone
// through. Method: times of the test; no stream.

import { expect, test } from 'bun:test'
import { Expiries } from './expiries.ts'

function dueAt(expiries: Expiries, nowMs: number, slots = 1_000): readonly number[] {
  return expiries.due(nowMs, slots, slots)
}

test('slots of one time are due one after the other within five seconds', () => {
  const expiries = new Expiries(() => undefined)
  for (let slot = 1; slot <= 1_000; slot++) expiries.set(slot, 100)
  expect(dueAt(expiries, 99_999)).toEqual([])
  for (let second = 1; second <= 5; second++) {
    const due = dueAt(expiries, 100_000 + second * 1_000).length
    expect(Math.abs(due - second * 200)).toBeLessThan(10)
  }
  expect(dueAt(expiries, 105_000)).toHaveLength(1_000)
})

test('of very many that are due each look finds a few, and none a second time before all', () => {
  const expiries = new Expiries(() => undefined)
  for (let slot = 1; slot <= 10; slot++) expiries.set(slot, slot === 2 ? 0 : 100)
  const look = () => expiries.due(200_000, 10, 4)
  const looks = [look(), look(), look()]
  expect(looks).toEqual([
    [1, 3, 4, 5],
    [6, 7, 8, 9],
    [10, 1, 3, 4],
  ])
})

test('a slot without a time is never due, nor one whose stream has another time', () => {
  const expiries = new Expiries(() => undefined)
  expiries.set(1, 0)
  expect(expiries.count).toBe(0)
  expiries.set(2, 100)
  expiries.set(3, 100)
  expiries.set(2, 0)
  expect(expiries.count).toBe(1)
  expect(dueAt(expiries, 1e9)).toEqual([3])
  expiries.set(3, 2e6)
  expect(dueAt(expiries, 1e9)).toEqual([])
})

test('a time beyond 32 bits of seconds is the last one', () => {
  const expiries = new Expiries(() => undefined)
  expiries.set(1, 1e18)
  expect(dueAt(expiries, 4_294_967_294_000)).toEqual([])
  expect(dueAt(expiries, 4_294_967_300_000)).toEqual([1])
})

test('a slot is cleared, though the table has grown meanwhile', () => {
  const expiries = new Expiries(() => undefined)
  expiries.set(5, 100)
  expiries.set(5, 0)
  expect([expiries.count, dueAt(expiries, 200_000)]).toEqual([0, []])
})

test('the table grows with the slots', () => {
  const expiries = new Expiries(() => undefined)
  expiries.set(1, 100)
  expiries.set(2_000, 100)
  expect(dueAt(expiries, 200_000, 2_000)).toEqual([1, 2_000])
})
