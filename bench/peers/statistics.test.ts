// The arithmetic over rounds: spreads, ratios within a round, and what had no more to give.

import { describe, expect, test } from 'bun:test'
import { ratiosTo, saturatedBy, spreadOf } from './statistics.ts'

describe('a spread', () => {
  test('is of the rounds that have a value', () => {
    expect(spreadOf([3, null, 1, 2])).toEqual({ median: 2, min: 1, max: 3 })
    expect(spreadOf([4, 1])).toEqual({ median: 2.5, min: 1, max: 4 })
  })

  test('is null where no round has one', () => {
    expect(spreadOf([null, null])).toBeNull()
    expect(spreadOf([])).toBeNull()
  })
})

describe('a ratio to the floor', () => {
  test('is of the same round, not of the medians', () => {
    expect(ratiosTo([10, 20, 40], [20, 20, 20])).toEqual([2, 1, 0.5])
  })

  test('is null where either side is missing, or the floor is nothing', () => {
    expect(ratiosTo([10, null, 0, -5], [null, 20, 5, 5])).toEqual([null, null, null, null])
    expect(ratiosTo([], [1, 2])).toEqual([null, null])
  })
})

describe('what had no more to give', () => {
  const IDLE = { server: 0.4, gen: 0.3, flood: 0.2, machine: 0.9 }

  test.each([
    [{ ...IDLE, server: 0.99 }, 'the server'],
    [{ ...IDLE, gen: 1.02, flood: 0.95 }, 'the generator, the client'],
    [{ server: 0.8, gen: 0.7, flood: 0.4, machine: 1.95 }, 'the machine'],
    [{ ...IDLE, server: 0.95, machine: 1.98 }, 'the server, the machine'],
    [IDLE, 'waiting for each other'],
  ])('%j: %s', (cores, words) => {
    expect(saturatedBy(cores, 2)).toBe(words)
  })
})
