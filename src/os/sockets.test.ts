// Goal: connections that were never answered are cut once they are old enough, and no others; those
// that can take no more are found, with exactly the bytes that the other end did not get. Method:
// real connections of this process. Each test of cutting waits until one connection is cut that
// must be, and then looks at the older one that must not be.

import { describe, expect, test } from 'bun:test'
import { RawClient } from '../../scripts/support/raw-client.ts'
import { until } from '../core/time.fixture.ts'
import {
  listenEndpoints,
  type SendQueues,
  sendQueues,
  type TcpSockets,
  tcpSockets,
} from './sockets.ts'

const LOOPBACK = '127.0.0.1'
const OTHER = '127.0.0.2'

/** Old enough to be cut, in milliseconds. */
const OLD_MS = 10
const NEVER_MS = 60_000

/** Above any descriptor that a test has. */
const LAST = 1_023

/** A server that answers `yes` to each question mark, and knows how many are connected. */
class Answering implements Disposable {
  connected = 0
  readonly #hostname: string
  readonly #listener: Bun.TCPSocketListener

  constructor(hostname: string, port = 0) {
    this.#hostname = hostname
    this.#listener = Bun.listen({
      hostname,
      port,
      socket: {
        open: () => {
          this.connected++
        },
        close: () => {
          this.connected--
        },
        data: (socket, bytes) => {
          if (bytes.includes('?')) socket.write('yes')
        },
      },
    })
  }

  get address() {
    return { hostname: this.#hostname, port: this.#listener.port }
  }

  get ends() {
    return listenEndpoints([this.address])
  }

  /** A connected client that the server has taken, which it does at the first byte. */
  async client(hostname = this.#hostname): Promise<RawClient> {
    const before = this.connected
    const client = await RawClient.open(this.address.port, '', { to: hostname })
    client.send('.')
    await until('the connection was taken', () => this.connected > before)
    return client
  }

  [Symbol.dispose](): void {
    this.#listener.stop(true)
  }
}

/** Two servers with the same port number at the two addresses. */
function twins(): [Answering, Answering] {
  for (;;) {
    const first = new Answering(LOOPBACK)
    try {
      return [first, new Answering(OTHER, first.address.port)]
    } catch {
      // The port is in use at the other address; another one will be free.
      first[Symbol.dispose]()
    }
  }
}

function loaded(): TcpSockets {
  const sockets = tcpSockets()
  if (sockets === null) throw new Error('there is no C library')
  return sockets
}

function isOpen(client: RawClient): boolean {
  return client.ending === 'open'
}

/** Asks, and settles when there is one more answer. */
async function answered(client: RawClient): Promise<void> {
  const wanted = `${client.rest}yes`
  client.send('?')
  await until('an answer has come', () => client.rest === wanted)
}

describe.skipIf(process.platform !== 'linux')('cutUnanswered', () => {
  test('closes one that is old enough, and both its ends see it', async () => {
    const sockets = loaded()
    using server = new Answering(LOOPBACK)
    using client = await server.client()
    await until('it is cut', () => sockets.cutUnanswered(server.ends, OLD_MS, 0, LAST) === 1)
    await until('both ends saw it', () => !isOpen(client) && server.connected === 0)
    expect(client.ending).toBe('cut')
    expect(sockets.cutUnanswered(server.ends, 0, 0, LAST)).toBe(0)
  })

  test('closes all that are silent, and their HTTP server goes on', async () => {
    const sockets = loaded()
    await using server = Bun.serve({
      hostname: LOOPBACK,
      port: 0,
      development: false,
      fetch: () => new Response('yes'),
    })
    const address = { hostname: LOOPBACK, port: server.port ?? 0 }
    const clients = await Promise.all(
      Array.from({ length: 20 }, () => RawClient.open(address.port)),
    )
    let cut = 0
    await until('all are cut', () => {
      cut += sockets.cutUnanswered(listenEndpoints([address]), OLD_MS, 0, LAST)
      return cut === clients.length
    })
    await until('all saw it', () => !clients.some(isOpen))
    using next = await RawClient.request(address.port, 'GET / HTTP/1.1')
    expect((await next.headed()).status).toBe(200)
  })

  test('leaves one that is too young', async () => {
    const sockets = loaded()
    using server = new Answering(LOOPBACK)
    using client = await server.client()
    expect(sockets.cutUnanswered(server.ends, NEVER_MS, 0, LAST)).toBe(0)
    await answered(client)
    expect(isOpen(client)).toBe(true)
  })

  test('leaves one that was answered, however old it is', async () => {
    const sockets = loaded()
    using server = new Answering(LOOPBACK)
    using client = await server.client()
    await answered(client)
    using younger = await server.client()
    await until('it is cut', () => sockets.cutUnanswered(server.ends, OLD_MS, 0, LAST) === 1)
    await until('its client saw it', () => !isOpen(younger))
    await answered(client)
    expect(isOpen(client)).toBe(true)
  })

  test('leaves one at another address with the same port number', async () => {
    const sockets = loaded()
    const [first, second] = twins()
    using server = first
    using other = second
    using client = await other.client()
    using younger = await server.client()
    await until('the one is cut', () => {
      return sockets.cutUnanswered(server.ends, OLD_MS, 0, LAST) === 1
    })
    await until('its client saw it', () => !isOpen(younger))
    expect([isOpen(client), other.connected]).toEqual([true, 1])
    expect(sockets.cutUnanswered(other.ends, OLD_MS, 0, LAST)).toBe(1)
    await until('the other client saw it', () => !isOpen(client))
  })

  test('leaves one at another port', async () => {
    const sockets = loaded()
    using server = new Answering(LOOPBACK)
    using other = new Answering(LOOPBACK)
    using client = await other.client()
    using younger = await server.client()
    await until('the one is cut', () => {
      return sockets.cutUnanswered(server.ends, OLD_MS, 0, LAST) === 1
    })
    await until('its client saw it', () => !isOpen(younger))
    await answered(client)
  })

  test('matches any address with 0.0.0.0', async () => {
    const sockets = loaded()
    using server = new Answering('0.0.0.0')
    using client = await server.client(OTHER)
    await until('it is cut', () => sockets.cutUnanswered(server.ends, OLD_MS, 0, LAST) === 1)
    await until('its client saw it', () => !isOpen(client))
  })

  test('closes those at each of several addresses', async () => {
    const sockets = loaded()
    using server = new Answering(LOOPBACK)
    using other = new Answering(OTHER)
    using client = await server.client()
    using second = await other.client()
    const ends = [...server.ends, ...other.ends]
    let cut = 0
    await until('both are cut', () => {
      cut += sockets.cutUnanswered(ends, OLD_MS, 0, LAST)
      return cut === 2
    })
    await until('both saw it', () => !isOpen(client) && !isOpen(second))
  })

  test('checks the given descriptors, first and last included', async () => {
    const sockets = loaded()
    using server = new Answering(LOOPBACK)
    using client = await server.client()
    const cutAt: number[] = []
    await until('it is cut', () => {
      for (let descriptor = 0; descriptor <= LAST; descriptor++) {
        const cut = sockets.cutUnanswered(server.ends, OLD_MS, descriptor, descriptor)
        if (cut > 0) cutAt.push(descriptor)
      }
      return cutAt.length > 0
    })
    await until('its client saw it', () => !isOpen(client))
    expect(cutAt).toHaveLength(1)
  })
})

