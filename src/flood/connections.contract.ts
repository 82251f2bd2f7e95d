// What both kinds of connections do alike. Goal: each byte reaches its stream, each end is reported
// once and by its kind, and nothing after a close. Method: a small real server, and its view of it.

import { describe, expect, test } from 'bun:test'
import { freePort } from '../../scripts/support/comet.ts'
import { randomFrom } from '../core/random.ts'
import { until } from '../core/time.fixture.ts'
import { floodLimits } from '../core/tool-limits.ts'
import { openBlackhole } from '../os/blackhole.ts'
import type { ConnectionListener, Connections, ConnectionsOptions } from './connections.ts'
import { LocalEnds } from './local-ends.ts'
import { plainBehaviour } from './plan.ts'
import { RequestWriter } from './request.ts'
import { SmallServer } from './server.fixture.ts'

export type OpenConnections = (options: ConnectionsOptions) => Connections

export interface Wanted {
  readonly count?: number
  readonly address?: string
  readonly sources?: LocalEnds | null
  readonly onBytes?: (index: number, text: string) => void
  readonly onEnd?: (index: number) => void
}

/** Connections to a port, and what they report. */
export class Reported implements ConnectionListener, Disposable {
  readonly connections: Connections
  /** All that came, by index, as latin1. */
  readonly received: string[]
  readonly ends: [index: number, kind: string][] = []
  readonly #count: number
  readonly #onBytes: (index: number, text: string) => void
  readonly #onEnd: (index: number) => void

  constructor(open: OpenConnections, port: number, wanted: Wanted = {}) {
    const { count = 1, address = '127.0.0.1', sources = null, onBytes, onEnd } = wanted
    this.#count = count
    this.#onBytes = onBytes ?? (() => undefined)
    this.#onEnd = onEnd ?? (() => undefined)
    this.received = Array.from({ length: count }, () => '')
    const target = { host: 'x', address, port, pathTemplate: '/{id}' }
    const behaviour = plainBehaviour({ protocol: 'http', ...target })
    const requests = new RequestWriter(behaviour, 1)
    const blackhole = openBlackhole()
    this.connections = open({ count, server: target, sources, requests, blackhole, listener: this })
  }

  onBytes(index: number, bytes: Uint8Array, end: number): void {
    const text = Buffer.from(bytes.subarray(0, end)).toString('latin1')
    this.received[index] += text
    this.#onBytes(index, text)
  }

  onEnd(index: number, kind: string): void {
    this.ends.push([index, kind])
    this.#onEnd(index)
  }

  idleMs(): number {
    return Infinity
  }

  beginAll(): void {
    for (let index = 0; index < this.#count; index++) this.connections.begin(index)
  }

  [Symbol.dispose](): void {
    for (let index = 0; index < this.#count; index++) this.connections.close(index)
    this.connections.stop()
  }
}

/** Bytes of which no stretch repeats soon. */
function bytesOf(length: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, at) => (at * 31 + (at >> 8) * 7) & 0xff))
}

