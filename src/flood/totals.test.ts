// Goal: what several processes report, one report after another, adds up to the whole run, and
// their times keep three digits. Method: properties over processes that go on between reports, in
// any order, through JSON; the death of a process; tables of edges.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { floodLimits } from '../core/tool-limits.ts'
import {
  type Counters,
  newCounters,
  openCount,
  ProcessStats,
  RecentTimes,
  type Times,
  type Wrong,
} from './process-stats.ts'
import { Arrivals } from './sequences.ts'
import { addTimes, newHistogram, percentileMs, Totals } from './totals.ts'

const NAMES = Object.keys(newCounters()) as (keyof Counters)[]
const PROCESSES = 3

/** What one process sees between two reports. */
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
    name: fc.constantFrom(...NAMES),
    count: fc.integer({ min: 0, max: 1_000_000 }),
    kind: fc.constantFrom('reset', 'refused', 'status_503'),
    micros: fc.array(fc.integer({ min: 0, max: 10_000_000 }), { maxLength: 20 }),
  }),
  { maxLength: 30 },
)

/** Adds a step to `stats`. */
function addStep(stats: ProcessStats, { name, count, kind, micros }: Step): void {
  stats.counters[name] += count
  stats.errors[kind] = (stats.errors[kind] ?? 0) + count
  stats.openingMs += count
  for (const each of micros) {
    stats.latency.record(each)
    stats.connect.record(each)
  }
}

function sumBy(steps: readonly Step[], of: (step: Step) => number): number {
  return steps.reduce((sum, step) => sum + of(step), 0)
}

describe('totals', () => {
  test('are the sum of what each process has seen, however often it reports', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const totals = new Totals(PROCESSES)
        const processes = Array.from({ length: PROCESSES }, () => new ProcessStats())
        for (const step of all) {
          const stats = processes[step.process] as ProcessStats
          addStep(stats, step)
          totals.onReport(step.process, JSON.parse(JSON.stringify(stats.report())))
        }
        for (const name of NAMES) {
          const expected = sumBy(all, (step) => (step.name === name ? step.count : 0))
          expect(totals.counters[name]).toBe(expected)
        }
        for (const kind of ['reset', 'refused', 'status_503']) {
          const expected = sumBy(all, (step) => (step.kind === kind ? step.count : 0))
          expect(totals.errors[kind] ?? 0).toBe(expected)
        }
        expect(totals.openingMs).toBe(Math.max(...processes.map(({ openingMs }) => openingMs)))
        const times = sumBy(all, ({ micros }) => micros.length)
        expect([totals.latency.totalCount, totals.connect.totalCount]).toEqual([times, times])
      }),
    )
  })

  test('have each latency in one sample, and all of them at the end', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const totals = new Totals(1)
        const stats = new ProcessStats()
        for (const step of all) {
          addStep(stats, step)
          totals.onReport(0, stats.report())
          expect(totals.takeRecentLatency().totalCount).toBe(step.micros.length)
        }
        expect(totals.takeRecentLatency().totalCount).toBe(0)
        expect(totals.latency.totalCount).toBe(sumBy(all, ({ micros }) => micros.length))
      }),
    )
  })

  test('count the connections of a process that died, and keep what it had received', () => {
    const totals = new Totals(2)
    const stats = new ProcessStats()
    Object.assign(stats.counters, { opened: 7, closed: 1, messages: 40 })
    stats.errors['reset'] = 1
    stats.latency.record(5)
    totals.onReport(0, stats.report())
    totals.onExit(0, 10)
    // The other one has never reported.
    totals.onExit(1, 10)
    expect(totals.counters).toMatchObject({ opened: 7, failed: 13, closed: 7, messages: 40 })
    expect([totals.errors, totals.latency.totalCount]).toEqual([{ worker_died: 20 }, 1])
  })
})

function wrongOf(stats: ProcessStats, wrong: Wrong, count: number, generator: number): void {
  for (let sequence = 1; sequence <= count; sequence++) {
    stats.countWrong({ wrong, id: 1, generator, sequence })
  }
}

describe('examples', () => {
  test('are of all processes and no more of a kind than are shown', () => {
    const totals = new Totals(2)
    const [first, second] = [new ProcessStats(), new ProcessStats()]
    wrongOf(first, 'reordered', 2, 1)
    wrongOf(second, 'reordered', 9, 2)
    wrongOf(second, 'duplicated', 1, 2)
    totals.onReport(1, second.report())
    totals.onReport(0, first.report())
    // A process reports them again each time.
    totals.onReport(0, first.report())
    const reordered = totals.examples.filter(({ wrong }) => wrong === 'reordered')
    expect(reordered.length).toBe(floodLimits.examplesMax)
    expect(reordered.filter(({ generator }) => generator === 1).length).toBe(2)
    expect(totals.examples.filter(({ wrong }) => wrong === 'duplicated').length).toBe(1)
  })
})

