// Goal: the report says what was tallied, in its documented form. Method: whole reports of made
// tallies, checked against the schema, and one table of what is no flawless run.

import { describe, expect, test } from 'bun:test'
import { Value } from '@sinclair/typebox/value'
import { FloodReport, floodReport, isFlawless, type RunFacts } from './flood-report.ts'
import { floodSummary } from './summary.ts'
import { type Counters, Tally } from './tally.ts'
import { Totals } from './totals.ts'

function tallyOf(counters: Partial<Counters>): Tally {
  const tally = new Tally()
  Object.assign(tally.counters, counters)
  return tally
}

/** The totals of one process that has told all. */
function totalsOf(tally: Tally): Totals {
  const totals = new Totals(1)
  totals.hear(0, tally.tell())
  return totals
}

function facts(wanted: number): RunFacts {
  return { wanted, processes: 1, promised: null, server: null }
}

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
    const tally = tallyOf({
      ...GOOD,
      failed: 1,
      closed: 2,
      duplicated: 3,
      reordered: 4,
      untracked: 5,
    })
    tally.openingMs = 500
    tally.errors['reset'] = 2
    for (let ms = 1; ms <= 100; ms++) {
      tally.connect.record(ms * 1000)
      tally.latency.record(ms * 100)
    }
    const report = floodReport(facts(1001), totalsOf(tally))
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
    const tally = tallyOf(GOOD)
    tally.latency.record(4028)
    const { p50Ms, p999Ms, maxMs } = floodReport(facts(1000), totalsOf(tally)).latency
    expect(maxMs).toBeGreaterThanOrEqual(p50Ms ?? 0)
    expect(maxMs).toBeGreaterThanOrEqual(p999Ms ?? 0)
  })

  test('survives as JSON', () => {
    const report = floodReport(facts(1000), totalsOf(tallyOf(GOOD)))
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
    expect(isFlawless(floodReport(facts(1000), totalsOf(tallyOf({ ...GOOD, ...counters }))))).toBe(
      flawless,
    )
  })
})

describe('what the server has open', () => {
  const reportOf = (open: number) => {
    const missing = Math.max(0, 1_000 - open)
    const server = { believed: 1_000, open, missing, asked: 0, examples: [] }
    return floodReport({ ...facts(1000), server }, totalsOf(tallyOf(GOOD)))
  }

  test('is a fault if it is less than the client believes in, and none if it is more', () => {
    expect([990, 1_000, 2_000].map((open) => isFlawless(reportOf(open)))).toEqual([
      false,
      true,
      true,
    ])
    expect(Value.Check(FloodReport, reportOf(990))).toBe(true)
  })

  test('is told in the summary', () => {
    const text = '1,000 streams believed to be open, 990 open at the server: 10 missing there'
    expect(floodSummary(reportOf(990))).toContain(`server    ${text}`)
    expect(floodSummary(reportOf(1_000))).not.toContain('missing')
  })
})

describe('the summary', () => {
  test('is a line for each thing worth knowing', () => {
    const tally = tallyOf(GOOD)
    tally.openingMs = 500
    expect(floodSummary(floodReport(facts(1000), totalsOf(tally))).split('\n')).toEqual([
      'streams   1,000 opened of 1,000 wanted, 0 failed, 0 closed early',
      'connect   2,000/s, p50 –, p99 –, max –',
      'received  2,000 messages, 3,000 chunks, 90,000 bytes',
      'order     0 duplicated, 0 out of order',
      'latency   p50 –, p99 –, p99.9 –, max –',
    ])
  })

  test('names errors and unchecked messages where there are any', () => {
    const tally = tallyOf({ ...GOOD, untracked: 5 })
    Object.assign(tally.errors, { reset: 2000, refused: 1 })
    expect(
      floodSummary(floodReport(facts(1000), totalsOf(tally)))
        .split('\n')
        .slice(-2),
    ).toEqual(['unchecked 5 messages: too many generators', 'errors    reset 2,000, refused 1'])
  })
})
