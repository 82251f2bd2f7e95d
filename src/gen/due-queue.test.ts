// Goal: the queue returns generators in the order in which they are due.
// Method: random schedules, against a sorted list.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { dueAtMs } from '../core/pacer.ts'
import { DueQueue, type GeneratorState } from './due-queue.ts'

function source(number: number, firstMs: number, intervalMs: number, total = 3): GeneratorState {
  return { schedule: { firstMs, intervalMs }, number, total, taken: 0 }
}

describe('a queue of generators', () => {
  test('returns nothing when it is empty', () => {
    const queue = new DueQueue()
    expect([queue.size, queue.firstMs, queue.take()]).toEqual([0, null, undefined])
  })

  test('does not take a generator that has sent everything', () => {
    const queue = new DueQueue()
    queue.add({ ...source(1, 0, 1), taken: 3 })
    expect(queue.size).toBe(0)
  })

  test('returns generators in the order in which their messages are due', () => {
    const schedules = fc.array(
      fc.record({
        firstMs: fc.integer({ min: 0, max: 50 }),
        intervalMs: fc.integer({ min: 1, max: 50 }),
        total: fc.integer({ min: 0, max: 8 }),
      }),
      { maxLength: 40 },
    )
    fc.assert(
      fc.property(schedules, (all) => {
        const queue = new DueQueue()
        const sources = all.map(({ firstMs, intervalMs, total }, at) =>
          source(at, firstMs, intervalMs, total),
        )
        const dues = sources.flatMap(({ schedule, total }) =>
          Array.from({ length: total }, (_, at) => dueAtMs(schedule, at + 1)),
        )
        for (const one of sources) queue.add(one)
        const seen: number[] = []
        for (let one = queue.take(); one !== undefined; one = queue.take()) {
          seen.push(dueAtMs(one.schedule, ++one.taken))
          queue.add(one)
        }
        expect(seen).toEqual(dues.toSorted((a, b) => a - b))
      }),
    )
  })
})
