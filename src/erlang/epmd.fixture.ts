// A small port mapper for tests, over a real socket: registers nodes and says where they are, as epmd
// does ("EPMD Protocol", ERTS User's Guide). A test can hold its answers back, give others, or stop it.

import { bytesOf, uint16, uint32 } from './packet.fixture.ts'

/** What is known of one connection. */
interface Asking {
  /** What came and is no whole request yet. */
  held: Uint8Array
  /** The name that is registered for as long as it is open. */
  alive: string | null
}

export type MapperSocket = Bun.Socket<Asking>

/** A node as it has registered. */
export interface Registered {
  readonly port: number
  readonly type: number
  readonly protocol: number
  readonly highest: number
  readonly lowest: number
}

const ALIVE2_REQ = 120
const PORT_PLEASE2_REQ = 122

export class FakeMapper implements Disposable {
  readonly port: number
  readonly nodes = new Map<string, Registered>()
  /** Every request that came whole, without its length. */
  readonly requests: Uint8Array[] = []
  /** Connections that are open. */
  readonly sockets = new Set<MapperSocket>()
  /** What is done with a request instead of what a port mapper does. */
  onRequest: ((socket: MapperSocket, request: Uint8Array) => void) | null = null
  #listener: Bun.TCPSocketListener<Asking> | null = null
  /** Answers about nodes that wait until they are released, by name; null to wait for none. */
  #held: Map<string, () => void> | null = null

  constructor() {
    this.port = this.#listen(0)
  }

  /** Opens the same port again. */
  start(): void {
    if (this.#listener === null) this.#listen(this.port)
  }

  /** Ends all connections, and takes no more. */
  stop(): void {
    this.#listener?.stop(true)
    this.#listener = null
  }

  [Symbol.dispose](): void {
    this.stop()
  }

  /** Where a node is, is told from now on when it is released. */
  hold(): void {
    this.#held = new Map()
  }

  /** How many wait to be told. */
  get held(): number {
    return this.#held?.size ?? 0
  }

  /** Tells where this node is. */
  release(alive: string): void {
    this.#held?.get(alive)?.()
    this.#held?.delete(alive)
  }

  #listen(port: number): number {
    this.#listener = Bun.listen<Asking>({
      hostname: '127.0.0.1',
      port,
      data: { held: new Uint8Array(), alive: null },
      socket: {
        open: (socket) => {
          socket.data = { held: new Uint8Array(), alive: null }
          this.sockets.add(socket)
        },
        data: (socket, bytes) => this.#data(socket, bytes),
        close: (socket) => {
          this.sockets.delete(socket)
          if (socket.data.alive !== null) this.nodes.delete(socket.data.alive)
        },
        error: () => undefined,
      },
    })
    return this.#listener.port
  }

  #data(socket: MapperSocket, bytes: Uint8Array): void {
    socket.data.held = bytesOf(socket.data.held, bytes)
    const { held } = socket.data
    const length = held.length < 2 ? 0 : new DataView(held.buffer).getUint16(0)
    if (length === 0 || held.length < 2 + length) return
    const request = held.slice(2, 2 + length)
    socket.data.held = held.slice(2 + length)
    this.requests.push(request)
    const answer = () => this.#answer(socket, request)
    if (this.onRequest !== null) this.onRequest(socket, request)
    else if (this.#held === null || request[0] !== PORT_PLEASE2_REQ) answer()
    else this.#held.set(textOf(request.slice(1)), answer)
  }

  #answer(socket: MapperSocket, request: Uint8Array): void {
    if (request[0] === ALIVE2_REQ) this.#register(socket, request)
    else if (request[0] === PORT_PLEASE2_REQ) this.#tell(socket, request)
    else socket.end()
  }

  #register(socket: MapperSocket, request: Uint8Array): void {
    const view = new DataView(request.buffer)
    const alive = textOf(request.slice(11, 11 + view.getUint16(9)))
    const isTaken = this.nodes.has(alive)
    if (!isTaken) {
      socket.data.alive = alive
      this.nodes.set(alive, {
        port: view.getUint16(1),
        type: view.getUint8(3),
        protocol: view.getUint8(4),
        highest: view.getUint16(5),
        lowest: view.getUint16(7),
      })
    }
    socket.write(bytesOf(118, isTaken ? 1 : 0, uint32(7)))
  }

  #tell(socket: MapperSocket, request: Uint8Array): void {
    const alive = textOf(request.slice(1))
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

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1')
}
