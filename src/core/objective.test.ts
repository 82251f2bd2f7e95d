// Goal: objectives are parsed, refused where they mean nothing, and judged correctly at their
// limits. Method: tables.

import { describe, expect, test } from 'bun:test'
import {
  judge,
  judgementText,
  measurePercentiles,
  objectiveText,
  parseObjectives,
} from './objective.ts'

const UNITS = { p99: 'ms', 'p99.9': 'ms', lost: 'count', opened: 'count' } as const

function judged(text: string, measured: Record<string, number | null>): boolean[] {
  return judge(parseObjectives(text, UNITS) ?? [], measured).map(({ met }) => met)
}

describe('objectives', () => {
  test.each([
    ['p99<50ms', ['p99<50ms']],
    ['p99<50ms,lost=0', ['p99<50ms', 'lost=0']],
    [' p99.9 <= 1.5s , opened >= 10k ', ['p99.9<=1500ms', 'opened>=10000']],
    ['lost>0', ['lost>0']],
    ['p98<1s,p99.5<1s,p99.99<1s', ['p98<1000ms', 'p99.5<1000ms', 'p99.99<1000ms']],
  ])('are parsed from %p', (text, expected) => {
    expect(parseObjectives(text, UNITS)?.map(objectiveText)).toEqual(expected)
  })

  test.each([
    [''],
    ['p99'],
    ['p99<'],
    ['p99<50'],
    ['lost=0ms'],
    ['lost==0'],
    ['lost=!0'],
    ['p0<50ms'],
    ['p100<50ms'],
    ['p9.<50ms'],
    ['p099<50ms'],
    ['connect-p99<50ms'],
    ['p99<50ms,'],
    ['toString<1'],
    ['p99<50ms lost=0'],
  ])('are not parsed from %p', (text) => {
    expect(parseObjectives(text, UNITS)).toBeUndefined()
  })

  test.each([
    ['lost<1', 0, true],
    ['lost<1', 1, false],
    ['lost<=1', 1, true],
    ['lost<=1', 2, false],
    ['lost=1', 1, true],
    ['lost=1', 0, false],
    ['lost>=1', 1, true],
    ['lost>=1', 0, false],
    ['lost>1', 2, true],
    ['lost>1', 1, false],
  ])('%s with %p is met: %p', (text, lost, met) => {
    expect(judged(text, { lost })).toEqual([met])
  })

  test('are not met by a value that was not measured', () => {
    expect(judged('p99<50ms,lost=0', { p99: null })).toEqual([false, false])
  })

  test('are measured if they name percentiles, and not otherwise', () => {
    const units = { ...UNITS, 'connect-p50': 'ms' } as const
    const objectives = parseObjectives('p99.5<1s,connect-p98<1s,lost=0', units) ?? []
    const measured = measurePercentiles(objectives, ({ of, percentile }) =>
      of === '' ? percentile : null,
    )
    expect(measured).toEqual({ 'p99.5': 99.5, 'connect-p98': null })
  })

  test('have a text for people', () => {
    const objectives = parseObjectives('p99<50ms,lost=0,opened>=2', UNITS) ?? []
    const words = judge(objectives, { p99: 61.2, lost: 0 }).map(judgementText)
    expect(words).toEqual([
      'p99 is 61.2 ms, not <50ms',
      'lost is 0, as wanted (=0)',
      'opened was not measured, wanted >=2',
    ])
  })
})
