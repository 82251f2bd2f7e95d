// A whole Erlang node of comet's with a real router and store behind it, a log that remembers, and a port
// on loopback; and other nodes, made of the handshake alone, that connect to it.

import type { Clock } from '../core/clock.ts'
import { FakeClock, until } from '../core/time.fixture.ts'
import { LocalOutlet } from '../hub/outlet.ts'
import { Router } from '../hub/router.ts'
import { settingsOf } from '../hub/settings.fixture.ts'
import { RecordingStream, storeFor } from '../hub/stream.fixture.ts'
import { FollowersIndex } from '../subscriptions/followers.ts'
import type { FakeMapper } from './epmd.fixture.ts'
import { GREETING_OF_A } from './handshake.fixture.ts'
import { Handshake } from './handshake.ts'
import type { Greeting } from './handshake-messages.ts'
import type { NodeLog } from './log.ts'
import { type ErlangNode, type NodeConfig, startNode } from './node.ts'
import { type NodeName, parseNodeName } from './node-name.ts'
import { bytesOf, framed, greeted } from './packet.fixture.ts'
import { COOKIE, NODE_A } from './recorded.fixture.ts'
import { NOBODY, type Owned, type OwnedSocket, SOCKET_HANDLERS } from './socket.ts'

export function nodeName(text: string): NodeName {
  const name = parseNodeName(text)
  if (name === undefined) throw new Error(`${text} is no name`)
  return name
}

/** Remembers each line by its event. */
export class RememberingLog implements NodeLog {
  readonly lines: [event: string, message: string][] = []
  /** The events that somebody might have to look after. */
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

  /** What was said of an event, in order. */
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

  constructor(name: string, mapper: FakeMapper, { peer, clock, ...config }: TestNodeOptions = {}) {
    const router = new Router(
      new LocalOutlet(this.streams),
      new FollowersIndex([], 0, 0),
      settingsOf(),
    )
    const node = startNode(
      {
        ...{ name: nodeName(name), peer: peer === undefined ? null : nodeName(peer) },
        ...{ cookie: COOKIE, listen: { hostname: '127.0.0.1', port: 0 } },
        ...{ tickTimeMs: 60_000, mapperPort: mapper.port, ...config },
      },
      {
        ...{ router, clock: clock ?? new FakeClock(), log: this.log },
        online: async (user) => this.streams.presence(user).connections,
        isDraining: () => false,
        onRefused: () => undefined,
      },
    )
    if (typeof node === 'string') throw new Error(node)
    this.node = node
  }

  get port(): number {
    return this.node.figures().port
  }

  /** The nodes that it is connected with. */
  get connected(): string[] {
    return this.node.figures().connections.map(({ node }) => node)
  }

  /** Connects a user. */
  connect(user: number): RecordingStream {
    const sink = new RecordingStream()
    this.streams.add(user, sink)
    return sink
  }

  isRegistered(): Promise<void> {
    return until('it is registered', () => this.node.figures().registered)
  }

  [Symbol.dispose](): void {
    this.node.drain()
    this.node.stop()
  }
}

export interface RemoteOptions {
  readonly name?: string
  /** Whom it takes the node for. */
  readonly to?: string
  readonly cookie?: string
}

/** A node that connects to the port, from there on in the hands of the test. */
export class RemoteNode implements Disposable {
  readonly packets: Uint8Array[] = []
  ticks = 0
  /** The node that it is connected with, once both know the cookie. */
  peer: Greeting | null = null
  why: string | null = null
  isClosed = false
  /** The messages of the handshake that it has got. */
  readonly greetings: Uint8Array[] = []
  readonly #socket: OwnedSocket
  readonly #handshake: Handshake
  #held = new Uint8Array()

  private constructor(socket: OwnedSocket, { name, to, cookie }: Required<RemoteOptions>) {
    this.#socket = socket
    socket.data.owner = {
      data: (bytes) => this.#data(bytes),
      drained: () => undefined,
      closed: () => {
        this.isClosed = true
      },
    }
    const send = (message: Uint8Array) => socket.write(greeted(message))
    const onDone = (peer: Greeting) => {
      this.peer = peer
    }
    const own = { ...GREETING_OF_A, name, challenge: 7 }
    this.#handshake = Handshake.open({ ...own, cookie, send, onDone }, to)
  }

  /** Connects, and begins the handshake. */
  static async open(port: number, options: RemoteOptions = {}): Promise<RemoteNode> {
    const { name = NODE_A, to = 'comet@localhost', cookie = COOKIE } = options
    const data: Owned = { owner: NOBODY }
    const socket = await Bun.connect({
      ...{ hostname: '127.0.0.1', port, data, socket: SOCKET_HANDLERS },
    })
    return new RemoteNode(socket, { name, to, cookie })
  }

  /** Connects, and is connected or turned away. */
  static async connected(port: number, options: RemoteOptions = {}): Promise<RemoteNode> {
    const remote = await RemoteNode.open(port, options)
    await until(
      'it is decided',
      () => remote.isClosed || remote.why !== null || remote.peer !== null,
    )
    return remote
  }

  send(...packets: readonly Uint8Array[]): void {
    this.#socket.write(framed(...packets))
  }

  hangUp(): void {
    this.#socket.end()
  }

  get hex(): string[] {
    return this.packets.map((packet) => packet.toHex())
  }

  #data(bytes: Uint8Array): void {
    this.#held = bytesOf(this.#held, bytes)
    while (this.#next());
  }

  /** Takes what is whole: a message of the handshake, or a packet. */
  #next(): boolean {
    const lengthBytes = this.peer === null ? 2 : 4
    if (this.why !== null || this.#held.length < lengthBytes) return false
    const view = new DataView(this.#held.buffer)
    const end = lengthBytes + (lengthBytes === 2 ? view.getUint16(0) : view.getUint32(0))
    if (this.#held.length < end) return false
    const taken = this.#held.slice(lengthBytes, end)
    this.#held = this.#held.slice(end)
    if (this.peer !== null) {
      if (taken.length === 0) this.ticks++
      else this.packets.push(taken)
    } else {
      this.greetings.push(taken)
      this.why = this.#handshake.take(taken)
    }
    return true
  }

  [Symbol.dispose](): void {
    this.#socket.data.owner = NOBODY
    this.#socket.end()
  }
}
