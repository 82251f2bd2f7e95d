// Goal: a connection loses no byte and no turn to a socket that takes little at a time. Method: a
// socket whose room is an argument, under the real connection.

import { describe, expect, test } from 'bun:test'
import { answersIn } from '../../scripts/support/answers.ts'
import { get } from '../../scripts/support/raw-client.ts'
import { httpLimits } from '../core/http-limits.ts'
import { ClientConnection } from './connection.ts'
import type { Exchange, Socket } from './exchange.ts'
import { KeptHeads } from './kept-heads.ts'

/** A socket that takes as many bytes as it has room for, and notes what is done to it. */
class TightSocket {
  data: unknown = null
  readonly remoteAddress = '192.0.2.1'
  room: number
  text = ''
  isPaused = false
  readonly events: string[] = []

  constructor(room: number) {
    this.room = room
  }

  write(bytes: Uint8Array, from = 0, length = bytes.length - from): number {
    const taken = Math.min(this.room, length)
    this.text += Buffer.from(bytes.subarray(from, from + taken)).toString('latin1')
    this.room -= taken
    return taken
  }

  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    this.isPaused = false
  }

  shutdown(): void {
    this.events.push('shutdown')
  }

  end(): void {
    this.events.push('end')
  }

  terminate(): void {
    this.events.push('terminate')
  }
}

/** A connection over such a socket, whose requests are noted. */
function connected(room = Infinity) {
  const socket = new TightSocket(room)
  const exchanges: Exchange[] = []
  const state = { nowMs: 0 }
  const connection = new ClientConnection(socket as unknown as Socket, {
    handle: (exchange) => void exchanges.push(exchange),
    rejection: ({ status }) => ({ status }),
    internalError: { status: 500 },
    isClosing: false,
    heads: new KeptHeads(),
    headMs: 10_000,
    idleMs: 60_000,
    onEnded: () => undefined,
    onBug: (error) => {
      throw error
    },
    nowMs: () => state.nowMs,
  })
  const drain = (bytes: number) => {
    socket.room = bytes
    connection.onDrain()
  }
  return { socket, exchanges, connection, drain, state }
}

describe('a connection over a socket that takes little', () => {
  test('writes its answers a byte at a time, and reads no request meanwhile', () => {
    const { socket, exchanges, connection, drain } = connected(0)
    connection.onData(Buffer.from(get('/1') + get('/2')))
    exchanges[0]?.reply({ status: 200, body: 'one' })
    while (!socket.text.endsWith('one')) {
      expect(exchanges).toHaveLength(1)
      drain(1)
    }
    expect(exchanges).toHaveLength(2)
    exchanges[1]?.reply({ status: 200, headers: { connection: 'close' }, body: 'two' })
    while (!socket.text.endsWith('two')) drain(7)
    expect(answersIn(socket.text).answers.map(({ body }) => body)).toEqual(['one', 'two'])
    expect(socket.events).toEqual(['shutdown'])
    connection.onEnd()
    expect(socket.events).toEqual(['shutdown', 'end'])
  })

  test('sends the rest of its answer though another one was written meanwhile', () => {
    const [slow, other] = [connected(40), connected()]
    for (const { connection } of [slow, other]) connection.onData(Buffer.from(get('/')))
    slow.exchanges[0]?.reply({ status: 200, body: 'slow' })
    other.exchanges[0]?.reply({ status: 404, body: 'other' })
    slow.drain(Infinity)
    expect(answersIn(slow.socket.text)).toMatchObject({
      answers: [{ status: 200, body: 'slow' }],
      rest: '',
    })
  })

  test('sends a whole streamed answer before the next, though there is room before its body', async () => {
    const { socket, exchanges, connection, drain } = connected(0)
    connection.onData(Buffer.from(get('/1') + get('/2')))
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
    const streamed = exchanges[0]?.stream({ status: 200 }, readable)
    drain(Infinity)
    expect(exchanges).toHaveLength(1)
    const writer = writable.getWriter()
    await writer.write(Buffer.from('part'))
    socket.room = 3
    const closed = writer.close()
    drain(Infinity)
    await closed
    await streamed
    drain(Infinity)
    expect(exchanges).toHaveLength(2)
    exchanges[1]?.reply({ status: 200, body: 'two' })
    expect(answersIn(socket.text).answers.map(({ body }) => body)).toEqual(['part', 'two'])
  })

  test('rejects what is no HTTP once, though more of it comes before there is room', () => {
    const { socket, connection, drain } = connected(0)
    for (let times = 0; times < 3; times++) connection.onData(Buffer.from('no HTTP\r\n'))
    drain(Infinity)
    connection.onData(Buffer.from('no HTTP\r\n'))
    expect(answersIn(socket.text)).toMatchObject({ answers: [{ status: 400 }], rest: '' })
    expect(socket.events).toEqual(['shutdown'])
  })

  test('ends at once after its last answer when its client has closed its half', () => {
    const { socket, exchanges, connection } = connected()
    connection.onData(Buffer.from(get('/')))
    connection.onEnd()
    exchanges[0]?.reply({ status: 503, headers: { connection: 'close' } })
    expect(socket.events).toEqual(['end'])
  })

  test('pauses while no handler reads, and goes on once there is room for more', () => {
    const { socket, exchanges, connection } = connected()
    const request = `GET / HTTP/1.1\r\nHost: x\r\nA: ${'a'.repeat(1_000)}\r\n\r\n`
    const bytes = Buffer.from(request.repeat(100))
    connection.onData(bytes.subarray(0, httpLimits.inputBytesMax))
    expect(socket.isPaused).toBe(false)
    connection.onData(bytes.subarray(httpLimits.inputBytesMax))
    expect(socket.isPaused).toBe(true)
    for (let at = 0; at < 100; at++) {
      const left = bytes.length - exchanges.length * request.length
      expect(socket.isPaused).toBe(left > httpLimits.inputBytesMax)
      exchanges[at]?.reply({ status: 204 })
    }
    expect(exchanges).toHaveLength(100)
  })

  test('that is paused reads again after its last answer, to see its client leave', () => {
    const { socket, exchanges, connection } = connected()
    connection.onData(Buffer.from(get('/').repeat(5_000)))
    expect(socket.isPaused).toBe(true)
    exchanges[0]?.reply({ status: 503, headers: { connection: 'close' } })
    expect([exchanges.length, socket.isPaused, socket.events]).toEqual([1, false, ['shutdown']])
    connection.onData(new Uint8Array(httpLimits.lingerBytesMax))
    expect(socket.isPaused).toBe(false)
    connection.onData(new Uint8Array(1))
    expect([socket.isPaused, socket.events]).toEqual([true, ['shutdown']])
  })

  test('that is paused goes on for the owner that takes it over', () => {
    const { socket, exchanges, connection } = connected()
    connection.onData(Buffer.from(get('/').repeat(5_000)))
    expect(socket.isPaused).toBe(true)
    const owner = {
      onData: () => undefined,
      onDrain: () => undefined,
      onEnd: () => undefined,
      onClose: () => undefined,
    }
    exchanges[0]?.takeOver(owner)
    expect([socket.isPaused, socket.data === owner]).toEqual([false, true])
  })
})

