// Goal: it is known which messages came and which of those before the last did not, within a bound
// of memory. Method: properties against a plain set, over several processes; a note that is full.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { Arrivals, type SentMessage } from './arrivals.ts'

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
          const heard = came.filter((_, at) => at % processes === process)
          for (const { generator, sequence } of heard) own.note(generator, sequence)
          for (const one of own.all()) all.add(one)
        }
        expect(new Set(named(all.missing(1_000_000)))).toEqual(missingOf(came))
      }),
    )
  })

  test('name no more than is asked for, the first ones of a generator first', () => {
    const arrivals = new Arrivals()
    arrivals.note(3, 5)
    arrivals.note(3, 2)
    expect(named(arrivals.missing(2))).toEqual(['3.1', '3.3'])
    expect([named(arrivals.missing(9)), arrivals.missing(0)]).toEqual([['3.1', '3.3', '3.4'], []])
  })

  test('miss nothing when nothing came', () => {
    expect(new Arrivals().missing(5)).toEqual([])
  })

  test('do not count the number 0, which no generator sends', () => {
    const arrivals = new Arrivals()
    arrivals.note(1, 1)
    expect(arrivals.missing(5)).toEqual([])
  })

  test('note nothing that has no room, and go on with what has', () => {
    const arrivals = new Arrivals(128)
    arrivals.note(1, 2)
    arrivals.note(1, 1_000_000)
    arrivals.note(2, 2)
    arrivals.note(3, 2)
    arrivals.note(1, 4)
    expect(named(arrivals.missing(9))).toEqual(['1.1', '1.3', '2.1'])
    const bytes = arrivals.all().reduce((sum, [, bits]) => sum + bits.length, 0)
    expect(bytes).toBe(128)
  })

  test('of another process without room leave what there is as it was', () => {
    const small = new Arrivals(64)
    small.note(1, 2)
    const large = new Arrivals()
    large.note(1, 100_000)
    large.note(2, 2)
    for (const one of large.all()) small.add(one)
    expect(named(small.missing(9))).toEqual(['1.1'])
  })
})
