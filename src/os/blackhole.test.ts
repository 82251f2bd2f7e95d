// Goal: a deaf connection gets nothing, answers nothing, and is there for its peer as before.
// Method: two connections to a real server; what the heard one gets shows that the deaf one could have
// got it, and the kernel is asked what it thinks of both.

import { describe, expect, test } from 'bun:test'
import { until } from '../core/time.fixture.ts'
import { deafener } from './blackhole.ts'

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

interface Ear extends Disposable {
  readonly heard: () => string
  readonly descriptor: number
  readonly say: (text: string) => void
}

/** A client that says what it heard. */
async function ear(port: number): Promise<Ear> {
  let heard = ''
  const socket = await Bun.connect({
    hostname: '127.0.0.1',
    port,
    socket: {
      data: (_, bytes) => {
        heard += bytes.toString()
      },
    },
  })
  return {
    heard: () => heard,
    // The types of Bun lack the descriptor.
    descriptor: (socket as { readonly fd?: number }).fd ?? -1,
    say: (text) => socket.write(text),
    [Symbol.dispose]: () => socket.terminate(),
  }
}

describe.if(process.platform === 'linux' && Bun.which('ss') !== null)('a deaf connection', () => {
  test('gets and acknowledges nothing, and is established for its peer', async () => {
    const deafen = deafener()
    using server = new Remembering()
    using deaf = await ear(server.port)
    using other = await ear(server.port)
    await until('both are connected', () => server.sockets.length === 2)
    expect(deafen?.(deaf.descriptor)).toBe(true)
    for (const socket of server.sockets) socket.write('hello')
    await until('the other one heard it', () => other.heard() === 'hello')
    await until('one of two has not acknowledged it', () =>
      Bun.deepEquals(unacknowledgedBytesOf(server.port), [0, 5]),
    )
    expect([deaf.heard(), server.closed]).toEqual(['', 0])
  })

  test('may still speak', async () => {
    const deafen = deafener()
    using server = new Remembering()
    using deaf = await ear(server.port)
    await until('it is connected', () => server.sockets.length === 1)
    deafen?.(deaf.descriptor)
    deaf.say('can you hear me?')
    await until('it was heard', () => server.received === 'can you hear me?')
  })

  test.each([-1, 1_000_000])('is none of the descriptor %p', (descriptor) => {
    expect(deafener()?.(descriptor)).toBe(false)
  })
})
