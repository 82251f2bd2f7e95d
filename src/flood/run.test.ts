// Goal: options become the behaviour and the schedule of a flood, or the reason is given why not.
// Method: tables of values, each option's own reading first.

import { describe, expect, test } from 'bun:test'
import { OPTIONS } from './command.ts'
import type { Target } from './plan.ts'
import { behaviourOf, scheduleOf } from './run.ts'

const TARGET: Target = {
  protocol: 'http',
  host: 'x:1',
  address: '127.0.0.1',
  port: 1,
  pathTemplate: '/',
}

const BEHAVIOUR = {
  format: 'test',
  resume: false,
  storm: null,
  header: ['TE: chunked'],
  framing: 'auto',
  churn: 0.01,
  reconnect: 500,
  slow: 0.02,
  'silent-drop': 0.03,
  expect: ['gen.json'],
} as const

const SCHEDULE = {
  storm: null,
  connections: 1_000,
  rate: null,
  ramp: null,
  pending: 256,
  hold: null,
  duration: null,
} as const

describe('churn', () => {
  test.each([
    ['1%/s', 0.01],
    ['0.5%/s', 0.005],
    ['100%/s', 1],
    ['0%/s', 0],
    ['1 %/s', 0.01],
  ])('reads %p as %p', (text, share) => {
    expect(OPTIONS.churn.parse(text)).toBeCloseTo(share, 12)
  })

  test.each([['1%'], ['1/s'], ['101%/s'], ['-1%/s'], ['%/s'], ['1%/min'], ['']])(
    'refuses %p',
    (text) => {
      expect(OPTIONS.churn.parse(text)).toBeUndefined()
    },
  )
})

describe('the behaviour of streams', () => {
  test('is what was given', () => {
    expect(behaviourOf(BEHAVIOUR, TARGET)).toMatchObject({
      value: {
        ...{ target: TARGET, headers: ['TE: chunked'], framing: null, churn: 0.01 },
        ...{ reconnectMs: 500, slow: 0.02, silentDrop: 0.03, recordArrivals: true },
      },
    })
  })

  test.each(['chunk', 'line', 'sse'] as const)('has the framing %s if it was given', (framing) => {
    expect(behaviourOf({ ...BEHAVIOUR, framing }, TARGET)).toMatchObject({ value: { framing } })
    const refusal = behaviourOf({ ...BEHAVIOUR, framing }, { ...TARGET, protocol: 'ws' })
    const why = expect.stringContaining(`leave out --framing ${framing}`)
    expect(refusal).toMatchObject({ ok: false, why })
  })
})

describe('the schedule', () => {
  test('is what was given', () => {
    expect(scheduleOf({ ...SCHEDULE, rate: 50, hold: 7, duration: 9 })).toEqual({
      ratePerSecond: 50,
      pendingMax: 256,
      holdMs: 7,
      durationMs: 9,
    })
  })

  test('has as many a second as a ramp needs', () => {
    expect(scheduleOf({ ...SCHEDULE, ramp: 500 })).toMatchObject({ ratePerSecond: 2_000 })
    expect(scheduleOf(SCHEDULE)).toMatchObject({ ratePerSecond: null })
  })
})
