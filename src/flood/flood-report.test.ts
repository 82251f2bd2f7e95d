// Goal: reports, samples and summaries say what was counted, in their documented form; a report
// says what was lost or came unexpectedly. Method: whole reports of made statistics, checked
// against the schema, and tables of what is unusual.

import { describe, expect, test } from 'bun:test'
import { Value } from '@sinclair/typebox/value'
import { decodeFromCompressedBase64 } from 'hdr-histogram-js'
import type { Load } from '../core/loop.ts'
import { judge, parseObjectives } from '../core/objective.ts'
import { floodLimits } from '../core/tool-limits.ts'
import { FLOOD_METRICS } from './command.ts'
import {
  FloodReport,
  FloodSample,
  floodReport,
  floodSample,
  isFlawless,
  metricsOf,
  type RunFacts,
} from './flood-report.ts'
import { type Counters, newCounters, ProcessStats, type Wrong } from './process-stats.ts'
import { Arrivals } from './sequences.ts'
import { floodSummary } from './summary.ts'
import { addTimes, newHistogram, percentileMs, Totals } from './totals.ts'

function statsOf(counters: Partial<Counters>): ProcessStats {
  const stats = new ProcessStats()
  Object.assign(stats.counters, counters)
  return stats
}

/** The totals of one process. */
function totalsOf(stats: ProcessStats): Totals {
  const totals = new Totals(1)
  totals.onReport(0, stats.report())
  return totals
}

function facts(wanted: number): RunFacts {
  return { wanted, processes: 1, promised: null, server: null, ...NO_CURSORS }
}

const NO_CURSORS = { hasCursors: false, resumes: false }

const GOOD: Partial<Counters> = { opened: 1000, chunks: 3000, bytes: 90_000, messages: 2000 }

describe('a report', () => {
  test('of a run that saw nothing has no times and still fits the schema', () => {
    const report = floodReport(facts(5), new Totals(1))
    expect(Value.Check(FloodReport, report)).toBe(true)
    expect(report).toMatchObject({
      connections: { wanted: 5, opened: 0, failed: 0, closed: 0 },
      connect: { perSecond: 0, p50Ms: null, p99Ms: null, maxMs: null },
      latency: { p50Ms: null, p99Ms: null, p999Ms: null, maxMs: null },
    })
  })

  test('has counts and times in milliseconds', () => {
    const stats = statsOf({
      ...GOOD,
      failed: 1,
      closed: 2,
      duplicated: 3,
      reordered: 4,
      untracked: 5,
    })
    stats.openingMs = 500
    stats.errors['reset'] = 2
    for (let ms = 1; ms <= 100; ms++) {
      stats.connect.record(ms * 1000)
      stats.latency.record(ms * 100)
    }
    const report = floodReport(facts(1001), totalsOf(stats))
    expect(Value.Check(FloodReport, report)).toBe(true)
    expect(report.connections).toEqual({ wanted: 1001, opened: 1000, failed: 1, closed: 2 })
    expect(report.received).toEqual({
      chunks: 3000,
      bytes: 90_000,
      messages: 2000,
      duplicated: 3,
      reordered: 4,
      untracked: 5,
    })
    expect([report.connect.perSecond, report.errors]).toEqual([2000, { reset: 2 }])
    expect(report.connect.p50Ms).toBeCloseTo(50, 0)
    expect(report.connect.p99Ms).toBeCloseTo(99, 0)
    expect(report.connect.maxMs).toBeCloseTo(100, 0)
    expect(report.latency.p999Ms).toBeCloseTo(10, 1)
  })

  test('has no percentile above the maximum, however the histogram rounds', () => {
    const stats = statsOf(GOOD)
    stats.latency.record(4028)
    const { p50Ms, p999Ms, maxMs } = floodReport(facts(1000), totalsOf(stats)).latency
    expect(maxMs).toBeGreaterThanOrEqual(p50Ms ?? 0)
    expect(maxMs).toBeGreaterThanOrEqual(p999Ms ?? 0)
  })

  test('survives as JSON', () => {
    const report = floodReport(facts(1000), totalsOf(statsOf(GOOD)))
    expect(Value.Check(FloodReport, JSON.parse(JSON.stringify(report)))).toBe(true)
  })
})

