// Goal: samples become fewer without losing a bad second or a total, and their number stays
// bounded. Method: samples whose folding is known, and lists that never forget beside what keeps a
// part.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  BoundedSamples,
  columnsOf,
  type Folds,
  foldEvery,
  foldSamples,
  foldTo,
  SampleRing,
} from './samples.ts'

interface RunSample {
  readonly seconds: number
  readonly rate: number | null
  readonly maxMs: number | null
}

const FOLDS: Folds<RunSample> = { seconds: 'last', maxMs: 'peak' }

function sampleAt(seconds: number, others: Partial<RunSample> = {}): RunSample {
  return { seconds, rate: 10 * seconds, maxMs: seconds, ...others }
}

describe('samples folded into one', () => {
  test('have the mean, the largest or the last of each figure', () => {
    const samples = [sampleAt(1), sampleAt(2, { maxMs: 99 }), sampleAt(3)]
    expect(foldSamples(samples, FOLDS)).toEqual({ seconds: 3, rate: 20, maxMs: 99 })
  })

  test('pass over what is not known, and have null where no sample has a value', () => {
    const samples = [
      sampleAt(1, { maxMs: null }),
      sampleAt(2, { rate: null, maxMs: null }),
      sampleAt(3, { maxMs: null }),
    ]
    expect(foldSamples(samples, FOLDS)).toEqual({ seconds: 3, rate: 20, maxMs: null })
  })

  test('must be at least one', () => {
    expect(() => foldSamples<RunSample>([], FOLDS)).toThrow('no sample')
  })

  test('are neighbours, the last group a smaller one', () => {
    const samples = [1, 2, 3, 4, 5].map((seconds) => sampleAt(seconds))
    const fewer = foldEvery(samples, 2, FOLDS)
    expect(fewer.map(({ seconds, rate }) => [seconds, rate])).toEqual([
      [2, 15],
      [4, 35],
      [5, 50],
    ])
  })

  test('are no more than asked, and stay as they are where they are few', () => {
    const samples = [1, 2, 3, 4, 5].map((seconds) => sampleAt(seconds))
    expect(foldTo(samples, 5, FOLDS)).toEqual(samples)
    expect(foldTo(samples, 4, FOLDS).map(({ seconds }) => seconds)).toEqual([2, 4, 5])
    expect(foldTo(samples, 0, FOLDS).map(({ seconds }) => seconds)).toEqual([5])
    expect(foldTo<RunSample>([], 10, FOLDS)).toEqual([])
  })
})

test('columns have a list for each figure, rounded by its name', () => {
  const samples = [sampleAt(1.26), sampleAt(2, { maxMs: null })]
  expect(columnsOf(samples)).toEqual({ seconds: [1.26, 2], rate: [12.6, 20], maxMs: [1.26, null] })
  const rounded = (value: number, name: string) =>
    Number(value.toFixed(name.endsWith('Ms') ? 1 : 0))
  expect(columnsOf(samples, rounded)).toMatchObject({ rate: [13, 20], maxMs: [1.3, null] })
  expect(columnsOf<RunSample>([])).toEqual({} as never)
})

describe('bounded samples', () => {
  test('are folded with their neighbours where they are many, at the last one’s second', () => {
    const kept = new BoundedSamples(4, FOLDS)
    for (let second = 1; second <= 7; second++) {
      kept.push(sampleAt(second, { maxMs: second === 3 ? 99 : 1 }))
    }
    expect(kept.list.map(({ seconds, maxMs }) => [seconds, maxMs])).toEqual([
      ...[
        [2, 1],
        [4, 99],
        [6, 1],
        [7, 1],
      ],
    ])
  })

  test('are never more than asked, evenly far apart, and end with the last', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 500 }), (half, all) => {
        const kept = new BoundedSamples(2 * half, FOLDS)
        for (let second = 1; second <= all; second++) {
          kept.push(sampleAt(second))
          expect(kept.list.length).toBeLessThanOrEqual(2 * half)
        }
        const seconds = kept.list.map((of) => of.seconds)
        expect(seconds.at(-1)).toBe(all)
        const gaps = new Set(
          seconds.slice(0, -1).map((at, index) => at - (seconds[index - 1] ?? 0)),
        )
        expect(gaps.size).toBeLessThanOrEqual(1)
        expect(Math.max(...kept.list.map(({ maxMs }) => maxMs ?? 0))).toBe(all)
      }),
    )
  })
})

describe('a ring', () => {
  test('is the end of a list that never forgets', () => {
    const values = fc.array(fc.option(fc.nat(1_000)), { maxLength: 40 })
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10 }),
        values,
        fc.nat(45),
        (capacity, pushed, since) => {
          const ring = new SampleRing(['streams', 'load'], capacity)
          for (const [at, value] of pushed.entries()) {
            ring.push(at + 1, { streams: value, load: at + 1 })
          }
          const kept = pushed.map((value, at) => ({ timeMs: at + 1, value })).slice(-capacity)
          const newer = kept.filter(({ timeMs }) => timeMs > since)
          expect([ring.length, ring.newestMs]).toEqual([kept.length, kept.at(-1)?.timeMs ?? null])
          expect(ring.since(since)).toEqual({
            times: newer.map(({ timeMs }) => timeMs),
            values: {
              streams: newer.map(({ value }) => value),
              load: newer.map(({ timeMs }) => timeMs),
            },
          })
          const last = kept.slice(-3).map(({ value }) => value)
          expect(ring.last('streams', 3)).toEqual(last.filter((value) => value !== null))
        },
      ),
    )
  })

  test('is empty once it is cleared, and is filled again', () => {
    const ring = new SampleRing(['load'], 2)
    for (const timeMs of [1, 2, 3]) ring.push(timeMs, { load: timeMs })
    ring.clear()
    expect([ring.length, ring.newestMs, ring.since(0).times]).toEqual([0, null, []])
    ring.push(1, { load: 7 })
    expect(ring.since(0)).toEqual({ times: [1], values: { load: [7] } })
  })
})
