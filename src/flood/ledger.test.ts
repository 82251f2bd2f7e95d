// Goal: duplicates and reordering are found, also when there are many pairs, and memory is bounded.
// Method: tables of small cases, and a naive model that remembers every message.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { floodLimits } from '../core/tool-limits.ts'
import { Ledger, type Verdict } from './ledger.ts'

/** What the ledger says of one pair's numbers, one after another. */
function verdicts(sequence: readonly number[]): Verdict[] {
  const ledger = new Ledger()
  return sequence.map((number) => ledger.note(0, 0, number, 0))
}

/** A repetition is known as one while fewer than this many higher numbers have come. */
const REMEMBERED = 4

describe('one generator on one stream', () => {
  test.each<[string, number[], Verdict[]]>([
    ['is in order', [1, 2, 3], ['new', 'new', 'new']],
    ['may begin anywhere', [900, 901], ['new', 'new']],
    ['may leave numbers out', [1, 5, 9], ['new', 'new', 'new']],
    ['may repeat the last', [1, 1, 2], ['new', 'duplicate', 'new']],
    ['may repeat an earlier one', [1, 2, 3, 1], ['new', 'new', 'new', 'duplicate']],
    ['may swap two', [1, 3, 2, 4], ['new', 'new', 'reordered', 'new']],
    ['may repeat a swapped one', [1, 3, 2, 2], ['new', 'new', 'reordered', 'duplicate']],
    ['may begin late and fill up', [5, 3, 4, 3], ['new', 'reordered', 'reordered', 'duplicate']],
    [
      'is still wrong when it repeats one from long ago',
      [1, 2, 3, 4, 5, 1],
      ['new', 'new', 'new', 'new', 'new', 'reordered'],
    ],
    ['may go far', [2 ** 32 - 2, 2 ** 32 - 1], ['new', 'new']],
  ])('%s', (_, sequence, expected) => {
    expect(verdicts(sequence)).toEqual(expected)
  })
})

/** Remembers all, and says what the ledger can know of it. */
class NaiveLedger {
  readonly #seen = new Map<string, Set<number>>()

  note(stream: number, generator: number, sequence: number): Verdict {
    const pair = `${stream}/${generator}`
    const seen = this.#seen.get(pair) ?? new Set<number>()
    this.#seen.set(pair, seen)
    const higher = [...seen].filter((number) => number > sequence).length
    const repeated = seen.has(sequence)
    seen.add(sequence)
    if (repeated && higher < REMEMBERED) return 'duplicate'
    return higher === 0 ? 'new' : 'reordered'
  }
}

describe('many pairs', () => {
  test('are judged as by one who remembers everything', () => {
    const notes = fc.array(
      fc.record({
        stream: fc.integer({ min: 0, max: 3 }),
        generator: fc.constantFrom(0, 1, 65_536, 2 ** 36),
        sequence: fc.integer({ min: 1, max: 12 }),
      }),
      { maxLength: 200 },
    )
    fc.assert(
      fc.property(notes, (all) => {
        // Of a small table, which has to grow on the way.
        const ledger = new Ledger(1000, 2)
        const naive = new NaiveLedger()
        for (const { stream, generator, sequence } of all) {
          const expected = naive.note(stream, generator, sequence)
          expect(ledger.note(stream, generator, sequence, 0)).toBe(expected)
        }
      }),
      { numRuns: 300 },
    )
  })

  test('keep what they know while the table grows', () => {
    const ledger = new Ledger(100_000, 4)
    const pairs = Array.from({ length: 20_000 }, (_, at) => ({
      stream: at % 400,
      generator: at % 50,
    }))
    const unique = new Set(pairs.map(({ stream, generator }) => `${stream}/${generator}`))
    const count = (sequence: number) => {
      const counts: Record<Verdict, number> = { new: 0, duplicate: 0, reordered: 0, untracked: 0 }
      for (const { stream, generator } of pairs)
        counts[ledger.note(stream, generator, sequence, 0)]++
      return counts
    }
    const repeated = pairs.length - unique.size
    expect(count(5)).toEqual({ new: unique.size, duplicate: repeated, reordered: 0, untracked: 0 })
    expect(count(5)).toEqual({ new: 0, duplicate: pairs.length, reordered: 0, untracked: 0 })
    expect(count(4).reordered).toBe(unique.size)
  })

  test('do not take the last generator of a stream for the first of the next', () => {
    const ledger = new Ledger(200_000)
    for (let at = 0; at < floodLimits.generatorsMax; at++) ledger.note(0, at, 1, 0)
    expect([ledger.note(1, 0, 1, 0), ledger.note(0, 65_535, 1, 0)]).toEqual(['new', 'duplicate'])
  })
})

describe('a generator that has been silent for long', () => {
  const { ledgerForgetMs } = floodLimits

  /** A table of 16 places with 14 pairs: another one needs room. */
  function crowded(heardMs: number) {
    const ledger = new Ledger(1_000, 16)
    for (let stream = 0; stream < 7; stream++) {
      ledger.note(stream, 1, 5, 0)
      ledger.note(stream, 2, 5, heardMs)
    }
    return ledger
  }

  test('is forgotten when others need the room, and they are not', () => {
    const ledger = crowded(ledgerForgetMs)
    expect(ledger.note(0, 3, 5, ledgerForgetMs + 1)).toBe('new')
    const after = [1, 2, 3].map((generator) => ledger.note(0, generator, 5, ledgerForgetMs + 1))
    expect(after).toEqual(['new', 'duplicate', 'duplicate'])
  })

  test('is remembered until then', () => {
    const ledger = crowded(0)
    expect(ledger.note(0, 1, 5, ledgerForgetMs + 1)).toBe('duplicate')
    expect(ledger.note(0, 3, 5, ledgerForgetMs)).toBe('new')
    expect(ledger.note(0, 1, 5, ledgerForgetMs)).toBe('duplicate')
  })

  test('leaves its index to the next one', () => {
    const ledger = new Ledger(1_000, 2)
    for (let generator = 0; generator < 200_000; generator++) {
      const nowMs = generator * ledgerForgetMs * 2
      expect(ledger.note(generator % 3, generator, 1, nowMs)).toBe('new')
      if (generator > 0) expect(ledger.note(generator % 3, generator, 1, nowMs)).toBe('duplicate')
    }
  })
})

describe('a full ledger', () => {
  test('tracks no further pairs, and those that it has as before', () => {
    const ledger = new Ledger(3, 2)
    const first = [1, 2, 3, 4, 5].map((stream) => ledger.note(stream, 9, 1, 0))
    expect(first).toEqual(['new', 'new', 'new', 'untracked', 'untracked'])
    const second = [1, 2, 3, 4].map((stream) => ledger.note(stream, 9, 1, 0))
    expect(second).toEqual(['duplicate', 'duplicate', 'duplicate', 'untracked'])
    expect(ledger.note(3, 9, 2, 0)).toBe('new')
  })

  test('tells no more generators apart than its keys allow', () => {
    const ledger = new Ledger(1)
    ledger.note(0, 0, 1, 0)
    for (let at = 1; at < floodLimits.generatorsMax; at++) ledger.note(0, at, 1, 0)
    expect(ledger.note(0, floodLimits.generatorsMax, 1, 0)).toBe('untracked')
    expect(ledger.note(0, 0, 2, 0)).toBe('new')
  })
})
