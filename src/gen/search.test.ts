// Goal: the search finds the highest rate that holds. Method: simulated machines that hold up to a
// rate.

import { describe, expect, test } from 'bun:test'
import { type Attempt, highestHeld, nextRate, type SearchPlan } from './search.ts'

const PLAN: SearchPlan = { start: 2_000, factor: 1.25, bisections: 2, attemptsMax: 14 }

/** All attempts against a machine that holds some rates. */
function searched(holds: (rate: number) => boolean, plan = PLAN): Attempt[] {
  const attempts: Attempt[] = []
  for (;;) {
    const rate = nextRate(plan, attempts)
    if (rate === null) return attempts
    attempts.push({ rate, held: holds(rate) })
  }
}

describe('nextRate', () => {
  test('raises until a rate fails, then halves the gap', () => {
    const attempts = searched((rate) => rate <= 3_300)
    const rates = [2_000, 2_500, 3_125, 3_906, 3_906, 3_494, 3_494, 3_304, 3_304]
    expect(attempts.map(({ rate }) => rate)).toEqual(rates)
    expect(highestHeld(attempts)?.rate).toBe(3_125)
  })

  test('tries a failed rate once more, and goes on if it holds then', () => {
    let tries = 0
    const attempts = searched((rate) => rate <= 3_300 && (rate !== 2_500 || ++tries > 1))
    expect(attempts.slice(0, 4).map(({ rate }) => rate)).toEqual([2_000, 2_500, 2_500, 3_125])
    expect(highestHeld(attempts)?.rate).toBe(3_125)
  })

  test('finds a rate that holds in the gap', () => {
    expect(highestHeld(searched((rate) => rate <= 3_700))?.rate).toBe(3_694)
  })

  test('goes down when the first rate fails', () => {
    const attempts = searched((rate) => rate <= 700)
    const best = highestHeld(attempts)?.rate ?? 0
    expect(best).toBeGreaterThan(620)
    expect(best).toBeLessThanOrEqual(700)
  })

  test('ends when nothing holds, and when everything does', () => {
    const none = searched(() => false)
    expect(none.length).toBeLessThanOrEqual(14)
    expect(highestHeld(none)).toBeNull()
    expect(searched(() => true).length).toBe(14)
  })

  test('ignores a failure below a rate that held', () => {
    const attempts = [
      { rate: 2_000, held: false },
      { rate: 1_600, held: true },
      { rate: 2_100, held: true },
    ]
    expect(nextRate({ ...PLAN, bisections: 9 }, attempts)).toBe(2_625)
  })

  test('ends if there is no whole rate in between', () => {
    const plan = { ...PLAN, start: 1, factor: 2 }
    expect(searched((rate) => rate <= 1, plan).map(({ rate }) => rate)).toEqual([1, 2, 2])
  })

  test('ends if the bounds are closer than 3 %', () => {
    const plan = { ...PLAN, bisections: 50, attemptsMax: 50 }
    const rates = searched((rate) => rate <= 3_300, plan).map(({ rate }) => rate)
    expect(new Set(rates).size).toBeLessThan(12)
  })
})
