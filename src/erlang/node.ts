// Comet as a hidden node among Erlang nodes: which of them are connected, who may connect, what is told
// of them. How two nodes get to know each other and what they say then is in other files.

import { randomInt } from 'node:crypto'
import type { Address } from '../core/address.ts'
import type { Clock } from '../core/clock.ts'
import { erlangLimits } from '../core/limits.ts'
import { Backpressure } from '../hub/backpressure.ts'
import { Conversation } from './channel.ts'
import { Connection } from './connection.ts'
import { NAME_TAKEN } from './epmd.ts'
import { Handshake, type HandshakeOptions, type Status, type Unwelcome } from './handshake.ts'
import type { Greeting } from './handshake-messages.ts'
import { Introduction } from './handshake-socket.ts'
import type { NodeLog } from './log.ts'
import { Desk, type DeskOptions } from './mailbox.ts'
import type { ConnectionFigures, NodeFigures } from './node-figures.ts'
import type { NodeName } from './node-name.ts'
import { Outbound } from './outbound.ts'
import { Peer } from './peer.ts'
import { openPort, type Port } from './port.ts'
import { Registration } from './registration.ts'
import type { OwnedSocket } from './socket.ts'
import { TAG } from './tags.ts'
import { TermWriter } from './term-writer.ts'

export interface NodeConfig {
  readonly name: NodeName
  /** The node to be connected to; null to wait for those that connect. */
  readonly peer: NodeName | null
  readonly cookie: string
  /** Where nodes connect; null for what the name says. */
  readonly listen: Address | null
  /** Milliseconds of silence after which a connection is dead. */
  readonly tickTimeMs: number
  /** Where the port mapper listens, on every host. */
  readonly mapperPort: number
}

export interface NodeSurroundings extends DeskOptions {
  readonly clock: Clock
  readonly log: NodeLog
}

/** Opens the port and begins to connect and to register; answers why it cannot otherwise. */
export function startNode(config: NodeConfig, surroundings: NodeSurroundings): ErlangNode | string {
  const port = openPort(config.name, config.listen, (socket) => node.accept(socket))
  if (typeof port === 'string') return port
  const node = new ErlangNode(config, surroundings, port)
  return node
}

export class ErlangNode {
  readonly #config: NodeConfig
  readonly #surroundings: NodeSurroundings
  readonly #port: Port
  readonly #desk: Desk
  readonly #registration: Registration
  readonly #peer: Peer | null
  readonly #connections = new Map<string, { connection: Connection; sinceMs: number }>()
  /** Handshakes that others have begun, the oldest first. */
  readonly #introductions = new Set<Introduction>()
  /** Unlike that of any other life of this node: Erlang keeps the first four for itself. */
  readonly #creation = randomInt(4, 2 ** 32)
  /** Messages that came on connections which have ended. */
  #pastMessages = 0
  #isStopping = false

