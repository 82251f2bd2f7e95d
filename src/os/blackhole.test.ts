// Goal: a blackhole receives and acknowledges nothing, and is connected for its peer as before.
// Method: two connections to a real server, of which one receives what the other could have
// received, and the kernel's own figures of both.

import { describe, expect, test } from 'bun:test'
import { until } from '../core/time.fixture.ts'
import { openBlackhole } from './blackhole.ts'
import { descriptorOf } from './bun-socket.ts'

/** Bytes that were not acknowledged, of each connection that is established at the server's end. */
function unacknowledgedBytesOf(port: number): number[] {
  // Others may have had the same port at another address.
  const { stdout } = Bun.spawnSync(['ss', '-tanH', 'src', `127.0.0.1:${port}`])
  const lines = stdout.toString().split('\n')
  return lines
    .filter((line) => line.startsWith('ESTAB'))
    .map((line) => Number(line.split(/\s+/)[2]))
    .toSorted((a, b) => a - b)
}

/** A server that remembers its connections and what came on them. */
class Remembering implements Disposable {
  readonly sockets: Bun.Socket[] = []
  received = ''
  closed = 0
  readonly #listener = Bun.listen({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      open: (socket) => {
        this.sockets.push(socket)
      },
      data: (_, bytes) => {
        this.received += bytes.toString()
      },
      close: () => {
        this.closed++
      },
    },
  })

  get port(): number {
    return this.#listener.port
  }

  [Symbol.dispose](): void {
    this.#listener.stop(true)
  }
}

interface Client extends Disposable {
  readonly received: () => string
  readonly descriptor: number
  readonly send: (text: string) => void
}

async function connect(port: number): Promise<Client> {
  let received = ''
  const socket = await Bun.connect({
    hostname: '127.0.0.1',
    port,
    socket: {
      data: (_, bytes) => {
        received += bytes.toString()
      },
    },
  })
  return {
    received: () => received,
    descriptor: descriptorOf(socket) ?? -1,
    send: (text) => socket.write(text),
    [Symbol.dispose]: () => socket.terminate(),
  }
}

describe.if(process.platform === 'linux' && Bun.which('ss') !== null)('a blackhole', () => {
  test('receives and acknowledges nothing, and is established for its peer', async () => {
    const blackhole = openBlackhole()
    using server = new Remembering()
    using silent = await connect(server.port)
    using other = await connect(server.port)
    await until('both are connected', () => server.sockets.length === 2)
    expect(blackhole?.(silent.descriptor)).toBe(true)
    for (const socket of server.sockets) socket.write('hello')
    await until('the other one received it', () => other.received() === 'hello')
    await until('one of two has not acknowledged it', () =>
      Bun.deepEquals(unacknowledgedBytesOf(server.port), [0, 5]),
    )
    expect([silent.received(), server.closed]).toEqual(['', 0])
  })

  test('can still send', async () => {
    const blackhole = openBlackhole()
    using server = new Remembering()
    using silent = await connect(server.port)
    await until('it is connected', () => server.sockets.length === 1)
    blackhole?.(silent.descriptor)
    silent.send('hello')
    await until('it was received', () => server.received === 'hello')
  })

  test.each([-1, 1_000_000])('cannot be made of the descriptor %p', (descriptor) => {
    expect(openBlackhole()?.(descriptor)).toBe(false)
  })
})
