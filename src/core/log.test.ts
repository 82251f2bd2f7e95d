// Goal: one line an event, for programs or people, and few of the same one. Method: a log that
// writes into a list, on a fake clock.

import { describe, expect, test } from 'bun:test'
import { logLimits } from './limits.ts'
import { Log } from './log.ts'
import { FakeClock, until } from './time.fixture.ts'

function logTo(format: 'json' | 'text', hasColor = false) {
  const lines: string[] = []
  const clock = new FakeClock(Date.UTC(2026, 0, 2, 3, 4, 5, 678))
  const disk = { isFull: false }
  const write = (line: string) => !disk.isFull && lines.push(line) > 0
  const log = new Log({ format, write, clock, hasColor })
  return { log, lines, clock, disk, events: () => lines.map((line) => JSON.parse(line)) }
}

describe('an event', () => {
  test('is one JSON object with its time, level, name, message and fields', () => {
    const { log, lines, events } = logTo('json')
    log.info('listening', 'Streams on :8000.', {
      pid: 7,
      public: 'http://x',
      full: false,
      no: null,
    })
    expect(lines).toHaveLength(1)
    expect(events()).toEqual([
      {
        time: '2026-01-02T03:04:05.678Z',
        level: 'info',
        event: 'listening',
        message: 'Streams on :8000.',
        pid: 7,
        public: 'http://x',
        full: false,
        no: null,
      },
    ])
  })

  test('is one line of JSON, whatever characters its message has', () => {
    const { log, lines, events } = logTo('json')
    log.error('bug', 'Error: "x"\n    at y\r\n\0')
    expect(lines[0]).not.toMatch(/[\n\r\0]/)
    expect(events()[0].message).toBe('Error: "x"\n    at y\r\n\0')
  })

  test('is its time, level and message as text', () => {
    const { log, lines } = logTo('text')
    log.info('a', 'All is well.', { pid: 7 })
    log.warn('b', 'Not so well.')
    log.error('c', 'A bug.')
    expect(lines).toEqual([
      '03:04:05 info  All is well.',
      '03:04:05 warn  Not so well.',
      '03:04:05 error A bug.',
    ])
  })

  test('has a colour by its urgency as text where there are colours, and none in JSON', () => {
    const { log, lines } = logTo('text', true)
    log.info('a', 'All is well.')
    log.warn('b', 'Not so well.')
    log.change({ logLevel: 'info', logFormat: 'json' })
    log.error('c', 'A bug.')
    expect(lines.slice(0, 2)).toEqual([
      '03:04:05 info  All is well.',
      '03:04:05 \x1b[33mwarn \x1b[m Not so well.',
    ])
    expect(JSON.parse(String(lines[2]))).toMatchObject({ level: 'error', message: 'A bug.' })
  })

  test('has the format that is chosen, until another is', () => {
    const { log, lines } = logTo('text')
    log.change({ logLevel: 'info', logFormat: 'json' })
    log.info('a', 'One.')
    log.change({ logLevel: 'info', logFormat: null })
    log.info('a', 'Two.')
    expect(lines.map((line) => line[0])).toEqual(['{', '0'])
  })

  test.each([
    ['info', ['info', 'warn', 'error', 'repeated', 'bug']],
    ['warn', ['warn', 'error', 'repeated', 'bug']],
    ['error', ['error', 'bug']],
  ] as const)('is left out if it is less urgent than %s', (logLevel, written) => {
    const { log, events } = logTo('json')
    log.change({ logLevel, logFormat: null })
    log.info('info', '')
    log.warn('warn', '')
    log.error('error', '')
    log.repeated('repeated', '')
    log.bug('')
    expect(events().map(({ event }) => event)).toEqual([...written])
    expect(log.dropped).toBe(0)
  })

  test('that was left out counts as none that was suppressed', () => {
    const { log, events, clock } = logTo('json')
    log.change({ logLevel: 'error', logFormat: null })
    log.repeated('refused', 'Refused.')
    log.change({ logLevel: 'warn', logFormat: null })
    log.repeated('refused', 'Refused.')
    clock.advance(logLimits.repeatMs)
    log.repeated('refused', 'Refused.')
    expect(events().map(({ alsoSuppressed }) => alsoSuppressed)).toEqual([undefined, undefined])
  })
})

describe('an event that repeats', () => {
  test('is written at once, then once a period with the number of those suppressed', () => {
    const { log, clock, events } = logTo('json')
    for (let at = 0; at < 5; at++) log.repeated('slow', `User ${at} read too slowly.`)
    clock.advance(logLimits.repeatMs - 1)
    log.repeated('slow', 'User 5 read too slowly.')
    clock.advance(1)
    log.repeated('slow', 'User 6 read too slowly.')
    log.repeated('slow', 'User 7 read too slowly.')
    expect(events()).toMatchObject([
      { level: 'warn', event: 'slow', message: 'User 0 read too slowly.' },
      { level: 'warn', event: 'slow', message: 'User 6 read too slowly.', alsoSuppressed: 5 },
    ])
    expect(events()[0]).not.toHaveProperty('alsoSuppressed')
  })

  test('does not suppress another', () => {
    const { log, events } = logTo('json')
    log.repeated('slow', 'x')
    log.repeated('refused', 'y')
    log.repeated('slow', 'z')
    expect(events().map(({ event }) => event)).toEqual(['slow', 'refused'])
  })

  test('is written each time when it is rare', () => {
    const { log, clock, events } = logTo('json')
    for (let at = 0; at < 3; at++) {
      log.repeated('slow', 'x')
      clock.advance(logLimits.repeatMs)
    }
    expect(events().map(({ alsoSuppressed }) => alsoSuppressed ?? 0)).toEqual([0, 0, 0])
  })
})

describe('a line that cannot be written', () => {
  test('is counted, and reported before the next line that can be written', () => {
    const { log, disk, events } = logTo('json')
    log.info('a', 'before')
    disk.isFull = true
    log.info('b', 'lost')
    log.bug(new Error('lost too'))
    expect(log.dropped).toBe(2)
    disk.isFull = false
    log.info('c', 'after')
    log.info('d', 'later')
    expect(events().map(({ event, lines }) => [event, lines])).toEqual([
      ['a', undefined],
      ['log_dropped', 2],
      ['c', undefined],
      ['d', undefined],
    ])
    expect(log.dropped).toBe(2)
  })

  test('is reported though no other line follows', async () => {
    const { log, disk, events } = logTo('json')
    disk.isFull = true
    log.info('a', 'lost')
    disk.isFull = false
    await until('it is reported', () => events().length === 1)
    const message = 'Lost 1 line of this log, which could not be written.'
    expect(events()[0]).toMatchObject({ level: 'warn', event: 'log_dropped', message, lines: 1 })
  })
})
