// Goal: the report has what was sent and promised, in its documented form. Method: whole reports of
// given tallies, checked against the schema.

import { describe, expect, test } from 'bun:test'
import { Value } from '@sinclair/typebox/value'
import { GenReport, genReport, genSummary, shortfall, whyUnanswered } from './gen-report.ts'
import type { GenTally } from './sender.ts'

function tallyOf(tally: Partial<GenTally>): GenTally {
  return {
    sent: 0,
    rejected: 0,
    delivered: 0,
    unpromised: 0,
    unknown: 0,
    unanswered: 0,
    retried: 0,
    repeated: 0,
    errors: {},
    generators: { first: 65_536, count: 16 },
    scheduled: 0,
    plannedSeconds: 0,
    seconds: 0,
    ...tally,
  }
}

const GOOD = tallyOf({
  sent: 10_000,
  delivered: 25_000,
  scheduled: 10_000,
  plannedSeconds: 10,
  seconds: 10.00049,
})

describe('whyUnanswered', () => {
  const failed = (kind: string) => genReport(tallyOf({ sent: 0, errors: { [kind]: 5 } }))
  const url = 'http://x:1'

  test.each([
    ['refused', null, 'nothing listens at http://x:1'],
    ['status_401', false, 'http://x:1 asks for a token: --control-token-file'],
    ['status_401', true, 'http://x:1 rejects the token of --control-token-file'],
    ['status_401', null, null],
    ['status_404', false, null],
  ])('explains %s, with a token: %p', (kind, hasToken, why) => {
    expect(whyUnanswered(failed(kind), { url, hasToken })).toBe(why)
  })

  test('returns null if a message was answered', () => {
    const report = genReport(tallyOf({ sent: 1, errors: { refused: 5 } }))
    expect(whyUnanswered(report, { url, hasToken: false })).toBeNull()
  })
})

describe('genReport', () => {
  test('has what was sent and promised, and both rates', () => {
    const report = genReport(GOOD)
    expect(Value.Check(GenReport, report)).toBe(true)
    expect(report).toEqual({
      sent: 10_000,
      rejected: 0,
      delivered: 25_000,
      unpromised: 0,
      unknown: 0,
      perSecond: 1000,
      seconds: 10,
      wantedPerSecond: 1000,
      unanswered: 0,
      retried: 0,
      repeated: 0,
      errors: {},
      generators: { first: 65_536, count: 16 },
    })
  })

  test('fits the schema for a run that sent nothing', () => {
    const planned = { scheduled: 100_000, plannedSeconds: 6 }
    const report = genReport(tallyOf({ ...planned, seconds: 6 }))
    expect(Value.Check(GenReport, JSON.parse(JSON.stringify(report)))).toBe(true)
    expect([report.perSecond, report.wantedPerSecond]).toEqual([0, 16_666.7])
  })

  test('has rates of 0 for a run that was stopped at once', () => {
    const report = genReport(tallyOf({}))
    expect(Value.Check(GenReport, JSON.parse(JSON.stringify(report)))).toBe(true)
    expect([report.perSecond, report.wantedPerSecond]).toEqual([0, 0])
  })

  test('divides what was wanted by the planned time and what was sent by the actual time', () => {
    const report = genReport(tallyOf({ ...GOOD, seconds: 20 }))
    expect([report.perSecond, report.wantedPerSecond, report.seconds]).toEqual([500, 1000, 20])
  })
})

describe('shortfall', () => {
  test.each([
    ['none at the rate', 1000, 1000, null],
    ['none above it', 1100, 1000, null],
    ['none at one part in a hundred', 990, 1000, null],
    ['one below that', 989, 1000, '989 of 1,000 messages a second (98.9 %)'],
    ['one where nothing was sent', 0, 1000, '0 of 1,000 messages a second (0.0 %)'],
    ['none where nothing was wanted', 0, 0, null],
  ])('is %s', (_, perSecond, wantedPerSecond, text) => {
    const report = { ...genReport(GOOD), wantedPerSecond, perSecond }
    if (text === null) expect(shortfall(report)).toBeNull()
    else expect(shortfall(report)).toContain(text)
  })

  test.each([
    [0, 'Increase --batch or --publishers, or reduce the rate.'],
    [1, 'Requests failed, see the errors.'],
  ])('with %p messages unanswered ends in advice: %s', (unanswered, advice) => {
    const short = shortfall(genReport({ ...GOOD, seconds: 20, unanswered }))
    expect(short).toBe(`The rate was not kept: 500 of 1,000 messages a second (50.0 %). ${advice}`)
  })
})

test('shortfall names the options that may help', () => {
  const short = shortfall(genReport({ ...GOOD, seconds: 20 }), '--publishers')
  expect(short).toEndWith('Increase --publishers, or reduce the rate.')
})

describe('genSummary', () => {
  test('has a line for each figure', () => {
    expect(genSummary(genReport(GOOD)).split('\n')).toEqual([
      'sent      10,000 messages in 10.0 s, 1,000/s of 1,000/s wanted',
      'promised  25,000 deliveries',
      'rejected  0',
    ])
  })

  test('lists errors if there are any', () => {
    const tally = { ...GOOD, unanswered: 3000, errors: { refused: 2, status_503: 1 } }
    expect(genSummary(genReport(tally)).split('\n').at(-1)).toBe(
      'errors    refused 2, status_503 1; 3,000 messages unanswered',
    )
  })

  test.each([
    [25_000, 7, 0, '25,000 deliveries; 7 messages without a number of deliveries'],
    [0, 7, 0, '7 messages without a number of deliveries'],
    [0, 0, 0, '0 deliveries'],
    [0, 0, 3, '0 deliveries; 3 deliveries with unknown outcome'],
  ])(
    'shows %p promised, %p unpromised and %p unknown deliveries',
    (delivered, unpromised, unknown, text) => {
      const tally = { ...GOOD, delivered, unpromised, unknown }
      const [, promised] = genSummary(genReport(tally)).split('\n')
      expect(promised).toBe(`promised  ${text}`)
    },
  )
})
