// Goal: connections are told apart by where they were accepted; those that can take no more are
// found, with exactly the bytes that the other end did not get. Method: real connections of this
// process.

import { describe, expect, test } from 'bun:test'
import { RawClient } from '../../scripts/support/raw-client.ts'
import { until } from '../core/time.fixture.ts'
import { descriptorOf } from './bun-socket.ts'
import {
  listenEndpoints,
  type SendQueues,
  sendQueues,
  type TcpSockets,
  tcpSockets,
} from './sockets.ts'

const LOOPBACK = '127.0.0.1'
const OTHER = '127.0.0.2'

/** Above any descriptor that a test has. */
const LAST = 1_023

/** A server that knows the descriptors of its connections. */
class Accepting implements Disposable {
  readonly descriptors: number[] = []
  readonly #hostname: string
  readonly #listener: Bun.TCPSocketListener

  constructor(hostname: string, port = 0) {
    this.#hostname = hostname
    this.#listener = Bun.listen({
      hostname,
      port,
      socket: {
        open: (socket) => {
          this.descriptors.push(descriptorOf(socket) ?? -1)
        },
        data: () => undefined,
      },
    })
  }

  get address() {
    return { hostname: this.#hostname, port: this.#listener.port }
  }

  get ends() {
    return listenEndpoints([this.address])
  }

  /** Connects a client, and answers the descriptor of the server's end. */
  async accept(client: DisposableStack, hostname = this.#hostname): Promise<number> {
    client.use(await RawClient.open(this.address.port, '', { to: hostname }))
    await until('the connection was accepted', () => this.descriptors.length > 0)
    return this.descriptors.pop() ?? -1
  }

  [Symbol.dispose](): void {
    this.#listener.stop(true)
  }
}

/** Two servers with the same port number at the two addresses. */
function twins(): [Accepting, Accepting] {
  for (;;) {
    const first = new Accepting(LOOPBACK)
    try {
      return [first, new Accepting(OTHER, first.address.port)]
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

describe.skipIf(process.platform !== 'linux')('a connection', () => {
  test('is at the address that it was accepted at', async () => {
    using clients = new DisposableStack()
    using server = new Accepting(LOOPBACK)
    expect(loaded().isAt(await server.accept(clients), server.ends)).toBe(true)
  })

  test('is at no other address with the same port number', async () => {
    using clients = new DisposableStack()
    const [first, second] = twins()
    using server = first
    using other = second
    const descriptor = await other.accept(clients)
    expect(loaded().isAt(descriptor, server.ends)).toBe(false)
    expect(loaded().isAt(descriptor, other.ends)).toBe(true)
  })

  test('is at no other port', async () => {
    using clients = new DisposableStack()
    using server = new Accepting(LOOPBACK)
    using other = new Accepting(LOOPBACK)
    expect(loaded().isAt(await other.accept(clients), server.ends)).toBe(false)
  })

  test('is at 0.0.0.0, whatever its own address', async () => {
    using clients = new DisposableStack()
    using server = new Accepting('0.0.0.0')
    expect(loaded().isAt(await server.accept(clients, OTHER), server.ends)).toBe(true)
  })

  test('is at one of several addresses', async () => {
    using clients = new DisposableStack()
    using server = new Accepting(LOOPBACK)
    using other = new Accepting(OTHER)
    const ends = [...server.ends, ...other.ends]
    expect(loaded().isAt(await server.accept(clients), ends)).toBe(true)
    expect(loaded().isAt(await other.accept(clients), ends)).toBe(true)
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

  /** Of the server's end. */
  get descriptor(): number {
    return descriptorOf(this.#server) ?? -1
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
  test('are empty once the client has read everything', async () => {
    const queues = openQueues()
    using full = await Pair.open()
    expect(queues.bytes(full.descriptor)).toBe(0)
    await full.fill()
    expect(queues.bytes(full.descriptor)).toBeGreaterThan(0)
    full.client?.resume()
    await until('all has come', () => full.received === full.sent)
    await until('nothing is left', () => queues.bytes(full.descriptor) === 0)
  })

  test('have exactly the bytes that the client never gets when it is cut', async () => {
    const queues = openQueues()
    using full = await Pair.open()
    await full.fill()
    const { descriptor } = full
    const bytes = queues.bytes(descriptor) ?? 0
    full.cut()
    expect(queues.bytes(descriptor)).toBeNull()
    full.client?.resume()
    await until('what was acknowledged has come', () => full.received >= full.sent - bytes)
    await Bun.sleep(20)
    expect(full.received + bytes).toBe(full.sent)
  })

  test('are null for files and closed descriptors', () => {
    const queues = openQueues()
    expect([queues.bytes(-1), queues.bytes(LAST)]).toEqual([null, null])
  })
})