describe('isFlawless', () => {
  test.each<[string, Partial<Counters>, boolean]>([
    ['all opened and in order', {}, true],
    ['not one message', { messages: 0, chunks: 0 }, true],
    ['a connection that failed', { failed: 1, opened: 999 }, false],
    ['a connection never tried', { opened: 999 }, false],
    ['a stream that ended early', { closed: 1 }, false],
    ['a duplicate', { duplicated: 1 }, false],
    ['a message out of order', { reordered: 1 }, false],
    ['a message that was not checked', { untracked: 1 }, false],
  ])('of %s: %p is %p', (_, counters, flawless) => {
    expect(isFlawless(floodReport(facts(1000), totalsOf(statsOf({ ...GOOD, ...counters }))))).toBe(
      flawless,
    )
  })
})

describe('what the server has open', () => {
  const reportOf = (open: number) => {
    const missing = Math.max(0, 1_000 - open)
    const server = { believed: 1_000, open, missing, asked: 0, examples: [] }
    return floodReport({ ...facts(1000), server }, totalsOf(statsOf(GOOD)))
  }

  test('is a fault if it is less than the client believes, and none if it is more', () => {
    expect([990, 1_000, 2_000].map((open) => isFlawless(reportOf(open)))).toEqual([
      false,
      true,
      true,
    ])
    expect(Value.Check(FloodReport, reportOf(990))).toBe(true)
  })

  test('is in the summary', () => {
    const text = '1,000 streams believed to be open, 990 open at the server: 10 missing there'
    expect(floodSummary(reportOf(990))).toContain(`server    ${text}`)
    expect(floodSummary(reportOf(1_000))).not.toContain('missing')
  })
})

describe('the summary', () => {
  test('is a line for each thing worth knowing', () => {
    const stats = statsOf(GOOD)
    stats.openingMs = 500
    expect(floodSummary(floodReport(facts(1000), totalsOf(stats))).split('\n')).toEqual([
      'streams   1,000 opened of 1,000 wanted, 0 failed, 0 closed early',
      'connect   2,000/s, p50 –, p99 –, max –',
      'received  2,000 messages, 3,000 chunks, 90,000 bytes',
      'order     0 duplicated, 0 out of order',
      'latency   p50 –, p99 –, p99.9 –, max –',
    ])
  })

  test('names errors and unchecked messages where there are any', () => {
    const stats = statsOf({ ...GOOD, untracked: 5 })
    Object.assign(stats.errors, { reset: 2000, refused: 1 })
    expect(
      floodSummary(floodReport(facts(1000), totalsOf(stats)))
        .split('\n')
        .slice(-2),
    ).toEqual(['unchecked 5 messages: too many generators', 'errors    reset 2,000, refused 1'])
  })
})

interface Made {
  readonly counters?: Partial<Counters>
  readonly promised?: number | null
  readonly came?: readonly number[]
  readonly load?: Load
  readonly lateMsMax?: number
  readonly wrong?: readonly Wrong[]
  readonly cursors?: Pick<RunFacts, 'hasCursors' | 'resumes'>
}

/** The report of a run of ten streams, all open, that received a hundred messages. */
function madeReport(made: Made = {}) {
  const { counters, promised = null, came = [], load, lateMsMax, wrong } = made
  const { cursors = NO_CURSORS } = made
  const stats = new ProcessStats()
  Object.assign(stats.counters, { opened: 10, messages: 100, chunks: 100, bytes: 5_000 }, counters)
  stats.lateMsMax = lateMsMax ?? 0
  for (const one of wrong ?? []) stats.countWrong({ wrong: one, id: 4, generator: 5, sequence: 6 })
  const arrivals = new Arrivals()
  for (const sequence of came) arrivals.record(9, sequence)
  const totals = new Totals(2)
  totals.onReport(0, stats.report(load ?? null, arrivals.all()))
  const report = floodReport(
    { wanted: 10, processes: 2, promised, server: null, ...cursors },
    totals,
  )
  expect(Value.Check(FloodReport, JSON.parse(JSON.stringify(report)))).toBe(true)
  return report
}

