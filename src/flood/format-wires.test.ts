// Goal: what only one format has is read as it is meant, and what is wrong with it is found: heads,
// frames of WebSockets, answers to polls. Method: a small server with a log that does so to order.

import { describe, expect, test } from 'bun:test'
import { until } from '../core/time.fixture.ts'
import { FormatRun } from './format-run.fixture.ts'
import { frame, LogServer } from './log-server.fixture.ts'

const FINE = {
  ...{ duplicated: 0, reordered: 0, misnumbered: 0, missed: 0, doubled: 0, unfounded: 0 },
  ...{ gapsLost: 0, gapsTooMany: 0, gapsUnknown: 0, failed: 0 },
}

describe('heads', () => {
  test.each([
    ['json', 'application/x-ndjson', 'application/json', 'wrong_type'],
    ['sse', 'text/event-stream', 'text/plain', 'wrong_type'],
    ['websocket', 'Sec-WebSocket-Accept: ', 'Sec-WebSocket-Accept: x', 'bad_accept'],
    ['websocket', 'Upgrade: websocket\r\n', '', 'bad_accept'],
    ['websocket', '\r\n\r\n', '\r\nSec-WebSocket-Extensions: x\r\n\r\n', 'bad_accept'],
    ['raw', 'Comet-Cursor: 0', 'Comet-Cursor: ', 'no_cursor'],
  ] as const)('of %s with %p as %p are refused', async (format, from, to, kind) => {
    using server = new LogServer()
    server.faults.head = (honest) => honest.replace(from, to)
    await using run = new FormatRun(server, { format, behaviour: { reconnectMs: null } })
    await run.client.finished
    expect([run.errors, run.counters.failed]).toEqual([{ [kind]: 1 }, 1])
  })
})

describe('a raw stream', () => {
  test('has its cursor in its head, and bodies alone', async () => {
    using server = new LogServer()
    await using run = new FormatRun(server, { format: 'raw' })
    await run.opened()
    run.send(1, 5, 3)
    await run.received(3)
    expect(run.counters).toMatchObject({ ...FINE, chunks: 3, messages: 3 })
  })
})

describe('a WebSocket', () => {
  test('answers a ping, and a close frame with the same code', async () => {
    using server = new LogServer()
    await using run = new FormatRun(server, { format: 'websocket' })
    await run.opened()
    server.sendAll('\x89\x02hi')
    await until('the pong came', () => server.receivedFrom('1').endsWith('\x8a\x82\0\0\0\0hi'))
    server.faults.isCutShort = true
    let received = ''
    const seen = () => {
      received = server.receivedFrom('1') || received
      return received.endsWith('\x88\x82\0\0\0\0\x03\xe9')
    }
    server.sendAll(`\x81\x11{"end":"drained"}\x88\x02\x03\xe9`)
    await until('the close came', seen)
    expect(run.errors).toEqual({ drained: 1 })
  })

  test.each([
    ['a close code that is not of the end', { closeCode: () => 1000 }, 'bad_close'],
    ['a binary frame', { bytes: (honest: Buffer) => binary(honest) }, 'bad_frame'],
    ['a masked frame', { bytes: (honest: Buffer) => masked(honest) }, 'bad_frame'],
    ['a reserved bit', { bytes: (honest: Buffer) => reserved(honest) }, 'bad_frame'],
  ])('ends with %s', async (_, faults, kind) => {
    using server = new LogServer()
    Object.assign(server.faults, faults)
    const behaviour = { reconnectMs: null }
    await using run = new FormatRun(server, { format: 'websocket', behaviour })
    await run.opened()
    if (kind === 'bad_close') server.end('expired')
    await run.client.finished
    expect(run.errors).toEqual({ [kind]: 1 })
  })

  test('may have its messages in several frames', async () => {
    using server = new LogServer()
    server.faults.bytes = (honest) => {
      const body = honest.subarray(honest[1] === 126 ? 4 : 2)
      const middle = Math.floor(body.length / 2)
      const [first, ping] = [frame(body.subarray(0, middle), 0x01), Buffer.of(0x89, 0)]
      return Buffer.concat([first, ping, frame(body.subarray(middle), 0x80)])
    }
    await using run = new FormatRun(server, { format: 'websocket' })
    await run.opened()
    run.send(1, 5, 3)
    await run.received(3)
    expect(run.counters).toMatchObject({ ...FINE, messages: 3, chained: 3 })
  })
})

