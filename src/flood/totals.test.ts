// Goal: what several processes tell, one telling after another, adds up to the whole run.
// Method: properties over tallies that go on while they tell, in any order, through JSON.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { type Counters, newCounters, Tally } from './tally.ts'
import { Totals } from './totals.ts'

const names = Object.keys(newCounters()) as (keyof Counters)[]
const PROCESSES = 3

/** What one process sees between two tellings. */
interface Step {
  readonly process: number
  readonly name: keyof Counters
  readonly count: number
  readonly kind: string
  readonly micros: readonly number[]
}

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    process: fc.integer({ min: 0, max: PROCESSES - 1 }),
    name: fc.constantFrom(...names),
    count: fc.integer({ min: 0, max: 1_000_000 }),
    kind: fc.constantFrom('reset', 'refused', 'status_503'),
    micros: fc.array(fc.integer({ min: 0, max: 10_000_000 }), { maxLength: 20 }),
  }),
  { maxLength: 30 },
)

/** Has `tally` see a step. */
function see(tally: Tally, { name, count, kind, micros }: Step): void {
  tally.counters[name] += count
  tally.errors[kind] = (tally.errors[kind] ?? 0) + count
  tally.openingMs += count
  for (const each of micros) {
    tally.latency.record(each)
    tally.connect.record(each)
  }
}

function sumBy(steps: readonly Step[], of: (step: Step) => number): number {
  return steps.reduce((sum, step) => sum + of(step), 0)
}

describe('totals', () => {
  test('are the sum of what each process has seen, however often it tells', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const totals = new Totals(PROCESSES)
        const tallies = Array.from({ length: PROCESSES }, () => new Tally())
        for (const step of all) {
          const tally = tallies[step.process] as Tally
          see(tally, step)
          totals.hear(step.process, JSON.parse(JSON.stringify(tally.tell())))
        }
        for (const name of names) {
          const expected = sumBy(all, (step) => (step.name === name ? step.count : 0))
          expect(totals.counters[name]).toBe(expected)
        }
        for (const kind of ['reset', 'refused', 'status_503']) {
          const expected = sumBy(all, (step) => (step.kind === kind ? step.count : 0))
          expect(totals.errors[kind] ?? 0).toBe(expected)
        }
        expect(totals.openingMs).toBe(Math.max(...tallies.map(({ openingMs }) => openingMs)))
        const times = sumBy(all, ({ micros }) => micros.length)
        expect([totals.latency.totalCount, totals.connect.totalCount]).toEqual([times, times])
      }),
    )
  })

  test('have each latency in one sample, and all of them at the end', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const totals = new Totals(1)
        const tally = new Tally()
        for (const step of all) {
          see(tally, step)
          totals.hear(0, tally.tell())
          expect(totals.takeRecentLatency().totalCount).toBe(step.micros.length)
        }
        expect(totals.takeRecentLatency().totalCount).toBe(0)
        expect(totals.latency.totalCount).toBe(sumBy(all, ({ micros }) => micros.length))
      }),
    )
  })

  test('count the connections of a process that died, and keep what it had received', () => {
    const totals = new Totals(2)
    const tally = new Tally()
    Object.assign(tally.counters, { opened: 7, closed: 1, messages: 40 })
    tally.errors['reset'] = 1
    tally.latency.record(5)
    totals.hear(0, tally.tell())
    totals.hearOfDeath(0, 10)
    // The other one never said a word.
    totals.hearOfDeath(1, 10)
    expect(totals.counters).toMatchObject({ opened: 7, failed: 13, closed: 7, messages: 40 })
    expect([totals.errors, totals.latency.totalCount]).toEqual([{ worker_died: 20 }, 1])
  })
})

test('a tally has something new to tell when a connection or a chunk was counted', () => {
  const tally = new Tally()
  const before = tally.events
  tally.counters.chunks++
  expect(tally.events).toBeGreaterThan(before)
})