  constructor(config: NodeConfig, surroundings: NodeSurroundings, port: Port) {
    const { name, peer, mapperPort } = config
    const { clock, log } = surroundings
    this.#config = config
    this.#surroundings = surroundings
    this.#port = port
    this.#desk = new Desk(surroundings)
    this.#registration = new Registration({
      ...{ alive: name.alive, port: port.number, mapperPort, clock, log },
    })
    this.#peer =
      peer === null
        ? null
        : new Peer({
            ...{ name: peer, mapperPort, clock, log },
            // Two nodes of one name would push each other out of the other's sight for ever.
            hindrance: () => (this.#registration.isTaken ? NAME_TAKEN : null),
            open: (socket, onFailed) => {
              const begin = (options: HandshakeOptions) => Handshake.open(options, peer.full)
              return this.#introduce(socket, begin, onFailed)
            },
          })
    this.#registration.start().then(() => this.#peer?.connect())
  }

  /** Is the node connected that was asked for? If none was, any. */
  get isConnected(): boolean {
    return this.#peer === null ? this.#connections.size > 0 : this.#peer.state === 'connected'
  }

  figures(): NodeFigures {
    const nowMs = this.#surroundings.clock.elapsedMs()
    const connections = [...this.#connections.values()].map(
      ({ connection: { conversation }, sinceMs }): ConnectionFigures => ({
        node: conversation.node,
        seconds: (nowMs - sinceMs) / 1000,
        messages: conversation.messages,
        callsPending: conversation.calls,
      }),
    )
    const peer = this.#peer
    return {
      name: this.#config.name.full,
      port: this.#port.number,
      registered: this.#registration.isRegistered,
      peer: peer === null ? null : { name: peer.name.full, state: peer.state, why: peer.why },
      messages: connections.reduce((sum, { messages }) => sum + messages, this.#pastMessages),
      connections,
    }
  }

  /** Takes no more connections, and opens none; those that are there go on. */
  drain(): void {
    this.#port.close()
    this.#registration.stop()
    this.#peer?.stop()
    for (const introduction of this.#introductions) introduction.fail('the server is stopping')
  }

  /** Ends all connections; processes that watch comet are told. */
  async stop(): Promise<void> {
    this.#isStopping = true
    const connections = [...this.#connections.values()]
    await Promise.all(connections.map(({ connection }) => connection.end()))
  }

  /** A node has connected, or anything else that found the port. */
  accept(socket: OwnedSocket): void {
    const { log } = this.#surroundings
    const from = socket.remoteAddress
    if (this.#introductions.size >= erlangLimits.handshakesMax) {
      const [oldest] = this.#introductions
      oldest?.fail('too many others want to connect')
    }
    const introduction = this.#introduce(
      socket,
      (options) => Handshake.accept(options, (name) => this.#judge(name)),
      (why) => {
        this.#introductions.delete(introduction)
        log.repeated('erlang_turned_away', `A node at ${from} was turned away: ${why}.`)
      },
    )
    this.#introductions.add(introduction)
  }

  /** Whether a node that greets is welcome; when both sides connect at once, names decide. */
  #judge(name: string): Status | Unwelcome {
    const own = this.#config.name.full
    if (name === own) return { why: 'it has the name of this node' }
    if (this.#connections.has(name)) return 'alive'
    if (this.#connections.size >= erlangLimits.connectionsMax) {
      return { why: 'too many nodes are connected' }
    }
    const isOpening = this.#peerNamed(name)?.isOpening === true
    if (!isOpening) return 'ok'
    // Comet's own handshake is left to the node to refuse: anyone who only greets cannot end it.
    return name < own ? 'nok' : 'ok_simultaneous'
  }

  #introduce(
    socket: OwnedSocket,
    begin: (options: HandshakeOptions) => Handshake,
    onFailed: (why: string) => void,
  ): Introduction {
    const { name, cookie } = this.#config
    const introduction = new Introduction({
      socket,
      begin: (send, onDone) =>
        begin({
          ...{ name: name.full, creation: this.#creation, cookie, send, onDone },
          challenge: randomInt(2 ** 32),
        }),
      onDone: (greeting, rest) => {
        this.#introductions.delete(introduction)
        this.#connected(socket, greeting, rest)
      },
      onFailed,
    })
    return introduction
  }

  #connected(socket: OwnedSocket, { name }: Greeting, rest: Uint8Array): void {
    const { router, clock, log } = this.#surroundings
    // A node that insists has given up the connection before.
    this.#connections.get(name)?.connection.close('it has connected anew')
    if (this.#connections.size >= erlangLimits.connectionsMax && this.#peerNamed(name) === null) {
      // They were fewer when it greeted.
      socket.end()
      return
    }
    const outbound = new Outbound(socket)
    const conversation = new Conversation({
      ...{ node: name, own: this.#ownProcess(), desk: this.#desk, outbound },
      ...{ receipt: router.receipt(), pace: new Backpressure(router, clock) },
    })
    const connection = new Connection({
      ...{ socket, outbound, conversation, router, tickTimeMs: this.#config.tickTimeMs },
      onBug: (error) => log.bug(error),
      onClosed: (why) => this.#closed(connection, why),
    })
    this.#connections.set(name, { connection, sinceMs: clock.elapsedMs() })
    this.#peerNamed(name)?.connected()
    log.info('erlang_connected', `Connected with the Erlang node ${name}.`, { node: name })
    connection.begin(rest)
  }

  #closed({ conversation: { node, messages } }: Connection, why: string): void {
    this.#connections.delete(node)
    this.#pastMessages += messages
    const againMs = this.#peerNamed(node)?.ended(why) ?? null
    const again = againMs === null ? '' : `; it is tried again in ${againMs} ms`
    const text = `The connection with ${node} has ended: ${why}${again}.`
    this.#surroundings.log[this.#isStopping ? 'info' : 'warn']('erlang_disconnected', text, {
      node,
    })
  }

  /** The node that comet was told of, if it is this one. */
  #peerNamed(name: string): Peer | null {
    return name === this.#peer?.name.full ? this.#peer : null
  }

  /** The process that answers come from; what watches it, watches comet. */
  #ownProcess(): Uint8Array {
    const writer = new TermWriter().byte(TAG.newPid).atom(this.#config.name.full)
    return writer.uint32(1).uint32(0).uint32(this.#creation).take()
  }
}
