// Goal: connecting yields a socket or a reason in bounded time, listening accepts where the node's
// name says, and a socket's events reach its owner. Method: real ports on loopback, and a time
// limit that the test ends.

import { describe, expect, test } from 'bun:test'
import { erlangLimits } from '../core/limits.ts'
import { until } from '../core/time.fixture.ts'
import { nodeName } from './node.fixture.ts'
import { SocketPair } from './socket.fixture.ts'
import { connect, listen, NO_OWNER, type NodePort, type NodeSocket } from './socket.ts'
import { CaughtTimers } from './timers.fixture.ts'

const { answerMsMax } = erlangLimits

/** An open port and the sockets that it accepted. */
class OpenPort implements Disposable {
  readonly sockets: NodeSocket[] = []
  closed = 0
  readonly port: NodePort

  constructor(name = 'comet@127.0.0.1', hostname: string | null = null, port = 0) {
    const address = hostname === null ? null : { hostname, port }
    const opened = listen(nodeName(name), address, (socket) => {
      this.sockets.push(socket)
      socket.data.owner = {
        ...NO_OWNER,
        closed: () => {
          this.closed++
        },
      }
    })
    if (!opened.ok) throw new Error(opened.why)
    this.port = opened.value
  }

  get number(): number {
    return this.port.number
  }

  [Symbol.dispose](): void {
    this.port.close()
    for (const socket of this.sockets) socket.end()
  }
}

/** The hosts of these that accept connections on a port. */
async function accepting(port: number, ...hosts: string[]): Promise<string[]> {
  const accepted: string[] = []
  for (const host of hosts) {
    const connected = await connect(host, port)
    if (!connected.ok) continue
    connected.value.end()
    accepted.push(host)
  }
  return accepted
}

/** Whether this machine has IPv6 on loopback. */
function hasIpv6(): boolean {
  try {
    Bun.listen({ hostname: '::1', port: 0, socket: { data: () => undefined } }).stop(true)
    return true
  } catch {
    return false
  }
}

const LOCALHOST = hasIpv6() ? ['127.0.0.1', '::1'] : ['127.0.0.1']

describe('connecting', () => {
  test.each(['127.0.0.1', 'localhost'])(
    'to %s yields a socket, and leaves no timer',
    async (host) => {
      using timers = new CaughtTimers((delayMs) => delayMs === answerMsMax)
      using port = new OpenPort()
      const connected = await connect(host, port.number)
      if (!connected.ok) throw new Error(connected.why)
      expect([timers.delays.length, timers.waiting]).toEqual([1, 0])
      await until('it is accepted', () => port.sockets.length === 1)
      connected.value.end()
      await until('it is closed', () => port.closed === 1)
    },
  )

  test('to a closed port is refused', async () => {
    const port = new OpenPort()
    port[Symbol.dispose]()
    for (const host of ['127.0.0.1', 'localhost']) {
      expect(await connect(host, port.number)).toEqual({ ok: false, why: 'connection refused' })
    }
  })

  test('to a host without an address fails', async () => {
    // The name is too long for a query to a name server.
    const host = 'x'.repeat(64)
    const why = `the host ${host} has no address`
    expect(await connect(host, 1)).toEqual({ ok: false, why })
  })

  test('has a time limit, after which a late socket is closed', async () => {
    using timers = new CaughtTimers((delayMs) => delayMs === answerMsMax)
    using port = new OpenPort()
    const connecting = connect('127.0.0.1', port.number)
    timers.fire()
    expect(await connecting).toEqual({ ok: false, why: 'no answer' })
    await until('it is closed', () => port.closed === 1)
  })
})

