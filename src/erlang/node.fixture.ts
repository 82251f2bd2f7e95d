// A whole node with a real router and store behind it and a log that remembers, on loopback; and
// other nodes, made of the handshake alone, that connect to it.

import type { Clock } from '../core/clock.ts'
import { FakeClock, until } from '../core/time.fixture.ts'
import { MarkingOutlet } from '../hub/outlet.fixture.ts'
import { routerOf } from '../hub/router.fixture.ts'
import { settingsOf } from '../hub/settings.fixture.ts'
import type { ErlangNodeName } from '../hub/settings.ts'
import { openStream, type RecordingStream, storeFor } from '../hub/stream.fixture.ts'
import { FollowIndex } from '../subscriptions/follow-index.ts'
import type { FakeEpmd } from './epmd.fixture.ts'
import { IDENTITY_OF_A } from './handshake.fixture.ts'
import { Handshake } from './handshake.ts'
import { type ErlangNode, type NodeConfig, startNode } from './node.ts'
import { parseNodeName } from './node-name.ts'
import { framed, handshakeFramed } from './packet.fixture.ts'
import { COOKIE, NODE_A } from './recorded.fixture.ts'
import { connect, NO_OWNER, type NodeSocket } from './socket.ts'
import { bytesOf } from './terms.fixture.ts'

export function nodeName(text: string): ErlangNodeName {
  const name = parseNodeName(text)
  if (name === undefined) throw new Error(`${text} is not a node name`)
  return name
}

export class RememberingLog {
  readonly lines: [event: string, message: string][] = []
  /** The events of warnings. */
  readonly warned: string[] = []
  readonly bugs: unknown[] = []

  info(event: string, message: string): void {
    this.lines.push([event, message])
  }

  warn(event: string, message: string): void {
    this.warned.push(event)
    this.lines.push([event, message])
  }

  repeated(event: string, message: string): void {
    this.lines.push([event, message])
  }

  bug(error: unknown): void {
    this.bugs.push(error)
  }

  /** The messages of an event, in order. */
  of(event: string): string[] {
    return this.lines.flatMap(([of, message]) => (of === event ? [message] : []))
  }
}

export interface TestNodeOptions extends Partial<Omit<NodeConfig, 'name' | 'peer'>> {
  readonly peer?: string
  readonly clock?: Clock
}

export class TestNode implements Disposable {
  readonly node: ErlangNode
  readonly log = new RememberingLog()
  readonly streams = storeFor()

  constructor(name: string, epmd: FakeEpmd, { peer, clock, ...config }: TestNodeOptions = {}) {
    const router = routerOf(new MarkingOutlet(this.streams), new FollowIndex(), settingsOf())
    const started = startNode(
      {
        ...{ name: nodeName(name), peer: peer === undefined ? null : nodeName(peer) },
        ...{ cookie: COOKIE, listen: { hostname: '127.0.0.1', port: 0 } },
        ...{ tickTimeMs: 60_000, epmdPort: epmd.port, ...config },
      },
      {
        ...{ router, clock: clock ?? new FakeClock(), log: this.log },
        online: async (user) =>
          this.streams.connected.presence(router.names.idOf(user)).connections,
        isDraining: () => false,
        onRefused: () => undefined,
      },
    )
    if (!started.ok) throw new Error(started.why)
    this.node = started.value
  }

  get port(): number {
    return this.node.figures().port
  }

  /** The names of the connected nodes. */
  get connected(): string[] {
    return this.node.figures().connections.map(({ node }) => node)
  }

  /** Opens a stream of a user. */
  connect(user: number): RecordingStream {
    return openStream(this.streams, user)
  }

  isRegistered(): Promise<void> {
    return until('the node is registered', () => this.node.figures().registered)
  }

  [Symbol.dispose](): void {
    this.node.drain()
    this.node.stop()
  }
}

export interface RemoteOptions {
  readonly name?: string
  /** The name that it expects of the node. */
  readonly to?: string
  readonly cookie?: string
}

/** A node that connects and then does what the test says. */
export class RemoteNode implements Disposable {
  readonly packets: Uint8Array[] = []
  why: string | null = null
  isClosed = false
  /** The handshake messages that it received. */
  readonly handshakeMessages: Uint8Array[] = []
  readonly #socket: NodeSocket
  readonly #handshake: Handshake
  #received = new Uint8Array()

  private constructor(socket: NodeSocket, { name, to, cookie }: Required<RemoteOptions>) {
    this.#socket = socket
    socket.data.owner = {
      ...NO_OWNER,
      data: (bytes) => this.#receive(bytes),
      closed: () => {
        this.isClosed = true
      },
    }
    const send = (message: Uint8Array) => socket.write(handshakeFramed(message))
    this.#handshake = Handshake.open({ ...IDENTITY_OF_A, name, challenge: 7, cookie, send }, to)
  }

  /** Connects and opens the handshake. */
  static async open(port: number, options: RemoteOptions = {}): Promise<RemoteNode> {
    const { name = NODE_A, to = 'comet@localhost', cookie = COOKIE } = options
    const connected = await connect('127.0.0.1', port)
    if (!connected.ok) throw new Error(connected.why)
    return new RemoteNode(connected.value, { name, to, cookie })
  }

  /** Connects and waits until the handshake has succeeded or failed. */
  static async connected(port: number, options: RemoteOptions = {}): Promise<RemoteNode> {
    const remote = await RemoteNode.open(port, options)
    await until(
      'the handshake is over',
      () => remote.isClosed || remote.why !== null || remote.peer !== null,
    )
    return remote
  }

  get peer() {
    return this.#handshake.peer
  }

  send(...packets: readonly Uint8Array[]): void {
    this.#socket.write(framed(...packets))
  }

  close(): void {
    this.#socket.end()
  }

  #receive(bytes: Uint8Array): void {
    this.#received = bytesOf(this.#received, bytes)
    while (this.#next());
  }

  /** Takes a handshake message or a packet, if it is complete. */
  #next(): boolean {
    const lengthBytes = this.peer === null ? 2 : 4
    if (this.why !== null || this.#received.length < lengthBytes) return false
    const end = lengthBytes + Buffer.from(this.#received).readUIntBE(0, lengthBytes)
    if (this.#received.length < end) return false
    const taken = this.#received.slice(lengthBytes, end)
    this.#received = this.#received.slice(end)
    if (this.peer !== null) this.packets.push(taken)
    else {
      this.handshakeMessages.push(taken)
      const handled = this.#handshake.take(taken)
      if (!handled.ok) this.why = handled.why
    }
    return true
  }

  [Symbol.dispose](): void {
    this.#socket.data.owner = NO_OWNER
    this.#socket.end()
  }
}
