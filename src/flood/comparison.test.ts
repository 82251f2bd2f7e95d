// Goal: a report says what was lost or came unpromised, names examples, and its metrics and its summary
// say the same. Method: reports of made tallies, and a table of each unusual thing in the summary.

import { describe, expect, test } from 'bun:test'
import { Value } from '@sinclair/typebox/value'
import type { Load } from '../core/loop.ts'
import { judge, parseObjectives } from '../core/objective.ts'
import { floodLimits } from '../core/tool-limits.ts'
import { Arrivals } from './arrivals.ts'
import { FloodReport, floodReport, isFlawless, metricsOf } from './flood-report.ts'
import { FLOOD_METRICS } from './metrics.ts'
import { floodSummary } from './summary.ts'
import { type Counters, Tally, type Wrong } from './tally.ts'
import { Totals } from './totals.ts'

interface Made {
  readonly counters?: Partial<Counters>
  readonly promised?: number | null
  readonly came?: readonly number[]
  readonly load?: Load
  readonly lateMsMax?: number
  readonly wrong?: readonly Wrong[]
}

/** The report of a run of ten streams, all open, that received a hundred messages. */
function reportOf({ counters, promised = null, came = [], load, lateMsMax, wrong }: Made = {}) {
  const tally = new Tally()
  Object.assign(tally.counters, { opened: 10, messages: 100, chunks: 100, bytes: 5_000 }, counters)
  tally.lateMsMax = lateMsMax ?? 0
  for (const one of wrong ?? []) tally.wrong({ wrong: one, id: 4, generator: 5, sequence: 6 })
  const arrivals = new Arrivals()
  for (const sequence of came) arrivals.note(9, sequence)
  const totals = new Totals(2)
  totals.hear(0, tally.tell(load ?? null, arrivals.all()))
  const report = floodReport({ wanted: 10, processes: 2, promised, server: null }, totals)
  expect(Value.Check(FloodReport, JSON.parse(JSON.stringify(report)))).toBe(true)
  return report
}

describe('the comparison', () => {
  test('is none unless something was promised', () => {
    expect(reportOf().comparison).toBeNull()
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
    const report = reportOf({ promised, counters })
    expect(report.comparison).toEqual({ promised, lost, unexpected, examples: [] })
    const isRight = lost + unexpected === 0 && Object.keys(counters).length === 0
    expect(isFlawless(report)).toBe(isRight)
  })

  test('names no more messages than are lost, and no more than are shown', () => {
    const came = [1, 50]
    const sequences = (promised: number) =>
      reportOf({ promised, came }).comparison?.examples.map(({ sequence }) => sequence)
    expect(sequences(102)).toEqual([2, 3])
    expect(sequences(140)?.length).toBe(floodLimits.examplesMax)
    expect(sequences(100)).toEqual([])
  })
})

describe('the metrics', () => {
  test('are all that objectives may be about', () => {
    const names = Object.keys(FLOOD_METRICS).toSorted()
    expect(Object.keys(metricsOf(reportOf())).toSorted()).toEqual(names)
  })

  test('say what the report says', () => {
    const report = reportOf({ promised: 103, counters: { late: 4, reopened: 2, closed: 2 } })
    expect(metricsOf(report)).toMatchObject({
      ...{ opened: 10, closed: 2, reopened: 2, late: 4, messages: 100, lost: 3, unexpected: 0 },
      ...{ p99: null, 'connect-max': null },
    })
  })

  test('know nothing of losses without a comparison, so that no objective about them is met', () => {
    const objectives = parseObjectives('lost=0,opened=10', FLOOD_METRICS) ?? []
    const met = (promised: number | null) =>
      judge(objectives, metricsOf(reportOf({ promised }))).map((one) => one.met)
    expect(met(null)).toEqual([false, true])
    expect(met(100)).toEqual([true, true])
  })
})

describe('the summary', () => {
  const usual = new Set(floodSummary(reportOf()).split('\n'))

  test.each<[string, Made, string[]]>([
    [
      'churn',
      { counters: { churned: 1_500, reopened: 1_499 } },
      ['reopened  1,499, 1,500 closed for it'],
    ],
    ['a return', { counters: { reopened: 1 } }, ['reopened  1, 0 closed for it']],
    [
      'slow streams',
      { counters: { slow: 3, slowEnded: 1 } },
      ['slow      3 stopped reading, 1 ended'],
    ],
    ['vanished ones', { counters: { vanished: 2 } }, ['vanished  2, and the server was not told']],
    [
      'late connections',
      { counters: { late: 7 }, lateMsMax: 1_250 },
      ['late      7 connections, by 1.25 s at most'],
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
        'client    was itself the limit for 1 s: one of its 2 processes used up to 0.99 cores and ' +
          'read up to 150 ms late; times may be its own',
      ],
    ],
    ['a client that was not', { load: { cores: 0.5, loopLateMs: 50 } }, []],
  ])('has a line about %s', (_, made, lines) => {
    const summary = floodSummary(reportOf(made)).split('\n')
    expect(summary.filter((line) => !usual.has(line))).toEqual(lines)
  })
})