describe('a port', () => {
  test('for a node at localhost accepts on loopback only, of either family', async () => {
    using port = new OpenPort('comet@localhost')
    // Another address of this machine is like another machine.
    const hosts = ['127.0.0.1', '::1', '127.0.0.2']
    expect(await accepting(port.number, ...hosts)).toEqual(LOCALHOST)
  })

  test('for a node at a loopback address accepts there only', async () => {
    using port = new OpenPort('comet@127.0.0.1')
    expect(await accepting(port.number, '127.0.0.1', '127.0.0.2', '::1')).toEqual(['127.0.0.1'])
  })

  test('with an address accepts there only, whatever the name is', async () => {
    using port = new OpenPort('comet@host.example', '127.0.0.2')
    expect(await accepting(port.number, '127.0.0.1', '127.0.0.2')).toEqual(['127.0.0.2'])
    using second = new OpenPort('comet@localhost', '127.0.0.1', port.number)
    expect(second.number).toBe(port.number)
  })

  test('that is in use or not of this machine cannot be opened', () => {
    using port = new OpenPort('comet@localhost')
    const again = () => new OpenPort('comet@localhost', '127.0.0.1', port.number)
    expect(again).toThrow(`127.0.0.1:${port.number} cannot be opened (EADDRINUSE)`)
    // A documentation address (RFC 5737).
    expect(() => new OpenPort('comet@localhost', '192.0.2.1', 4711)).toThrow(
      /^192\.0\.2\.1:4711 cannot be opened \(E[A-Z]+\)$/,
    )
  })

  test('gives each socket its own data', async () => {
    using port = new OpenPort()
    await accepting(port.number, '127.0.0.1', '127.0.0.1')
    await until('both are accepted', () => port.sockets.length === 2)
    const [first, second] = port.sockets
    expect(first?.data).not.toBe(second?.data)
  })

  test('that is closed accepts no more, and keeps open sockets', async () => {
    using port = new OpenPort('comet@localhost')
    const connected = await connect('127.0.0.1', port.number)
    if (!connected.ok) throw new Error(connected.why)
    await until('it is accepted', () => port.sockets.length === 1)
    let received = ''
    connected.value.data.owner = {
      ...NO_OWNER,
      data: (bytes) => (received += Buffer.from(bytes)),
    }
    port.port.close()
    expect(await accepting(port.number, '127.0.0.1', '::1')).toEqual([])
    port.sockets[0]?.write('still open')
    await until('the bytes arrive', () => received === 'still open')
    connected.value.end()
  })
})

describe('the owner of a socket', () => {
  test('receives bytes that are its own and not a Buffer', async () => {
    using pair = await SocketPair.open()
    const parts: Uint8Array[] = []
    pair.near.data.owner = { ...NO_OWNER, data: (bytes) => parts.push(bytes) }
    for (const text of ['first', 'second']) {
      const { length } = parts
      pair.far.write(text)
      await until('the bytes arrive', () => parts.length > length)
    }
    // A slice is a copy.
    parts[0]?.slice().fill(0)
    expect(parts.map((part) => new TextDecoder().decode(part))).toEqual(['first', 'second'])
    expect(parts.some((part) => Buffer.isBuffer(part))).toBe(false)
  })

  test('is notified once when it is closed, and the owner before is not', async () => {
    using pair = await SocketPair.open()
    const notified: string[] = []
    pair.near.data.owner = { ...NO_OWNER, closed: () => notified.push('before') }
    pair.near.data.owner = { ...NO_OWNER, closed: () => notified.push('now') }
    pair.far.end()
    await until('it is closed', () => notified.length > 0)
    pair.near.end()
    expect(notified).toEqual(['now'])
  })

  test('is notified when it takes bytes again', async () => {
    using pair = await SocketPair.open()
    let drained = 0
    pair.near.data.owner = {
      ...NO_OWNER,
      drained: () => {
        drained++
      },
    }
    pair.far.pause()
    const bytes = new Uint8Array(16 * 1024 * 1024)
    const sent = pair.near.write(bytes)
    expect(sent).toBeWithin(1, bytes.length)
    pair.far.resume()
    await until('it is drained', () => drained > 0)
  })
})
