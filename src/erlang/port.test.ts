// Goal: nodes can connect where the name says, on loopback alone if that is where it points, and nowhere any
// more when the port is closed. Method: ports opened for names and addresses, and connections to them.

import { describe, expect, test } from 'bun:test'
import { until } from '../core/time.fixture.ts'
import { nodeName } from './node.fixture.ts'
import { openPort, type Port } from './port.ts'
import { dial, NOBODY, type OwnedSocket } from './socket.ts'

/** A port that is open, with all that has connected. */
class Opened implements Disposable {
  readonly sockets: OwnedSocket[] = []
  readonly port: Port

  constructor(name: string, hostname: string | null = null, port = 0) {
    const address = hostname === null ? null : { hostname, port }
    const opened = openPort(nodeName(name), address, (socket) => this.sockets.push(socket))
    if (typeof opened === 'string') throw new Error(opened)
    this.port = opened
  }

  [Symbol.dispose](): void {
    this.port.close()
    for (const socket of this.sockets) socket.end()
  }
}

/** Is there a connection to be had? */
async function answers(host: string, port: number): Promise<boolean> {
  const dialled = await dial(host, port)
  if ('socket' in dialled) dialled.socket.end()
  return 'socket' in dialled
}

/** Can this system have one there? */
async function has(hostname: string): Promise<boolean> {
  try {
    const listener = Bun.listen({ hostname, port: 0, socket: { data: () => undefined } })
    listener.stop(true)
    return true
  } catch (error) {
    if (!(error instanceof Error)) throw error
    return false
  }
}

const hasIpv6 = await has('::1')

describe('a port', () => {
  test('of a name at localhost is on loopback, of either family, under one number', async () => {
    using opened = new Opened('comet@localhost')
    const { number } = opened.port
    expect(number).toBeWithin(1, 65_536)
    expect([await answers('127.0.0.1', number), await answers('::1', number)]).toEqual([
      ...[true, hasIpv6],
    ])
    // Another address of this machine is as good as another machine.
    expect(await answers('127.0.0.2', number)).toBe(false)
  })

  test('of a name at a loopback address is there alone', async () => {
    using opened = new Opened('comet@127.0.0.1')
    const { number } = opened.port
    expect(await answers('127.0.0.1', number)).toBe(true)
    expect([await answers('127.0.0.2', number), await answers('::1', number)]).toEqual([
      false,
      false,
    ])
  })

  test('of an address is there, whatever the name says', async () => {
    using opened = new Opened('comet@host.example', '127.0.0.2')
    const { number } = opened.port
    expect([await answers('127.0.0.2', number), await answers('127.0.0.1', number)]).toEqual([
      ...[true, false],
    ])
    using second = new Opened('comet@localhost', '127.0.0.1', number)
    expect(second.port.number).toBe(number)
  })

  test('that somebody has is a reason', () => {
    using opened = new Opened('comet@localhost')
    const { number } = opened.port
    const again = () => new Opened('comet@localhost', '127.0.0.1', number)
    expect(again).toThrow(`127.0.0.1:${number} cannot be opened (EADDRINUSE)`)
  })

  test('that this machine has not is a reason', () => {
    // RFC 5737: addresses that nobody has.
    expect(() => new Opened('comet@localhost', '192.0.2.1', 4711)).toThrow(
      /^192\.0\.2\.1:4711 cannot be opened \(E[A-Z]+\)$/,
    )
  })

  test('gives each connection an owner of its own', async () => {
    using opened = new Opened('comet@127.0.0.1')
    const { number } = opened.port
    const one = await dial('127.0.0.1', number)
    const other = await dial('127.0.0.1', number)
    await until('both are there', () => opened.sockets.length === 2)
    const [first, second] = opened.sockets
    expect([first?.data.owner, second?.data.owner]).toEqual([NOBODY, NOBODY])
    expect(first?.data).not.toBe(second?.data)
    for (const dialled of [one, other]) if ('socket' in dialled) dialled.socket.end()
  })

  test('that is closed takes nobody, and leaves those who are connected', async () => {
    using opened = new Opened('comet@localhost')
    const { number } = opened.port
    const dialled = await dial('127.0.0.1', number)
    if ('why' in dialled) throw new Error(dialled.why)
    await until('it is there', () => opened.sockets.length === 1)
    let got = ''
    dialled.socket.data.owner = { ...NOBODY, data: (bytes) => (got += Buffer.from(bytes)) }
    opened.port.close()
    expect([await answers('127.0.0.1', number), await answers('::1', number)]).toEqual([
      false,
      false,
    ])
    opened.sockets[0]?.write('still here')
    await until('it has come', () => got === 'still here')
    dialled.socket.end()
  })
})
