// Goal: a connection is had from the first address that takes it, or a reason in bounded time, and the
// owner of a socket is told what happens on it. Method: real ports on loopback, and a bound that the
// test ends.

import { describe, expect, test } from 'bun:test'
import { erlangLimits } from '../core/limits.ts'
import { until } from '../core/time.fixture.ts'
import { SocketPair } from './socket.fixture.ts'
import { dial, NOBODY } from './socket.ts'
import { CaughtTimers } from './timers.fixture.ts'

const { answerMsMax } = erlangLimits

/** A port that notes who comes and goes. */
class Listening implements Disposable {
  opened = 0
  closed = 0
  readonly #listener: Bun.TCPSocketListener<undefined>

  constructor(hostname: string) {
    this.#listener = Bun.listen({
      ...{ hostname, port: 0 },
      socket: {
        data: () => undefined,
        open: () => {
          this.opened++
        },
        close: () => {
          this.closed++
        },
      },
    })
  }

  get port(): number {
    return this.#listener.port
  }

  [Symbol.dispose](): void {
    this.#listener.stop(true)
  }
}

describe('dial', () => {
  test.each(['127.0.0.1', 'localhost'])('connects to %s', async (host) => {
    using listening = new Listening('127.0.0.1')
    const dialled = await dial(host, listening.port)
    expect(dialled).toContainKey('socket')
    await until('it is there', () => listening.opened === 1)
    if ('socket' in dialled) dialled.socket.end()
    await until('it is gone', () => listening.closed === 1)
  })

  test('tells when nobody listens', async () => {
    const listening = new Listening('127.0.0.1')
    const { port } = listening
    listening[Symbol.dispose]()
    for (const host of ['127.0.0.1', 'localhost']) {
      expect(await dial(host, port)).toEqual({ why: 'nobody listens there' })
    }
  })

  test('tells when a host has no address', async () => {
    // No name server need be asked about a name that is too long.
    const host = 'x'.repeat(64)
    expect(await dial(host, 1)).toEqual({ why: `the host ${host} has no address` })
  })

  test('waits only so long, and closes what comes too late', async () => {
    using timers = new CaughtTimers((delayMs) => delayMs === answerMsMax)
    using listening = new Listening('127.0.0.1')
    const dialled = dial('127.0.0.1', listening.port)
    expect(timers.waiting).toBe(1)
    timers.fire()
    expect(await dialled).toEqual({ why: 'it does not answer' })
    await until('it came and went', () => listening.closed === 1)
    expect(listening.opened).toBe(1)
  })

  test('leaves no timer behind', async () => {
    using timers = new CaughtTimers((delayMs) => delayMs === answerMsMax)
    using listening = new Listening('127.0.0.1')
    const dialled = await dial('127.0.0.1', listening.port)
    expect([timers.delays.length, timers.waiting]).toEqual([1, 0])
    if ('socket' in dialled) dialled.socket.end()
  })
})

describe('the owner of a socket', () => {
  test('is told of bytes, which are the owner’s and no Buffer', async () => {
    using pair = await SocketPair.open()
    const parts: Uint8Array[] = []
    pair.near.data.owner = { ...NOBODY, data: (bytes) => parts.push(bytes) }
    for (const text of ['first', 'second']) {
      const { length } = parts
      pair.far.write(text)
      await until('it has come', () => parts.length > length)
    }
    expect(parts.map((part) => new TextDecoder().decode(part))).toEqual(['first', 'second'])
    expect(parts.some((part) => Buffer.isBuffer(part))).toBe(false)
    // A slice is a copy.
    const [part = new Uint8Array()] = parts
    part.slice().fill(0)
    expect(new TextDecoder().decode(part)).toBe('first')
  })

  test('is told once that it is over, and the one before is not', async () => {
    using pair = await SocketPair.open()
    const told: string[] = []
    pair.near.data.owner = { ...NOBODY, closed: () => told.push('before') }
    pair.near.data.owner = { ...NOBODY, closed: () => told.push('now') }
    pair.far.end()
    await until('it is known', () => told.length > 0)
    pair.near.end()
    expect(told).toEqual(['now'])
  })

  test('is told when there is room again', async () => {
    using pair = await SocketPair.open()
    let drained = 0
    pair.near.data.owner = {
      ...NOBODY,
      drained: () => {
        drained++
      },
    }
    pair.far.pause()
    const bytes = new Uint8Array(16 * 1024 * 1024)
    const sent = pair.near.write(bytes)
    expect(sent).toBeWithin(1, bytes.length)
    pair.far.resume()
    await until('there is room', () => drained > 0)
  })
})