describe('streams with cursors', () => {
  const RESUMED = { hasCursors: true, resumes: true }

  test('are of the report only where there are some', () => {
    expect(madeReport()).toMatchObject({ cursors: null, resume: null, storm: null })
    const counters = { misnumbered: 2 }
    const report = madeReport({ counters, cursors: { hasCursors: true, resumes: false } })
    expect(report).toMatchObject({ cursors: { misnumbered: 2 }, resume: null })
    expect([isFlawless(report), metricsOf(report).misnumbered]).toEqual([false, 2])
    expect(floodSummary(report)).toContain('cursors   2 not above the one before')
  })

  test('that resume may end and be refused, as long as they come back', () => {
    const counters = { closed: 30, failed: 5, reopened: 30, resumed: 30, replayed: 9, chained: 90 }
    const report = madeReport({ counters, cursors: RESUMED })
    expect(report.resume).toEqual({
      ...{ resumed: 30, away: 0, missed: 0, doubled: 0, unfounded: 0, replayed: 9, chained: 90 },
      gaps: { lost: 0, tooMany: 0, unknown: 0 },
    })
    expect(isFlawless(report)).toBe(true)
    expect(floodSummary(report)).toContain('30 times, 9 messages replayed, 0 missed without a gap')
    expect(floodSummary(report)).not.toContain('unproven')
  })

  test.each([
    [{ missed: 1 }, false],
    [{ unfounded: 1 }, false],
    [{ away: 1 }, false],
    [{ misnumbered: 1 }, false],
    [{ duplicated: 1, doubled: 1 }, false],
    [{ gapsLost: 1, gapsTooMany: 2, gapsUnknown: 3 }, true],
  ])('with %p are flawless: %p', (counters, isFine) => {
    const report = madeReport({ counters, cursors: RESUMED })
    expect(isFlawless(report)).toBe(isFine)
    const metrics = metricsOf(report)
    const wanted = Object.entries({ ...counters }).filter(([name]) => name in metrics)
    for (const [name, value] of wanted) {
      expect(metrics[name as keyof typeof FLOOD_METRICS]).toBe(value)
    }
    if (isFine) expect(metrics.gaps).toBe(6)
  })
})

describe('the comparison', () => {
  test('is none unless something was promised', () => {
    expect(madeReport().comparison).toBeNull()
  })

  test.each([
    ['all that came', 100, {}, 0, 0],
    ['more than came', 103, {}, 3, 0],
    ['less than came', 98, {}, 0, 2],
    ['nothing', 0, {}, 0, 100],
    ['what came twice, which counts once', 100, { messages: 105, duplicated: 5 }, 0, 0],
    ['what came twice instead of others', 100, { duplicated: 5 }, 5, 0],
    ['what came, out of order', 100, { reordered: 5 }, 0, 0],
  ])('with a promise of %s', (_, promised, counters, lost, unexpected) => {
    const report = madeReport({ promised, counters })
    expect(report.comparison).toEqual({ promised, lost, unexpected, examples: [] })
    const isRight = lost + unexpected === 0 && Object.keys(counters).length === 0
    expect(isFlawless(report)).toBe(isRight)
  })

  test('names no more messages than are lost, and no more than are shown', () => {
    const came = [1, 50]
    const sequences = (promised: number) =>
      madeReport({ promised, came }).comparison?.examples.map(({ sequence }) => sequence)
    expect(sequences(102)).toEqual([2, 3])
    expect(sequences(140)?.length).toBe(floodLimits.examplesMax)
    expect(sequences(100)).toEqual([])
  })
})

describe('the metrics', () => {
  test('are those that objectives may have', () => {
    const names = Object.keys(FLOOD_METRICS).toSorted()
    expect(Object.keys(metricsOf(madeReport())).toSorted()).toEqual(names)
  })

  test('say what the report says', () => {
    const report = madeReport({ promised: 103, counters: { late: 4, reopened: 2, closed: 2 } })
    expect(metricsOf(report)).toMatchObject({
      ...{ opened: 10, closed: 2, reopened: 2, late: 4, messages: 100, lost: 3, unexpected: 0 },
      ...{ p99: null, 'connect-max': null },
    })
  })

  test('do not know losses without a comparison, so that no objective about them is met', () => {
    const objectives = parseObjectives('lost=0,opened=10', FLOOD_METRICS) ?? []
    const met = (promised: number | null) =>
      judge(objectives, metricsOf(madeReport({ promised }))).map((one) => one.met)
    expect(met(null)).toEqual([false, true])
    expect(met(100)).toEqual([true, true])
  })
})