describe('a polled stream', () => {
  const format = 'poll'

  test('asks again behind each answer, over the same connection', async () => {
    using server = new LogServer()
    await using run = new FormatRun(server, { format, connections: 2 })
    await run.opened(2)
    const waits = () => server.requests.get('1')?.includes('live=long-poll') === true
    await until('it waits', waits)
    for (let at = 0; at < 10; at++) {
      run.send(1 + (at % 2))
      if (at % 3 === 0) server.beat()
      await run.received(at + 1)
    }
    const cursor = '[0-9a-f]{12}-[0-9a-f]{12}'
    expect(server.requests.get('2')).toMatch(
      new RegExp(`^GET /stream/2\\?cursor=77&live=long-poll&offset=${cursor} HTTP`),
    )
    expect(run.counters).toMatchObject({ ...FINE, messages: 10, chained: 10, reopened: 0 })
    expect([server.accepted, run.errors]).toEqual([2, {}])
  })

  test('that was cut gets what it missed, and finds what was lost and came twice', async () => {
    using server = new LogServer()
    await using run = new FormatRun(server, { format })
    await run.opened()
    run.send(1, 5, 2)
    await run.received(2)
    await run.away(() => run.send(1, 5, 2))
    await run.received(4)
    expect(server.requests.get('1')).toContain('/stream/1?')
    expect(run.counters).toMatchObject({ ...FINE, resumed: 1, replayed: 2 })
    server.faults.deliver = (message) => (message.number === 5 ? [] : [message, message])
    await run.away(() => run.send(1, 5, 2))
    await run.received(6)
    const wrong = { missed: 1, duplicated: 1, doubled: 1, misnumbered: 1 }
    expect(run.counters).toMatchObject({ ...FINE, ...wrong, resumed: 2 })
  })

  test('is told a gap that is true, and finds one that is not', async () => {
    using server = new LogServer()
    await using run = new FormatRun(server, { format })
    await run.opened()
    run.send()
    await run.received(1)
    await run.away(() => {
      run.send(1, 5, 2)
      server.forget()
    })
    run.send()
    await run.received(2)
    expect(run.counters).toMatchObject({ ...FINE, gapsLost: 1, resumed: 1 })
    const resume = server.cursorOf({ epoch: server.epoch, number: 4 })
    let isTold = false
    server.faults.gap = (honest, after) => {
      const told = isTold ? honest : { after, resume, reason: 'lost' }
      isTold = true
      return told
    }
    await run.away()
    run.send()
    await run.received(3)
    expect(run.counters).toMatchObject({ ...FINE, gapsLost: 2, unfounded: 1, resumed: 2 })
  })

  test.each([
    ['no offset', 'Stream-Next-Offset', 'X', 'no_cursor'],
    ['another type', 'application/json', 'text/plain', 'wrong_type'],
  ])('is none with %s', async (_, from, to, kind) => {
    using server = new LogServer()
    server.faults.head = (honest) => honest.replace(from, to)
    await using run = new FormatRun(server, { format, behaviour: { reconnectMs: null } })
    await run.client.finished
    expect(run.errors).toEqual({ [kind]: 1 })
  })

  test.each([
    [
      'no cursor to say again',
      { head: (text: string) => text.replace('Cursor', 'X') },
      'bad_answer',
    ],
    [
      'a cursor that is no number',
      { head: (text: string) => text.replace('77', 'a') },
      'bad_answer',
    ],
    ['what is no array', { bytes: (body: Buffer) => body.fill(0x20, 0, 1) }, 'bad_message'],
    ['half an array', { bytes: (body: Buffer) => body.fill(0x20, body.length - 1) }, 'bad_message'],
    ['an object without id', { bytes: (body: Buffer) => body.fill(0x78, 3, 4) }, 'bad_message'],
  ])('ends with %s', async (_, faults, kind) => {
    using server = new LogServer()
    await using run = new FormatRun(server, { format, behaviour: { reconnectMs: null } })
    await run.opened()
    await until('it waits', () => server.requests.get('1')?.includes('live=') === true)
    Object.assign(server.faults, faults)
    run.send()
    await run.client.finished
    expect(run.errors).toEqual({ [kind]: 1 })
  })
})

function binary(honest: Buffer): Buffer {
  return Buffer.concat([Buffer.of(0x82), honest.subarray(1)])
}

function masked(honest: Buffer): Buffer {
  const mask = Buffer.alloc(4)
  const head = Buffer.of(honest[0] as number, (honest[1] as number) | 0x80)
  return Buffer.concat([head, mask, honest.subarray(2)])
}

function reserved(honest: Buffer): Buffer {
  return Buffer.concat([Buffer.of((honest[0] as number) | 0x40), honest.subarray(1)])
}
