// Goal: duplicates, reordering and messages that never came are found, within a bound of memory.
// Method: tables of small cases, and naive models that remember every message.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { floodLimits } from '../core/tool-limits.ts'
import { Arrivals, type SentMessage, SequenceTracker, type Verdict } from './sequences.ts'

/** What the tracker says of one pair's numbers, one after another. */
function verdicts(sequence: readonly number[]): Verdict[] {
  const tracker = new SequenceTracker()
  return sequence.map((number) => tracker.record(0, 0, number, 0))
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

/** Remembers all, and says what the tracker can know of it. */
class NaiveTracker {
  readonly #seen = new Map<string, Set<number>>()

  record(stream: number, generator: number, sequence: number): Verdict {
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
  test('have the verdicts of a tracker that remembers everything', () => {
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
        const tracker = new SequenceTracker(1000, 2)
        const naive = new NaiveTracker()
        for (const { stream, generator, sequence } of all) {
          const expected = naive.record(stream, generator, sequence)
          expect(tracker.record(stream, generator, sequence, 0)).toBe(expected)
        }
      }),
      { numRuns: 300 },
    )
  })

  test('keep what they know while the table grows', () => {
    const tracker = new SequenceTracker(100_000, 4)
    const pairs = Array.from({ length: 20_000 }, (_, at) => ({
      stream: at % 400,
      generator: at % 50,
    }))
    const unique = new Set(pairs.map(({ stream, generator }) => `${stream}/${generator}`))
    const count = (sequence: number) => {
      const counts: Record<Verdict, number> = { new: 0, duplicate: 0, reordered: 0, untracked: 0 }
      for (const { stream, generator } of pairs)
        counts[tracker.record(stream, generator, sequence, 0)]++
      return counts
    }
    const repeated = pairs.length - unique.size
    expect(count(5)).toEqual({ new: unique.size, duplicate: repeated, reordered: 0, untracked: 0 })
    expect(count(5)).toEqual({ new: 0, duplicate: pairs.length, reordered: 0, untracked: 0 })
    expect(count(4).reordered).toBe(unique.size)
  })

  test('do not take the last generator of a stream for the first of the next', () => {
    const tracker = new SequenceTracker(200_000)
    for (let at = 0; at < floodLimits.generatorsMax; at++) tracker.record(0, at, 1, 0)
    expect([tracker.record(1, 0, 1, 0), tracker.record(0, 65_535, 1, 0)]).toEqual([
      'new',
      'duplicate',
    ])
  })
})

describe('a generator that has been silent for long', () => {
  const { generatorForgetMs } = floodLimits

  /** A table of 16 places with 14 pairs: another one needs room. */
  function crowded(lastMs: number) {
    const tracker = new SequenceTracker(1_000, 16)
    for (let stream = 0; stream < 7; stream++) {
      tracker.record(stream, 1, 5, 0)
      tracker.record(stream, 2, 5, lastMs)
    }
    return tracker
  }

  test('is forgotten when others need the room, and they are not', () => {
    const tracker = crowded(generatorForgetMs)
    expect(tracker.record(0, 3, 5, generatorForgetMs + 1)).toBe('new')
    const after = [1, 2, 3].map((generator) =>
      tracker.record(0, generator, 5, generatorForgetMs + 1),
    )
    expect(after).toEqual(['new', 'duplicate', 'duplicate'])
  })

  test('is remembered until then', () => {
    const tracker = crowded(0)
    expect(tracker.record(0, 1, 5, generatorForgetMs + 1)).toBe('duplicate')
    expect(tracker.record(0, 3, 5, generatorForgetMs)).toBe('new')
    expect(tracker.record(0, 1, 5, generatorForgetMs)).toBe('duplicate')
  })

  test('leaves its index to the next one', () => {
    const tracker = new SequenceTracker(1_000, 2)
    for (let generator = 0; generator < 200_000; generator++) {
      const nowMs = generator * generatorForgetMs * 2
      expect(tracker.record(generator % 3, generator, 1, nowMs)).toBe('new')
      if (generator > 0)
        expect(tracker.record(generator % 3, generator, 1, nowMs)).toBe('duplicate')
    }
  })
})

