// Goal: numbers follow Zipf's law exactly, whatever the exponent and however many there are.
// Method: chi-squared against the probabilities added up term by term; bounds as a property.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { randomFrom } from '../core/random.ts'
import { zipf } from './zipf.ts'

const DRAWS = 100_000

/** Classes of numbers that each hold a share of all, small enough to tell and large enough to test. */
function classesOf(n: number, s: number): { upTo: number; share: number }[] {
  const weights = Array.from({ length: n }, (_, at) => (at + 1) ** -s)
  const whole = weights.reduce((sum, weight) => sum + weight, 0)
  const classes: { upTo: number; share: number }[] = []
  let share = 0
  for (const [at, weight] of weights.entries()) {
    share += weight / whole
    if (share < 0.01 && at + 1 < n) continue
    classes.push({ upTo: at + 1, share })
    share = 0
  }
  return classes
}

describe('Zipf', () => {
  test.each([
    [100, 0.01],
    [100, 0.5],
    [100, 1],
    [100, 1.1],
    [100, 2],
    [7, 3],
    [2, 1],
    [1_000_000, 0.8],
    [1_000_000, 1],
    [1_000_000, 1.1],
  ])('among %p with exponent %p is as its probabilities say', (n, s) => {
    const draw = zipf(n, s, randomFrom(11))
    const classes = classesOf(n, s)
    const counts = new Array<number>(classes.length).fill(0)
    for (let drawn = 0; drawn < DRAWS; drawn++) {
      const k = draw()
      const of = classes.findIndex(({ upTo }) => k <= upTo)
      counts[of] = (counts[of] ?? 0) + 1
    }
    const chiSquared = classes.reduce((sum, { share }, of) => {
      const wanted = share * DRAWS
      return sum + ((counts[of] ?? 0) - wanted) ** 2 / wanted
    }, 0)
    // Its mean is the degrees of freedom and its variance twice that; four deviations are ample.
    const freedom = classes.length - 1
    expect(chiSquared).toBeLessThan(freedom + 4 * Math.sqrt(2 * freedom) + 4)
  })

  test('stays among the users there are, as whole numbers', () => {
    const sizes = fc.integer({ min: 1, max: 2 ** 32 - 1 })
    const exponents = fc.double({ min: 0.001, max: 10, noNaN: true })
    fc.assert(
      fc.property(sizes, exponents, fc.nat(), (n, s, seed) => {
        const draw = zipf(n, s, randomFrom(seed))
        for (let at = 0; at < 50; at++) {
          const k = draw()
          expect(Number.isInteger(k)).toBe(true)
          expect(k).toBeWithin(1, n + 1)
        }
      }),
    )
  })

  test('repeats its numbers for a seed', () => {
    const numbers = () => {
      const draw = zipf(1_000, 1.1, randomFrom(5))
      return Array.from({ length: 100 }, draw)
    }
    expect(numbers()).toEqual(numbers())
  })
})
