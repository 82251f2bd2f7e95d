// Goal: streams of each format are read, and what a server does wrong with them is found: lost,
// doubled, reordered, wrongly numbered, a gap that is not told or not true, an end that is not
// told, bytes that are none of the format. Method: a small server with a log that does so to order.

import { describe, expect, test } from 'bun:test'
import { until } from '../core/time.fixture.ts'
import { FormatRun } from './format-run.fixture.ts'
import { frame, type LogMessage, LogServer } from './log-server.fixture.ts'

const FORMATS = ['json', 'sse', 'websocket'] as const

const FINE = {
  ...{ duplicated: 0, reordered: 0, misnumbered: 0, missed: 0, doubled: 0, unfounded: 0 },
  ...{ gapsLost: 0, gapsTooMany: 0, gapsUnknown: 0, failed: 0 },
}

/** What a stream of a format has on the wire, in the letters of Latin-1. */
function wireOf(format: (typeof FORMATS)[number], text: string): string {
  if (format === 'websocket') return frame(Buffer.from(text)).toString('latin1')
  return `${text.length.toString(16)}\r\n${text}\r\n`
}

describe.each(FORMATS)('streams in %s', (format) => {
  test('are read, heartbeats too, and checked by their stamps and cursors', async () => {
    using server = new LogServer()
    await using run = new FormatRun(server, { format, connections: 3 })
    await run.opened(3)
    for (let at = 0; at < 20; at++) {
      run.send(1 + (at % 3), at % 2)
      if (at % 5 === 0) server.beat()
    }
    await run.received(20)
    const { bytes } = run.counters
    expect(run.counters).toMatchObject({ ...FINE, opened: 3, closed: 0, messages: 20, chained: 20 })
    expect(bytes).toBeWithin(20 * 60, 20 * 100)
    expect(run.errors).toEqual({})
  })

  test('over sockets of Bun are the same', async () => {
    using server = new LogServer()
    await using run = new FormatRun(server, { format, onDescriptors: false })
    await run.opened()
    run.send()
    await run.received(1)
    await run.away(() => run.send())
    await run.received(2)
    expect(run.counters).toMatchObject({ ...FINE, resumed: 1, replayed: 1 })
  })

  test('are read with bodies that have line ends and letters of any script', async () => {
    using server = new LogServer()
    await using run = new FormatRun(server, { format })
    await run.opened()
    const text = 'one\ntwo "ü" \\ stamp=5.1.1700000000000000'
    server.publish(1, text)
    await run.received(1)
    expect(run.counters).toMatchObject({ ...FINE, messages: 1 })
  })

  test('that were cut go on behind their cursor, and miss and repeat nothing', async () => {
    using server = new LogServer()
    await using run = new FormatRun(server, { format, connections: 2 })
    await run.opened(2)
    run.send(1)
    const [last] = run.send(2)
    await run.received(2)
    await run.away(() => {
      run.send(1, 5, 3)
      run.send(2, 6, 2)
    })
    await run.received(7)
    run.send(1)
    await run.received(8)
    expect(server.requests.get('2')).toContain(
      `GET /stream/2?format=${format}&after=${server.cursorOf(last as LogMessage)} HTTP/1.1`,
    )
    expect(run.counters).toMatchObject({ ...FINE, resumed: 2, replayed: 5, messages: 8 })
    expect(run.errors).toEqual({ cut_short: 2 })
    // A stream that had no message goes on from the place that it was told first.
    await run.away(() => run.send(2))
    await run.received(9)
    expect(run.counters).toMatchObject({ ...FINE, resumed: 4, away: 0 })
  })

  test.each([
    ['live', false],
    ['replayed', true],
  ])('miss a message that is lost %s', async (_, isReplay) => {
    using server = new LogServer()
    await using run = new FormatRun(server, { format })
    await run.opened()
    run.send(1, 5, 2)
    await run.received(2)
    server.faults.deliver = (message, replays) =>
      message.number === 3 && replays === isReplay ? [] : [message]
    if (isReplay) await run.away(() => run.send(1, 5, 2))
    else run.send(1, 5, 2)
    await run.received(3)
    expect(run.counters).toMatchObject({ ...FINE, missed: 1, messages: 3 })
    expect(run.client.stats.examples).toEqual([
      { wrong: 'missed', id: 1, generator: 5, sequence: 3 },
    ])
  })

  test('find a message that comes twice, with its cursor or another', async () => {
    using server = new LogServer()
    await using run = new FormatRun(server, { format })
    await run.opened()
    run.send()
    await run.received(1)
    server.faults.deliver = (message) => [message, message]
    await run.away(() => run.send())
    await run.received(3)
    expect(run.counters).toMatchObject({ ...FINE, duplicated: 1, doubled: 1, misnumbered: 1 })
    server.faults.deliver = (message) => [message, { ...message, number: message.number + 1 }]
    run.send()
    await run.received(5)
    expect(run.counters).toMatchObject({ ...FINE, duplicated: 2, doubled: 2, misnumbered: 1 })
  })

  test('find a message that the server sends again after a resume', async () => {
    using server = new LogServer()
    await using run = new FormatRun(server, { format })
    await run.opened()
    const [first] = run.send(1, 5, 2)
    await run.received(2)
    server.faults.deliver = (message, isReplay) =>
      isReplay ? [{ ...(first as LogMessage), number: message.number }, message] : [message]
    await run.away(() => run.send())
    await run.received(4)
    expect(run.counters).toMatchObject({ ...FINE, duplicated: 1, doubled: 1, misnumbered: 1 })
  })

  test('find messages in the wrong order', async () => {
    using server = new LogServer()
    await using run = new FormatRun(server, { format })
    await run.opened()
    let held: LogMessage[] = []
    server.faults.deliver = (message) => {
      const now = message.number === 1 ? [] : [message, ...held]
      held = message.number === 1 ? [message] : []
      return now
    }
    run.send(1, 5, 2)
    await run.received(2)
    expect(run.counters).toMatchObject({ ...FINE, reordered: 1, misnumbered: 1, missed: 1 })
  })

  test('find a cursor that is not above the one before, or of an earlier epoch', async () => {
    using server = new LogServer()
    await using run = new FormatRun(server, { format })
    await run.opened()
    run.send()
    server.faults.deliver = (message) => [{ ...message, number: message.number - 1 }]
    run.send()
    await run.received(2)
    expect(run.counters.misnumbered).toBe(1)
    // A log that several servers share goes on so after a failover.
    server.faults.deliver = (message) => [{ ...message, epoch: message.epoch + 1, number: 1 }]
    run.send()
    await run.received(3)
    expect(run.counters.misnumbered).toBe(1)
    server.faults.deliver = (message) => [message]
    run.send(1, 5, 2)
    await run.received(5)
    expect(run.counters).toMatchObject({ ...FINE, misnumbered: 2 })
  })

  test.each([
    ['count', 2, 1, 'lost', {}],
    ['end where they go on before it, at', 0, 0, 'lost', { bad_gap: 1 }],
    ['end where it does not say what is lost, at', 2, 1, 'unknown', { bad_gap: 1 }],
  ])('%s a gap while they are open', async (what, number, epochs, reason, errors) => {
    using server = new LogServer()
    await using run = new FormatRun(server, { format, behaviour: { reconnectMs: null } })
    await run.opened()
    run.send()
    await run.received(1)
    const { epoch } = server
    const after = server.cursorOf({ epoch, number: 1 })
    const resume = server.cursorOf({ epoch: epoch + epochs, number })
    const gap = JSON.stringify({ after, resume, reason })
    const bytes = { json: `{"gap":${gap}}\n`, sse: `event: gap\ndata: ${gap}\n\n` }
    server.sendAll(wireOf(format, { ...bytes, websocket: `{"gap":${gap}}` }[format]))
    server.faults.deliver = (message) =>
      message.number === 2 ? [] : [{ ...message, epoch: epoch + 1 }]
    const isFine = what === 'count'
    if (isFine) {
      run.send(1, 5, 2)
      await run.received(2)
    } else await run.client.finished
    expect(run.counters).toMatchObject({ ...FINE, gapsLost: Number(isFine) })
    expect(run.errors).toEqual(errors)
  })

  test('find a place that is before the cursor that they asked for', async () => {
    using server = new LogServer()
    await using run = new FormatRun(server, { format })
    await run.opened()
    run.send(1, 5, 2)
    await run.received(2)
    server.faults.place = () => server.cursorOf({ epoch: server.epoch, number: 1 })
    await run.away()
    expect(run.counters).toMatchObject({ ...FINE, misnumbered: 1 })
  })

  test('count a gap that is true, and expect nothing of what it left out', async () => {
    using server = new LogServer()
    await using run = new FormatRun(server, { format })
    await run.opened()
    run.send()
    await run.received(1)
    await run.away(() => {
      run.send(1, 5, 3)
      server.forget()
    })
    run.send(1, 5, 2)
    await run.received(3)
    expect(run.counters).toMatchObject({ ...FINE, gapsLost: 1, messages: 3, replayed: 0 })
    expect(run.counters.resumed).toBe(1)
  })

  test('find a gap that was told although nothing was missing', async () => {
    using server = new LogServer()
    await using run = new FormatRun(server, { format })
    await run.opened()
    for (const generator of [5, 6]) run.send(1, generator)
    await run.received(2)
    const resume = () => server.cursorOf({ epoch: server.epoch, number: 3 })
    server.faults.gap = (_, after) => ({ after, resume: resume(), reason: 'too_many' })
    await run.away(() => server.publish(9, 'for another'))
    run.send(1, 5)
    await run.received(3)
    // The other generator may have sent what is missing.
    expect(run.counters).toMatchObject({ ...FINE, gapsTooMany: 1 })
    run.send(1, 6)
    await run.received(4)
    expect(run.counters).toMatchObject({ ...FINE, gapsTooMany: 1, unfounded: 1 })
  })

  test('judge no gap while messages come that are of no generator', async () => {
    using server = new LogServer()
    await using run = new FormatRun(server, { format })
    await run.opened()
    server.publish(1, 'of another publisher')
    run.send()
    await run.received(1)
    const resume = server.cursorOf({ epoch: server.epoch, number: 3 })
    server.faults.gap = (_, after) => ({ after, resume, reason: 'lost' })
    await run.away(() => server.publish(1, 'lost'))
    run.send()
    await run.received(2)
    expect(run.counters).toMatchObject({ ...FINE, gapsLost: 1 })
  })

  test('find a loss behind a resume of which no gap was told', async () => {
    using server = new LogServer()
    await using run = new FormatRun(server, { format })
    await run.opened()
    run.send()
    await run.received(1)
    server.faults.gap = () => null
    await run.away(() => {
      run.send(1, 5, 3)
      server.forget()
    })
    run.send()
    await run.received(2)
    expect(run.counters).toMatchObject({ ...FINE, missed: 1 })
  })

  test('are told that a cursor of another epoch is unknown, and go on in that', async () => {
    using server = new LogServer()
    await using run = new FormatRun(server, { format })
    await run.opened()
    run.send(1, 5, 2)
    await run.received(2)
    await run.away(() => {
      server.restart()
      run.send()
      // Lost with the log.
      server.restart()
    })
    run.send()
    await run.received(3)
    expect(run.counters).toMatchObject({ ...FINE, gapsUnknown: 1, messages: 3 })
  })

  test.each([
    ['is not of their cursor', (after: string) => `${after.slice(0, -1)}f`, 9, 'lost'],
    ['goes on before it', (after: string) => after, 0, 'lost'],
    ['calls unknown what is not', (after: string) => after, 9, 'unknown'],
    ['has another reason', (after: string) => after, 9, 'other'],
  ])('end where a gap %s', async (_, sent, number, reason) => {
    using server = new LogServer()
    await using run = new FormatRun(server, { format })
    await run.opened()
    run.send()
    await run.received(1)
    const resume = server.cursorOf({ epoch: server.epoch, number })
    server.faults.gap = (__, after) => ({ after: sent(after), resume, reason })
    await run.away()
    const kind = reason === 'other' ? 'bad_message' : 'bad_gap'
    await until('it has ended', () => run.errors[kind] === 1)
    expect(run.counters).toMatchObject({ closed: 2, gapsLost: 0, gapsUnknown: 0 })
  })

  test('end where the place behind a gap is another one', async () => {
    using server = new LogServer()
    await using run = new FormatRun(server, { format })
    await run.opened()
    run.send()
    await run.received(1)
    server.faults.place = (honest) => `${honest.slice(0, -1)}f`
    await run.away(() => {
      run.send()
      server.forget()
    })
    await until('it has ended', () => run.errors['bad_gap'] === 1)
  })

  test.each([['expired'], ['drained'], ['ended']])('end as told: %s', async (reason) => {
    using server = new LogServer()
    await using run = new FormatRun(server, { format })
    await run.opened()
    run.send()
    await run.received(1)
    server.end(reason, reason === 'ended' ? 'moved' : undefined)
    await until('it has ended', () => run.counters.closed === 1)
    expect(run.errors).toEqual({ [reason]: 1 })
    run.send()
    run.clock.advance(1_100)
    await run.received(2)
    expect(run.counters).toMatchObject({ ...FINE, resumed: 1, replayed: 1 })
  })

  test('that end without a word are found, and those that are cut after it', async () => {
    using server = new LogServer()
    await using run = new FormatRun(server, { format })
    await run.opened()
    server.end(null)
    await until('it has ended', () => run.counters.closed === 1)
    run.clock.advance(1_100)
    await until('it is back', () => run.counters.resumed === 1)
    server.faults.isCutShort = true
    server.end('drained')
    await until('it has ended again', () => run.counters.closed === 2)
    expect(run.errors).toEqual({ end_not_told: 1, cut_short: 1 })
  })

  test.each([
    ['a message before the place', (text: string) => text],
    ['a second place', () => 'place'],
    ['what is none of the format', () => 'other'],
  ])('end where there is %s', async (what, kind) => {
    using server = new LogServer()
    const id = server.cursorOf({ epoch: server.epoch, number: 7 })
    const objects = {
      message: [`{"id":"${id}","to":1,"body":"x"}`, `id: ${id}\ndata: x\n\n`],
      place: [`{"id":"${id}"}`, `id: ${id}\nevent: start\ndata: {"id":"${id}"}\n\n`],
      other: ['{"id":"7"}', 'data: x\n\n'],
    }
    const [object = '', event = ''] = objects[kind('message') as keyof typeof objects]
    const bytes = { json: `${object}\n`, sse: event, websocket: object }[format]
    if (what === 'a message before the place') server.faults.bytes = () => Buffer.alloc(0)
    await using run = new FormatRun(server, { format, behaviour: { reconnectMs: null } })
    await run.opened()
    server.sendAll(wireOf(format, bytes))
    await run.client.finished
    expect(run.errors).toEqual({ [kind('') === 'other' ? 'bad_message' : 'misplaced']: 1 })
  })

  test('are cut all at once by a storm, come back and catch up', async () => {
    using server = new LogServer()
    const shape = { connections: 30, pendingMax: 4, storm: 20 }
    await using run = new FormatRun(server, { format, ...shape })
    await run.opened(30)
    for (let user = 1; user <= 30; user++) run.send(user)
    await run.received(30)
    await until('all are open', () => server.open === 30)
    run.client.storm()
    for (let user = 1; user <= 30; user++) run.send(user)
    await until('all are back', () => run.counters.resumed === 20)
    await run.received(60)
    run.clock.advance(1_500)
    const storm = () => run.client.stats.report().storm
    await until('it is over', () => storm()?.isOver === true)
    expect(storm()).toMatchObject({ cut: 20, openedMs: 150, resumedMs: 150, caughtUpMs: 150 })
    expect(storm()?.points.at(-1)?.slice(0, 2)).toEqual([20, 20])
    expect(run.counters).toMatchObject({ ...FINE, churned: 20, reopened: 20, away: 0 })
  })

  test('bring a token of their user with each request', async () => {
    using server = new LogServer()
    const tokenSecret = 'a secret of at least thirty-two characters'
    await using run = new FormatRun(server, { format, firstId: 41, behaviour: { tokenSecret } })
    await run.opened()
    const tokenOf = () => /^Authorization: Bearer (\S+)\r$/m.exec(server.requests.get('41') ?? '')
    expect(tokenOf()?.[1]?.split('.')).toHaveLength(3)
    server.requests.clear()
    await run.away()
    const claims = Buffer.from(tokenOf()?.[1]?.split('.')[1] ?? '', 'base64url').toString()
    expect(JSON.parse(claims)).toMatchObject({ sub: '41' })
  })
})
