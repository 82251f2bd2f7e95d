// A small epmd on a real socket (ERTS User's Guide, "EPMD Protocol"). A test can delay its
// responses, replace them, or stop it.

import { bytesOf, uint16, uint32 } from './terms.fixture.ts'

interface EpmdConnection {
  /** The beginning of a request. */
  partial: Uint8Array
  /** The name that is registered while the connection is open. */
  alive: string | null
}

export type EpmdSocket = Bun.Socket<EpmdConnection>

export interface RegisteredNode {
  readonly port: number
  readonly type: number
  readonly protocol: number
  readonly highest: number
  readonly lowest: number
}

/** A node of Erlang itself at this port. */
export function nodeAt(port: number): RegisteredNode {
  return { port, type: 77, protocol: 0, highest: 6, lowest: 5 }
}

const ALIVE2_REQ = 120
const PORT_PLEASE2_REQ = 122

export class FakeEpmd implements Disposable {
  readonly port: number
  readonly nodes = new Map<string, RegisteredNode>()
  /** Complete requests, without their lengths. */
  readonly requests: Uint8Array[] = []
  readonly sockets = new Set<EpmdSocket>()
  /** Replaces the response to a request. */
  onRequest: ((socket: EpmdSocket, request: Uint8Array) => void) | null = null
  #listener: Bun.TCPSocketListener<EpmdConnection> | null = null
  /** Delayed responses by the name of the node asked for; null to delay none. */
  #delayed: Map<string, () => void> | null = null

  constructor() {
    this.port = this.#listen(0)
  }

  /** Listens again on the same port. */
  start(): void {
    if (this.#listener === null) this.#listen(this.port)
  }

  /** Closes all connections and the port. */
  stop(): void {
    this.#listener?.stop(true)
    this.#listener = null
  }

  [Symbol.dispose](): void {
    this.stop()
  }

  /** Delays responses about the ports of nodes until `release`. */
  delay(): void {
    this.#delayed = new Map()
  }

  get delayed(): number {
    return this.#delayed?.size ?? 0
  }

  release(alive: string): void {
    this.#delayed?.get(alive)?.()
    this.#delayed?.delete(alive)
  }

  #listen(port: number): number {
    this.#listener = Bun.listen<EpmdConnection>({
      ...{ hostname: '127.0.0.1', port, data: { partial: new Uint8Array(), alive: null } },
      socket: {
        open: (socket) => {
          socket.data = { partial: new Uint8Array(), alive: null }
          this.sockets.add(socket)
        },
        data: (socket, bytes) => this.#receive(socket, bytes),
        close: (socket) => {
          this.sockets.delete(socket)
          if (socket.data.alive !== null) this.nodes.delete(socket.data.alive)
        },
        error: () => undefined,
      },
    })
    return this.#listener.port
  }

  #receive(socket: EpmdSocket, bytes: Uint8Array): void {
    const received = Buffer.from(bytesOf(socket.data.partial, bytes))
    socket.data.partial = received
    if (received.length < 2 || received.length < 2 + received.readUInt16BE()) return
    const request = bytesOf(received.subarray(2, 2 + received.readUInt16BE()))
    socket.data.partial = received.subarray(2 + request.length)
    this.requests.push(request)
    const respond = () => this.#respond(socket, Buffer.from(request))
    if (this.onRequest !== null) this.onRequest(socket, request)
    else if (this.#delayed === null || request[0] !== PORT_PLEASE2_REQ) respond()
    else this.#delayed.set(Buffer.from(request).toString('latin1', 1), respond)
  }

  #respond(socket: EpmdSocket, request: Buffer): void {
    if (request[0] === ALIVE2_REQ) this.#register(socket, request)
    else if (request[0] === PORT_PLEASE2_REQ) this.#sendPort(socket, request.toString('latin1', 1))
    else socket.end()
  }

  #register(socket: EpmdSocket, request: Buffer): void {
    const alive = request.toString('latin1', 11, 11 + request.readUInt16BE(9))
    const isTaken = this.nodes.has(alive)
    if (!isTaken) {
      socket.data.alive = alive
      this.nodes.set(alive, {
        port: request.readUInt16BE(1),
        type: request.readUInt8(3),
        protocol: request.readUInt8(4),
        highest: request.readUInt16BE(5),
        lowest: request.readUInt16BE(7),
      })
    }
    socket.write(bytesOf(118, isTaken ? 1 : 0, uint32(7)))
  }

  #sendPort(socket: EpmdSocket, alive: string): void {
    const node = this.nodes.get(alive)
    if (node === undefined) socket.write(Uint8Array.of(119, 1))
    else {
      const { port, type, protocol, highest, lowest } = node
      const versions = bytesOf(uint16(highest), uint16(lowest))
      const name = bytesOf(uint16(alive.length), alive, uint16(0))
      socket.write(bytesOf(119, 0, uint16(port), type, protocol, versions, name))
    }
    socket.end()
  }
}
