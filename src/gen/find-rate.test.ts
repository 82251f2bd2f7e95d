// Goal: the search ends with the highest rate that held, and reports all attempts. Method: attempts
// that hold up to a rate, and whole texts.

import { describe, expect, test } from 'bun:test'
import { Value } from '@sinclair/typebox/value'
import { findLimits } from '../core/tool-limits.ts'
import type { FindAttempt } from './attempt.ts'
import { attemptLine, FindReport, findReport, findSummary } from './find-rate.ts'
import { findRate } from './search.ts'

function attemptAt(rate: number, changes: Partial<FindAttempt> = {}): FindAttempt {
  return {
    rate,
    held: true,
    why: null,
    perSecond: rate,
    metrics: {
      ...{ p50Ms: 0.5, p90Ms: 1.5, p99Ms: 12.34, p999Ms: 100, maxMs: 1_234 },
      ...{ lost: 0, duplicated: 0, reordered: 0, rejected: 0, unanswered: 0 },
    },
    ...changes,
  }
}

const FAILED = { held: false, why: 'lost is 3, not =0' }

describe('findRate', () => {
  test('finds the highest rate within 5 %', async () => {
    const attempts = await findRate(1_000, async (rate) =>
      attemptAt(rate, rate <= 23_000 ? {} : FAILED),
    )
    const highest = findReport(attempts, []).highest ?? 0
    expect(highest).toBeWithin(23_000 * 0.95, 23_001)
    expect(attempts.length).toBeLessThanOrEqual(findLimits.attemptsMax)
  })

  test('goes down from a rate that does not hold', async () => {
    const attempts = await findRate(16_000, async (rate) =>
      attemptAt(rate, rate <= 900 ? {} : FAILED),
    )
    expect(findReport(attempts, []).highest).toBeWithin(855, 901)
  })

  test('ends when attempts return null', async () => {
    let left = 3
    const attempts = await findRate(1_000, async (rate) => (left-- > 0 ? attemptAt(rate) : null))
    expect(attempts.map(({ rate }) => rate)).toEqual([1_000, 2_000, 4_000])
  })

  test('ends when no message is answered', async () => {
    const silent = { ...FAILED, perSecond: 0 }
    const attempts = await findRate(1_000, async (rate) => attemptAt(rate, silent))
    expect([attempts.length, findReport(attempts, []).highest]).toEqual([1, null])
  })
})

describe('the report of a search', () => {
  const attempts = [attemptAt(1_000), attemptAt(20_000, FAILED)]

  test('fits its schema, with and without a rate that held', () => {
    for (const made of [attempts, attempts.slice(1), []]) {
      const report = findReport(made, ['lost=0'])
      expect(Value.Check(FindReport, JSON.parse(JSON.stringify(report)))).toBe(true)
    }
  })

  test('is a table as text', () => {
    expect(findSummary(findReport(attempts, ['p99<50ms', 'lost=0'])).split('\n')).toEqual([
      'messages/s  held  sent/s      p50      p90      p99   p99.9     max  lost',
      '     1,000   yes   1,000  0.50 ms  1.50 ms  12.3 ms  100 ms  1.23 s     0',
      '    20,000    no  20,000  0.50 ms  1.50 ms  12.3 ms  100 ms  1.23 s     0',
      'The highest rate that held p99<50ms, lost=0: 1,000 messages a second.',
    ])
  })

  test('says when no rate held', () => {
    expect(findSummary(findReport([], ['lost=0']))).toBe('No rate held lost=0.')
  })

  test('has a line for each attempt during the search', () => {
    expect(attempts.map(attemptLine)).toEqual([
      '1,000 messages a second: held, p99 12.3 ms, lost 0',
      '20,000 messages a second: lost is 3, not =0',
    ])
  })
})