describe('a full tracker', () => {
  test('tracks no further pairs, and those that it has as before', () => {
    const tracker = new SequenceTracker(3, 2)
    const first = [1, 2, 3, 4, 5].map((stream) => tracker.record(stream, 9, 1, 0))
    expect(first).toEqual(['new', 'new', 'new', 'untracked', 'untracked'])
    const second = [1, 2, 3, 4].map((stream) => tracker.record(stream, 9, 1, 0))
    expect(second).toEqual(['duplicate', 'duplicate', 'duplicate', 'untracked'])
    expect(tracker.record(3, 9, 2, 0)).toBe('new')
  })

  test('tracks no more generators than its keys allow', () => {
    const tracker = new SequenceTracker(1)
    tracker.record(0, 0, 1, 0)
    for (let at = 1; at < floodLimits.generatorsMax; at++) tracker.record(0, at, 1, 0)
    expect(tracker.record(0, floodLimits.generatorsMax, 1, 0)).toBe('untracked')
    expect(tracker.record(0, 0, 2, 0)).toBe('new')
  })
})

const GENERATORS = [1, 7, 68_719_476_736]

const messages: fc.Arbitrary<SentMessage[]> = fc.array(
  fc.record({
    generator: fc.constantFrom(...GENERATORS),
    sequence: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 5_000 })),
  }),
  { maxLength: 60 },
)

/** What is missing of messages, as a set would say. */
function missingOf(came: readonly SentMessage[]): Set<string> {
  const missing = new Set<string>()
  for (const generator of GENERATORS) {
    const sequences = came.filter((one) => one.generator === generator).map((one) => one.sequence)
    const known = new Set(sequences)
    for (let sequence = 1; sequence < Math.max(0, ...sequences); sequence++) {
      if (!known.has(sequence)) missing.add(`${generator}.${sequence}`)
    }
  }
  return missing
}

function named(found: readonly SentMessage[]): string[] {
  return found.map(({ generator, sequence }) => `${generator}.${sequence}`)
}

describe('arrivals', () => {
  test('miss what a set would miss, whichever of several processes noted it', () => {
    fc.assert(
      fc.property(messages, fc.integer({ min: 1, max: 4 }), (came, processes) => {
        const all = new Arrivals()
        for (let process = 0; process < processes; process++) {
          const own = new Arrivals()
          const received = came.filter((_, at) => at % processes === process)
          for (const { generator, sequence } of received) own.record(generator, sequence)
          for (const one of own.all()) all.add(one)
        }
        expect(new Set(named(all.missing(1_000_000)))).toEqual(missingOf(came))
      }),
    )
  })

  test('name no more than the limit, the first ones of a generator first', () => {
    const arrivals = new Arrivals()
    arrivals.record(3, 5)
    arrivals.record(3, 2)
    expect(named(arrivals.missing(2))).toEqual(['3.1', '3.3'])
    expect([named(arrivals.missing(9)), arrivals.missing(0)]).toEqual([['3.1', '3.3', '3.4'], []])
  })

  test('miss nothing when nothing came', () => {
    expect(new Arrivals().missing(5)).toEqual([])
  })

  test('do not count the number 0, which no generator sends', () => {
    const arrivals = new Arrivals()
    arrivals.record(1, 1)
    expect(arrivals.missing(5)).toEqual([])
  })

  test('note nothing that has no room, and go on with what has', () => {
    const arrivals = new Arrivals(128)
    arrivals.record(1, 2)
    arrivals.record(1, 1_000_000)
    arrivals.record(2, 2)
    arrivals.record(3, 2)
    arrivals.record(1, 4)
    expect(named(arrivals.missing(9))).toEqual(['1.1', '1.3', '2.1'])
    const bytes = arrivals.all().reduce((sum, [, bits]) => sum + bits.length, 0)
    expect(bytes).toBe(128)
  })

  test('of another process without room leave what there is as it was', () => {
    const small = new Arrivals(64)
    small.record(1, 2)
    const large = new Arrivals()
    large.record(1, 100_000)
    large.record(2, 2)
    for (const one of large.all()) small.add(one)
    expect(named(small.missing(9))).toEqual(['1.1'])
  })
})