describe('load', () => {
  const idle = { cores: 0.1, loopLateMs: 1 }

  test('is that of the busiest process, and busy seconds are of one process', () => {
    const totals = new Totals(2)
    const addLoad = (process: number, cores: number, loopLateMs: number) =>
      totals.onReport(process, new ProcessStats().report({ cores, loopLateMs }))
    addLoad(0, floodLimits.busyCores, 0)
    addLoad(1, 0, floodLimits.loopLateMs)
    addLoad(1, 0.99, 250)
    addLoad(0, 0.5, 20)
    expect(totals.load).toEqual({ coresMax: 0.99, loopLateMsMax: 250, busySeconds: 2 })
  })

  test('is none where none was reported', () => {
    const totals = new Totals(3)
    totals.onReport(0, new ProcessStats().report())
    totals.onReport(1, new ProcessStats().report(idle))
    expect(totals.load).toEqual({ coresMax: 0.1, loopLateMsMax: 1, busySeconds: 0 })
  })
})

test('arrivals are those of any process', () => {
  const totals = new Totals(2)
  for (const [process, sequences] of [[1, 2, 6], [4]].entries()) {
    const arrivals = new Arrivals()
    for (const sequence of sequences) arrivals.record(7, sequence)
    const report = new ProcessStats().report(null, arrivals.all())
    totals.onReport(process, structuredClone(report))
  }
  expect(totals.arrivals.missing(9)).toEqual([
    { generator: 7, sequence: 3 },
    { generator: 7, sequence: 5 },
  ])
})

describe('the death of a process', () => {
  test('leaves no stream of it open, however often they had returned', () => {
    const totals = new Totals(1)
    const stats = new ProcessStats()
    const counters = { opened: 8, failed: 1, closed: 4, churned: 5, reopened: 6, slowEnded: 1 }
    Object.assign(stats.counters, counters)
    expect(openCount(stats.counters)).toBe(4)
    totals.onReport(0, stats.report())
    totals.onExit(0, 10)
    expect(openCount(totals.counters)).toBe(0)
    expect(totals.counters).toMatchObject({ opened: 8, failed: 2, closed: 8, reopened: 6 })
  })

  test('leaves what it had reported of wrong messages and of lateness', () => {
    const totals = new Totals(2)
    const stats = new ProcessStats()
    wrongOf(stats, 'duplicated', 1, 3)
    stats.lateMsMax = 123
    stats.counters.late = 1
    totals.onReport(1, stats.report())
    totals.onExit(1, 5)
    expect(totals.counters).toMatchObject({ duplicated: 1, late: 1 })
    expect([totals.examples.length, totals.lateMsMax]).toEqual([1, 123])
  })
})

const HOUR_MICROS = 3_600_000_000

const micros = fc.oneof(
  fc.integer({ min: 0, max: 5_000 }),
  fc.integer({ min: 0, max: 10_000_000 }),
  fc.integer({ min: 0, max: HOUR_MICROS }),
)

function timesOf(recorded: readonly number[]): Times {
  const recent = new RecentTimes()
  for (const micros of recorded) recent.record(micros)
  return recent.take()
}

describe('times that are reported', () => {
  test('give back every percentile to three digits, of one process or of several', () => {
    fc.assert(
      fc.property(fc.array(fc.array(micros), { minLength: 1, maxLength: 5 }), (processes) => {
        const histogram = newHistogram()
        for (const recorded of processes) {
          addTimes(histogram, JSON.parse(JSON.stringify(timesOf(recorded))))
        }
        const sorted = processes.flat().sort((a, b) => a - b)
        expect(histogram.totalCount).toBe(sorted.length)
        for (const percentile of [1, 50, 99, 99.9, 100]) {
          const at = Math.max(1, Math.ceil((percentile / 100) * sorted.length)) - 1
          const exact = sorted[at]
          const found = percentileMs(histogram, percentile)
          if (exact === undefined) expect(found).toBeNull()
          else {
            expect((found ?? -1) * 1000).toBeGreaterThanOrEqual(exact - 1e-6)
            expect((found ?? -1) * 1000).toBeLessThanOrEqual(exact * 1.001 + 1e-6)
          }
        }
      }),
    )
  })

  test('are reported once, each hit bucket once, and nothing when there were none', () => {
    fc.assert(
      fc.property(fc.array(micros), fc.array(micros), (first, second) => {
        const recent = new RecentTimes()
        for (const micros of first) recent.record(micros)
        expect(recent.take()).toEqual(timesOf(first))
        for (const micros of second) recent.record(micros)
        const times = recent.take()
        expect(times).toEqual(timesOf(second))
        const buckets = times.filter((_, at) => at % 2 === 0)
        expect(new Set(buckets).size).toBe(buckets.length)
        expect(recent.take()).toEqual([])
      }),
    )
  })
})

test.each([
  ['before the clock by skew counts as nothing', -5, 0],
  ['of nothing is nothing', 0, 0],
  ['is rounded', 41.6, 42],
  ['at the last single microsecond is exact', 2_047, 2_047],
  ['behind it has the upper end of its bucket', 2_048, 2_049],
  ['of an hour is an hour', HOUR_MICROS, HOUR_MICROS],
  ['of more than an hour is an hour', 1e15, HOUR_MICROS],
])('a time %s', (_, micros, expected) => {
  const histogram = newHistogram()
  addTimes(histogram, timesOf([micros]))
  expect(percentileMs(histogram, 100)).toBe(expected / 1000)
})
