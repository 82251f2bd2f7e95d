// A proxy for tests between clients and a TCP server: it cuts connections, swallows their bytes as
// a network does that has lost one side, delays them, and moves new ones to another server.

import { connect, createServer, type Server, type Socket } from 'node:net'
import { withTimeout } from '../../src/core/deadline.ts'

/** Milliseconds until it listens. */
const LISTEN_MS_MAX = 10_000

/** Which bytes vanish: those of clients, those of the server, or both. */
export type Swallowed = 'requests' | 'answers' | 'both'

interface Pair {
  readonly client: Socket
  readonly server: Socket
  /** What is delayed of each side: nothing overtakes it. */
  readonly delayed: Readonly<Record<'requests' | 'answers', Uint8Array[]>>
}

export class TcpProxy implements AsyncDisposable {
  /** Where new connections go; those that are open stay where they are. */
  targetPort: number
  /** Bytes arrive so many milliseconds later, in their order. */
  delayMs = 0
  /** New connections are closed at once. */
  isRefusing = false
  /** Connections since the start. */
  accepted = 0
  readonly #server: Server
  readonly #targetHost: string
  readonly #pairs = new Set<Pair>()
  /** Pairs whose bytes vanish, until they are cut. */
  readonly #swallowing = new Map<Pair, Swallowed>()
  #bytesOfRequests = 0
  #cutAfterBytes = Number.POSITIVE_INFINITY

  private constructor(targetPort: number, targetHost: string) {
    this.targetPort = targetPort
    this.#targetHost = targetHost
    this.#server = createServer((client) => this.#accept(client))
  }

  static async start(targetPort: number, targetHost = '127.0.0.1'): Promise<TcpProxy> {
    const proxy = new TcpProxy(targetPort, targetHost)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    proxy.#server.once('error', reject)
    proxy.#server.listen(0, '127.0.0.1', resolve)
    await withTimeout('the proxy to listen', promise, LISTEN_MS_MAX)
    return proxy
  }

  get port(): number {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('it does not listen')
    return address.port
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  /** Connections that are open. */
  get open(): number {
    return this.#pairs.size
  }

  /** Bytes that clients have sent since the start. */
  get requestBytes(): number {
    return this.#bytesOfRequests
  }

  /** Closes all connections; new ones are accepted. */
  cut(): void {
    for (const pair of this.#pairs) this.#end(pair)
  }

  /** Closes all connections, and new ones at once until {@link isRefusing} is false again. */
  cutOff(): void {
    this.isRefusing = true
    this.cut()
  }

  /** Closes all connections once clients have sent so many bytes more: in the middle of one. */
  cutAfter(requestBytes: number): void {
    this.#cutAfterBytes = this.#bytesOfRequests + requestBytes
  }

  /** From now on bytes of the connections that are open vanish; new connections work. */
  swallow(what: Swallowed): void {
    for (const pair of this.#pairs) this.#swallowing.set(pair, what)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cutOff()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#server.close(() => resolve())
    await withTimeout('the proxy to close', promise, LISTEN_MS_MAX)
  }

  #accept(client: Socket): void {
    this.accepted++
    if (this.isRefusing) {
      client.destroy()
      return
    }
    const server = connect(this.targetPort, this.#targetHost)
    const pair: Pair = { client, server, delayed: { requests: [], answers: [] } }
    this.#pairs.add(pair)
    client.on('data', (bytes: Uint8Array) => this.#onRequest(pair, bytes))
    server.on('data', (bytes: Uint8Array) => this.#pass(pair, 'answers', server, client, bytes))
    for (const socket of [client, server]) {
      socket.setNoDelay(true)
      socket.on('close', () => this.#end(pair))
      // It is closed, too.
      socket.on('error', () => this.#end(pair))
    }
  }

  #onRequest(pair: Pair, bytes: Uint8Array): void {
    const passed = Math.min(bytes.length, this.#cutAfterBytes - this.#bytesOfRequests)
    this.#bytesOfRequests += bytes.length
    const { client, server } = pair
    this.#pass(pair, 'requests', client, server, bytes.subarray(0, passed))
    if (passed === bytes.length) return
    this.#cutAfterBytes = Number.POSITIVE_INFINITY
    // What was passed on is to arrive: an end, and not a reset.
    for (const other of this.#pairs) other.server.end()
    for (const other of this.#pairs) other.client.destroy()
  }

  #pass(
    pair: Pair,
    what: 'requests' | 'answers',
    from: Socket,
    to: Socket,
    bytes: Uint8Array,
  ): void {
    const swallowed = this.#swallowing.get(pair)
    if (swallowed === what || swallowed === 'both' || bytes.length === 0) return
    const delayed = pair.delayed[what]
    if (this.delayMs === 0 && delayed.length === 0) write(from, to, bytes)
    else {
      delayed.push(bytes)
      // Each timer passes what has waited longest, as many as there are.
      setTimeout(() => write(from, to, delayed.shift() ?? NO_BYTES), this.delayMs)
    }
  }

  #end(pair: Pair): void {
    if (!this.#pairs.delete(pair)) return
    this.#swallowing.delete(pair)
    pair.client.destroy()
    pair.server.destroy()
  }
}

const NO_BYTES = new Uint8Array(0)

/** What a slow side does not take is not read from the other one. */
function write(from: Socket, to: Socket, bytes: Uint8Array): void {
  if (to.destroyed || to.write(bytes)) return
  from.pause()
  to.once('drain', () => from.resume())
}
