// Goal: options become the behaviour and the schedule of a flood, or the reason is given why not.
// Method: tables of values, each option's own reading first.

import { describe, expect, test } from 'bun:test'
import { floodLimits } from '../core/tool-limits.ts'
import { OPTIONS } from './command.ts'
import type { Target } from './plan.ts'
import { behaviourOf, scheduleOf, templateOf } from './run.ts'

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

describe('streams that resume', () => {
  const WANTED = { ...BEHAVIOUR, format: 'sse', resume: true, reconnect: null } as const

  test('come back after a while of their own, also those of a storm', () => {
    const value = { resume: true, reconnectMs: floodLimits.resumeMs, format: 'sse' }
    expect(behaviourOf(WANTED, TARGET)).toMatchObject({ value })
    expect(behaviourOf({ ...WANTED, resume: false, storm: 5 }, TARGET)).toMatchObject({ value })
    expect(behaviourOf({ ...WANTED, reconnect: 7 }, TARGET)).toMatchObject({
      value: { reconnectMs: 7 },
    })
  })

  test.each(['/stream/{id}?after=oldest', '/stream/{id}?format=sse&last=10'])(
    'say themselves where they go on, and not the address %s',
    (pathTemplate) => {
      const why = expect.stringContaining('leave after= and last= out')
      expect(behaviourOf(WANTED, { ...TARGET, pathTemplate })).toMatchObject({ ok: false, why })
    },
  )

  test('in a WebSocket are at an address with http, too', () => {
    const webSocket = { ...WANTED, format: 'websocket' } as const
    expect(behaviourOf(webSocket, TARGET)).toMatchObject({ value: { target: { protocol: 'ws' } } })
  })
})

describe('the address of streams', () => {
  test.each([
    ['http://127.0.0.1:8000/test/{id}', 'test', 'http://127.0.0.1:8000/test/{id}'],
    ['8000', 'test', 'http://127.0.0.1:8000/test/{id}'],
    ['http://127.0.0.1:8000/test/{id}', 'json', 'http://127.0.0.1:8000/stream/{id}?format=json'],
    ['8000', 'sse', 'http://127.0.0.1:8000/stream/{id}?format=sse'],
    ['https://x.example', 'raw', 'https://x.example/stream/{id}?format=raw'],
    ['http://x:1/stream/u-{id}', 'json', 'http://x:1/stream/u-{id}?format=json'],
    ['http://x:1/a/{id}?b=c', 'json', 'http://x:1/a/{id}?b=c&format=json'],
    ['http://x:1/a/{id}?format=ndjson', 'json', 'http://x:1/a/{id}?format=ndjson'],
    ['http://x:1', 'poll', 'http://x:1/stream/{id}'],
  ] as const)('given as %s in %s is %s', (given, format, address) => {
    expect(templateOf(given, format)).toBe(address)
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