function openQueues(): SendQueues {
  const queues = sendQueues()
  if (queues === null) throw new Error('there is no C library')
  return queues
}

/** Both ends of a connection; the server's takes bytes until it is full. */
class Pair implements Disposable {
  sent = 0
  received = 0
  client: Bun.Socket | null = null
  #server: Bun.Socket | null = null
  readonly #listener = Bun.listen({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      open: (socket) => {
        this.#server = socket
      },
      data: () => undefined,
    },
  })

  static async open(): Promise<Pair> {
    const pair = new Pair()
    pair.client = await Bun.connect({
      hostname: '127.0.0.1',
      port: pair.#listener.port,
      socket: {
        data: (_, bytes) => {
          pair.received += bytes.length
        },
      },
    })
    await until('the connection is taken', () => pair.#server !== null)
    return pair
  }

  /** Writes until nothing more is taken, for longer than Linux delays an acknowledgement, 40 ms. */
  async fill(): Promise<void> {
    this.client?.pause()
    const bytes = new Uint8Array(1_000_000)
    for (let idle = 0; idle < 80; ) {
      const taken = Math.max(0, this.#server?.write(bytes) ?? 0)
      this.sent += taken
      idle = taken > 0 ? 0 : idle + 1
      await Bun.sleep(1)
    }
  }

  cut(): void {
    this.#server?.terminate()
  }

  [Symbol.dispose](): void {
    this.cut()
    this.client?.terminate()
    this.#listener.stop(true)
  }
}

describe.skipIf(process.platform !== 'linux')('the send queues', () => {
  test('are full for a client that does not read, and for no other', async () => {
    const queues = openQueues()
    using idle = await Pair.open()
    expect(queues.full(LAST).size).toBe(0)
    using full = await Pair.open()
    await full.fill()
    expect([queues.full(LAST).size, idle.sent]).toEqual([1, 0])
    full.client?.resume()
    await until('all has come', () => full.received === full.sent)
    await until('nothing is left', () => queues.full(LAST).size === 0)
  })

  test('have exactly the bytes that the client never gets when it is cut', async () => {
    const queues = openQueues()
    using full = await Pair.open()
    await full.fill()
    const [[descriptor, bytes] = expect.unreachable()] = queues.full(LAST)
    expect(queues.bytes(descriptor)).toBe(bytes)
    full.cut()
    expect(queues.bytes(descriptor)).toBeNull()
    full.client?.resume()
    await until('what was acknowledged has come', () => full.received >= full.sent - bytes)
    await Bun.sleep(20)
    expect(full.received + bytes).toBe(full.sent)
  })

  test('are checked only below the end', async () => {
    const queues = openQueues()
    using full = await Pair.open()
    await full.fill()
    const [descriptor = 0] = queues.full(LAST).keys()
    expect(queues.full(descriptor).size).toBe(0)
    expect([...queues.full(descriptor + 1).keys()]).toEqual([descriptor])
  })

  test('are null for files and closed descriptors', () => {
    const queues = openQueues()
    expect([queues.bytes(-1), queues.bytes(LAST), queues.full(0).size]).toEqual([null, null, 0])
  })
})