describe('a summary of something unusual', () => {
  const usual = new Set(floodSummary(madeReport()).split('\n'))

  test.each<[string, Made, string[]]>([
    [
      'churn',
      { counters: { churned: 1_500, reopened: 1_499 } },
      ['reopened  1,499, 1,500 closed by churn'],
    ],
    ['a return', { counters: { reopened: 1 } }, ['reopened  1, 0 closed by churn']],
    [
      'slow streams',
      { counters: { slow: 3, slowEnded: 1 } },
      ['slow      3 stopped reading, 1 ended'],
    ],
    ['vanished ones', { counters: { vanished: 2 } }, ['vanished  2 without FIN or RST']],
    [
      'late connections',
      { counters: { late: 7 }, lateMsMax: 1_250 },
      ['late      7 connections, by up to 1.25 s'],
    ],
    [
      'a promise that was kept',
      { promised: 100 },
      ['promised  100 deliveries, 0 lost, 0 more than promised'],
    ],
    [
      'a loss',
      { promised: 101, came: [1, 3] },
      [
        'promised  101 deliveries, 1 lost, 0 more than promised',
        'lost      message 2 of generator 9',
      ],
    ],
    [
      'a message that came twice',
      { wrong: ['duplicated'] },
      [
        'order     1 duplicated, 0 out of order',
        'twice     message 6 of generator 5 on the stream of 4',
      ],
    ],
    [
      'a message that came too late',
      { wrong: ['reordered'] },
      [
        'order     0 duplicated, 1 out of order',
        'too late  message 6 of generator 5 on the stream of 4',
      ],
    ],
    [
      'a busy client',
      { load: { cores: 0.987, loopLateMs: 150 } },
      [
        'client    was itself the bottleneck for 1 s: one of its 2 processes used up to 0.99 cores ' +
          'and was up to 150 ms late; measured times may be its own',
      ],
    ],
    ['a client that was not', { load: { cores: 0.5, loopLateMs: 50 } }, []],
  ])('has a line about %s', (_, made, lines) => {
    const summary = floodSummary(madeReport(made)).split('\n')
    expect(summary.filter((line) => !usual.has(line))).toEqual(lines)
  })
})

const MOMENT = { elapsedMs: 2_000.4567, nowMs: Date.UTC(2026, 10, 24, 11, 0, 2, 500) }

test('a sample of nothing has no times', () => {
  expect(floodSample(MOMENT, newCounters(), {}, newHistogram())).toEqual({
    seconds: 2,
    time: '2026-11-24T11:00:02.500Z',
    connections: { opened: 0, failed: 0, closed: 0 },
    open: 0,
    behaviour: { reopened: 0, churned: 0, slow: 0, slowEnded: 0, vanished: 0 },
    errors: {},
    received: { chunks: 0, bytes: 0, messages: 0, duplicated: 0, reordered: 0, untracked: 0 },
    latency: { p50Ms: null, p99Ms: null, p999Ms: null, maxMs: null },
    histogram: null,
  })
})

test('a sample has totals, times in milliseconds, and its schema', () => {
  const counters = { ...newCounters(), opened: 9, failed: 1, closed: 2, chunks: 12, messages: 3 }
  const latency = newHistogram()
  addTimes(latency, [500, 2, 1_500, 1])
  const sample = floodSample({ ...MOMENT, elapsedMs: 3_004.5678 }, counters, { reset: 3 }, latency)
  expect(Value.Check(FloodSample, JSON.parse(JSON.stringify(sample)))).toBe(true)
  expect(sample).toMatchObject({
    seconds: 3.005,
    connections: { opened: 9, failed: 1, closed: 2 },
    open: 7,
    errors: { reset: 3 },
    received: { chunks: 12, messages: 3 },
    latency: { p50Ms: 0.5, p99Ms: 1.5, p999Ms: 1.5, maxMs: 1.5 },
  })
})

test('the histograms of several samples add up to all latencies', () => {
  const one = newHistogram()
  const other = newHistogram()
  addTimes(one, [500, 2])
  addTimes(other, [1_500, 1])
  const both = [one, other].map((latency) => floodSample(MOMENT, newCounters(), {}, latency))
  const sum = newHistogram()
  for (const { histogram } of both) sum.add(decodeFromCompressedBase64(histogram ?? ''))
  expect([sum.totalCount, percentileMs(sum, 50), percentileMs(sum, 100)]).toEqual([3, 0.5, 1.5])
})
