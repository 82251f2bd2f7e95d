// Goal: a seed repeats its numbers everywhere, and they are good enough to choose users.
// Method: fixed expected numbers, bounds as a property, and a chi-squared test for evenness.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { randomFrom } from './random.ts'

function numbers(seed: number, count: number, bound = 1_000_000): number[] {
  const random = randomFrom(seed)
  return Array.from({ length: count }, () => random(bound))
}

/** How far counts are from even: about as much as there are counts, if they are random. */
function chiSquared(counts: readonly number[]): number {
  const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length
  return counts.reduce((sum, count) => sum + (count - mean) ** 2 / mean, 0)
}

describe('randomFrom', () => {
  test('repeats its numbers for a seed, in this version and the next', () => {
    expect(numbers(1, 4)).toEqual(FROM_SEED_1)
  })

  test('has different numbers for similar seeds, in their low and their high bits', () => {
    const seeds = [0, 1, 2, 3, 2 ** 32, 2 ** 32 + 1, 2 ** 52]
    const firsts = seeds.map((seed) => numbers(seed, 3).join())
    expect(new Set(firsts).size).toBe(seeds.length)
  })

  test('returns numbers within any bound', () => {
    const seeds = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 2 ** 32 }), (seed, bound) => {
        for (const number of numbers(seed, 20, bound)) {
          expect(Number.isInteger(number)).toBe(true)
          expect(number).toBeWithin(0, bound)
        }
      }),
    )
  })

  test('returns only 0 below 1, and both ends of a small bound', () => {
    expect(new Set(numbers(7, 100, 1))).toEqual(new Set([0]))
    expect(new Set(numbers(7, 100, 3))).toEqual(new Set([0, 1, 2]))
  })

  test.each([0, 1, 42])('is uniform over 100 places with seed %p', (seed) => {
    const counts = new Array<number>(100).fill(0)
    for (const place of numbers(seed, 100_000, 100)) counts[place] = (counts[place] ?? 0) + 1
    // 99 degrees of freedom: beyond 160 lies less than one seed in ten thousand.
    expect(chiSquared(counts)).toBeLessThan(160)
  })

  test('has numbers that do not predict the next', () => {
    const counts = new Array<number>(100).fill(0)
    const drawn = numbers(5, 100_000, 10)
    for (let at = 1; at < drawn.length; at++) {
      const pair = (drawn[at - 1] ?? 0) * 10 + (drawn[at] ?? 0)
      counts[pair] = (counts[pair] ?? 0) + 1
    }
    expect(chiSquared(counts)).toBeLessThan(160)
  })
})

const FROM_SEED_1 = [721_382, 998_277, 471_272, 374_470]