export function connectionsContract(open: OpenConnections): void {
  test('send the request of their stream, and receive what is answered', async () => {
    using server = new SmallServer('hello')
    using reported = new Reported(open, server.port, { count: 3 })
    reported.beginAll()
    await until('all are answered', () => reported.received.every((text) => text === 'hello'))
    // It answers the first bytes, and there may be more to come.
    const received = () => [...server.clients].map(({ data }) => data.received)
    await until('all requests have come', () =>
      received().every((text) => text.endsWith('\r\n\r\n')),
    )
    const requests = received().map((text) => text.split('\r\n')[0])
    expect(requests.toSorted()).toEqual(['/1', '/2', '/3'].map((path) => `GET ${path} HTTP/1.1`))
    expect(reported.ends).toEqual([])
  })

  test('receive any number of bytes in order, and then the end', async () => {
    using server = new SmallServer('')
    using reported = new Reported(open, server.port, { count: 2 })
    reported.beginAll()
    await until('both have asked', () => server.asked === 2)
    const { receiveBytes, readsPerTurn } = floodLimits
    const bytes = bytesOf(3 * receiveBytes * readsPerTurn + 1)
    server.send(bytes)
    await until('all has arrived', () =>
      reported.received.every((text) => {
        return text.length === bytes.length
      }),
    )
    expect(reported.received.every((text) => text === bytes.toString('latin1'))).toBe(true)
    server.send(Buffer.from('last'))
    server.cut()
    await until('both have ended', () => reported.ends.length === 2)
    expect(reported.ends.toSorted()).toEqual([
      [0, 'cut_short'],
      [1, 'cut_short'],
    ])
    expect(reported.received.every((text) => text.endsWith('last'))).toBe(true)
  })

  test('report a reset as such', async () => {
    using server = new SmallServer('hello')
    using reported = new Reported(open, server.port)
    reported.beginAll()
    await until('it is answered', () => reported.received[0] === 'hello')
    server.reset()
    await until('it has ended', () => reported.ends.length === 1)
    expect(reported.ends).toEqual([[0, 'reset']])
  })

  test('report what is refused, but not before they have been told to begin', async () => {
    using reported = new Reported(open, freePort(), { count: 2 })
    reported.beginAll()
    expect(reported.ends).toEqual([])
    await until('both are refused', () => reported.ends.length === 2)
    expect(reported.ends.toSorted()).toEqual([
      [0, 'refused'],
      [1, 'refused'],
    ])
  })

  test('report nothing of what is closed, also while it is begun', async () => {
    using reported = new Reported(open, freePort())
    reported.beginAll()
    reported.connections.close(0)
    using server = new SmallServer('hello')
    using others = new Reported(open, server.port, { count: 2 })
    others.beginAll()
    others.connections.close(1)
    await until('one is answered', () => others.received[0] === 'hello')
    server.send(Buffer.from('more'))
    await until('it has more', () => others.received[0] === 'hellomore')
    others.connections.close(0)
    await until('the server has seen both leave', () => server.clients.size === 0)
    expect([others.received[1], others.ends, reported.ends]).toEqual(['', [], []])
  })

  test('report nothing of one that is closed because another one has failed', async () => {
    const port = freePort()
    const reported: Reported = new Reported(open, port, {
      count: 2,
      onEnd: (index) => reported.connections.close(1 - index),
    })
    using _ = reported
    reported.beginAll()
    await until('one has failed', () => reported.ends.length > 0)
    // A third one, which fails after the other would have.
    using last = new Reported(open, port)
    last.beginAll()
    await until('it has failed', () => last.ends.length === 1)
    expect(reported.ends).toHaveLength(1)
  })

  test('may be closed while their bytes are read, and begun again at once', async () => {
    using server = new SmallServer('hello')
    const reported: Reported = new Reported(open, server.port, {
      onBytes: () => {
        reported.connections.close(0)
        if (reported.received[0] !== 'hello'.repeat(50)) reported.connections.begin(0)
      },
    })
    using _ = reported
    reported.beginAll()
    await until('it was answered fifty times', () => reported.received[0]?.length === 250)
    await until('the server has seen all leave', () => server.clients.size === 0)
    expect([server.accepted, reported.ends]).toEqual([50, []])
  })

  test('that are closed and begun at random receive what is theirs and nothing else', async () => {
    // Answers each with its own request, twice, and ends every other one.
    let answered = 0
    using server = Bun.listen({
      hostname: '127.0.0.1',
      port: 0,
      socket: {
        data: (socket, bytes) => {
          socket.write(bytes)
          socket.write(bytes)
          if (++answered % 2 === 0) socket.end()
        },
      },
    })
    const random = randomFrom(17)
    const count = 40
    const wrong: string[] = []
    const isOpen = Array.from({ length: count }, () => false)
    const reported: Reported = new Reported(open, server.port, {
      count,
      onBytes: (index, text) => {
        const from = isOpen[index] ? 'the request' : 'a stream that was closed'
        const paths = [...text.matchAll(/GET \/(\d+) /g)].map(([, path]) => Number(path))
        const isOurs = isOpen[index] && paths.every((path) => path === index + 1)
        if (!isOurs) wrong.push(`${index} received ${text} of ${from}`)
      },
    })
    using _ = reported
    for (let turn = 0; turn < 60; turn++) {
      for (const [index] of reported.ends.splice(0)) isOpen[index] = false
      for (let each = 0; each < 30; each++) {
        const index = random(count)
        if (isOpen[index]) reported.connections.close(index)
        else reported.connections.begin(index)
        isOpen[index] = !isOpen[index]
      }
      await new Promise((resolve) => setTimeout(resolve, random(3)))
    }
    expect([wrong, answered > 100]).toEqual([[], true])
  })

  test('that are paused receive nothing more, and report a reset', async () => {
    using server = new SmallServer('hello')
    const reported: Reported = new Reported(open, server.port, {
      onBytes: () => reported.connections.pause(0),
    })
    using _ = reported
    reported.beginAll()
    await until('it is answered', () => reported.received[0] === 'hello')
    server.send(bytesOf(8 * 1024 * 1024))
    await until('the server is stuck', () => server.behind === 1)
    expect(reported.received).toEqual(['hello'])
    server.reset()
    // Elsewhere a socket that is not read may not report its end.
    if (process.platform !== 'linux') return
    await until('it has ended', () => reported.ends.length === 1)
    expect(reported.ends).toEqual([[0, 'reset']])
  })

  test('come from their sources in turn, and from another port where one is in use', async () => {
    using server = new SmallServer('hello')
    const sources = ['127.0.1.1', '127.0.1.2']
    using first = new Reported(open, server.port, { count: 4, sources: new LocalEnds(sources, 7) })
    first.beginAll()
    await until('four are open', () => first.received.every((text) => text === 'hello'))
    using more = new Reported(open, server.port, { count: 4, sources: new LocalEnds(sources, 7) })
    more.beginAll()
    await until('four more are open', () => more.received.every((text) => text === 'hello'))
    const ends = [...server.clients].map(({ remoteAddress, remotePort }) => {
      return `${remoteAddress}:${remotePort}`
    })
    expect(new Set(ends).size).toBe(8)
    for (const source of sources) {
      expect(ends.filter((end) => end.startsWith(`${source}:`))).toHaveLength(4)
    }
    expect([first.ends, more.ends]).toEqual([[], []])
  })

  test('report a source that this machine does not have', async () => {
    using server = new SmallServer('hello')
    const sources = new LocalEnds(['192.0.2.1'], 0)
    using reported = new Reported(open, server.port, { sources })
    reported.beginAll()
    await until('it has failed', () => reported.ends.length === 1)
    expect(reported.ends).toEqual([[0, 'local_address_not_available']])
  })

  test('reach a server on IPv6, from an address of IPv6', async () => {
    using server = new SmallServer('hello', '::1')
    const sources = new LocalEnds(['0:0:0:0:0:0:0:1'], 11)
    using reported = new Reported(open, server.port, { address: '::1', sources })
    reported.beginAll()
    await until('it is answered', () => reported.received[0] === 'hello')
    expect(reported.ends).toEqual([])
  })

  test('send what they are given after the request, in order', async () => {
    using server = new SmallServer('hello')
    using reported = new Reported(open, server.port)
    reported.beginAll()
    await until('it is answered', () => reported.received[0] === 'hello')
    reported.connections.send(0, Buffer.from('a'))
    reported.connections.send(0, Buffer.from('b'))
    await until('both came', () => [...server.clients][0]?.data.received.endsWith('ab') === true)
  })

  describe.if(process.platform === 'linux')('that vanish', () => {
    test('acknowledge nothing and report nothing', async () => {
      using server = new SmallServer('hello')
      using reported = new Reported(open, server.port, { count: 2 })
      reported.beginAll()
      await until('both are answered', () => reported.received.join('') === 'hellohello')
      expect(reported.connections.blackhole(0)).toBe(true)
      server.send(Buffer.from('more'))
      await until('the other has more', () => reported.received[1] === 'hellomore')
      server.reset()
      await until('the other has ended', () => reported.ends.length === 1)
      expect([reported.received[0], reported.ends]).toEqual(['hello', [[1, 'reset']]])
    })
  })
}
