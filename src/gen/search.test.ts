// The search for the highest rate, against machines that hold up to some rate and no more.

import { describe, expect, test } from 'bun:test'
import { type Attempt, highestHeld, nextRate, type SearchPlan } from './search.ts'

const PLAN: SearchPlan = { start: 2_000, factor: 1.25, bisections: 2, attemptsMax: 14 }

/** All attempts against a machine that answers as told. */
function searched(holds: (rate: number) => boolean, plan = PLAN): Attempt[] {
  const attempts: Attempt[] = []
  for (;;) {
    const rate = nextRate(plan, attempts)
    if (rate === null) return attempts
    attempts.push({ rate, held: holds(rate) })
  }
}

describe('the search', () => {
  test('raises until a rate fails, then halves the gap', () => {
    const attempts = searched((rate) => rate <= 3_300)
    const rates = [2_000, 2_500, 3_125, 3_906, 3_906, 3_494, 3_494, 3_304, 3_304]
    expect(attempts.map(({ rate }) => rate)).toEqual(rates)
    expect(highestHeld(attempts)?.rate).toBe(3_125)
  })

  test('tries a rate that failed once more, and goes on if it was chance', () => {
    let tries = 0
    const attempts = searched((rate) => rate <= 3_300 && (rate !== 2_500 || ++tries > 1))
    expect(attempts.slice(0, 4).map(({ rate }) => rate)).toEqual([2_000, 2_500, 2_500, 3_125])
    expect(highestHeld(attempts)?.rate).toBe(3_125)
  })

  test('takes what holds in the gap', () => {
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

  test('takes a failure below what held for chance', () => {
    const attempts = [
      { rate: 2_000, held: false },
      { rate: 1_600, held: true },
      { rate: 2_100, held: true },
    ]
    expect(nextRate({ ...PLAN, bisections: 9 }, attempts)).toBe(2_625)
  })

  test('ends where there is no whole rate in between', () => {
    const plan = { ...PLAN, start: 1, factor: 2 }
    expect(searched((rate) => rate <= 1, plan).map(({ rate }) => rate)).toEqual([1, 2, 2])
  })

  test('does not split hairs', () => {
    const plan = { ...PLAN, bisections: 50, attemptsMax: 50 }
    const rates = searched((rate) => rate <= 3_300, plan).map(({ rate }) => rate)
    expect(new Set(rates).size).toBeLessThan(12)
  })
})