describe('a time limit', () => {
  test('is for the head of a request, and another for the wait for the next', () => {
    const { exchanges, connection, state } = connected()
    state.nowMs = 10_000
    expect(connection.overdue(state.nowMs)).toBeNull()
    connection.onData(Buffer.from('GET / HTTP/1.1\r\n'))
    expect(connection.overdue(10_001)).toBe('head')
    connection.onData(Buffer.from('Host: x\r\n\r\n'))
    expect(connection.overdue(1e9)).toBeNull()
    exchanges[0]?.reply({ status: 204 })
    expect([connection.overdue(70_000), connection.overdue(70_001)]).toEqual([null, 'head'])
    state.nowMs = 50_000
    for (const byte of 'GET') connection.onData(Buffer.from(byte))
    expect([connection.overdue(60_000), connection.overdue(60_001)]).toEqual([null, 'head'])
  })

  test('is for the rest of a body that is skipped', () => {
    const { exchanges, connection } = connected()
    connection.onData(Buffer.from('PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n'))
    exchanges[0]?.reply({ status: 204 })
    connection.onData(Buffer.from('a'))
    expect([connection.overdue(10_000), connection.overdue(10_001)]).toEqual([null, 'head'])
  })

  test('is for an answer of which the client takes nothing, and begins anew when it takes some', () => {
    const { exchanges, connection, drain, state } = connected(10)
    connection.onData(Buffer.from(get('/')))
    exchanges[0]?.reply({ status: 204 })
    state.nowMs = httpLimits.writeMsMax
    expect(connection.overdue(state.nowMs)).toBeNull()
    expect(connection.overdue(state.nowMs + 1)).toBe('write')
    drain(0)
    expect(connection.overdue(state.nowMs + 1)).toBe('write')
    drain(1)
    expect(connection.overdue(state.nowMs + 1)).toBeNull()
    drain(Infinity)
    expect(connection.overdue(state.nowMs + 10_000)).toBeNull()
  })

  test('is for a client that does not leave after the last answer', () => {
    const { connection } = connected()
    connection.onData(Buffer.from('\0'))
    expect(connection.overdue(httpLimits.lingerMsMax)).toBeNull()
    expect(connection.overdue(httpLimits.lingerMsMax + 1)).toBe('linger')
  })
})
