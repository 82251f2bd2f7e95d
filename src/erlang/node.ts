// Comet as a hidden Erlang node: accepts and opens connections, decides which nodes may connect,
// and reports their figures.

import { randomInt } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import { erlangLimits } from '../core/limits.ts'
import type { Log } from '../core/log.ts'
import { OK, type Result, refused, success } from '../core/result.ts'
import { Backpressure } from '../hub/backpressure.ts'
import { failureOf } from '../hub/publish-failure.ts'
import type { ErlangConfig } from '../hub/settings.ts'
import { DistributionChannel } from './channel.ts'
import { Connection } from './connection.ts'
import { NAME_TAKEN, Registration } from './epmd.ts'
import { Handshake, type HandshakeOptions, HandshakeSocket, type Judge } from './handshake.ts'
import type { NodeIdentity } from './handshake-messages.ts'
import { Mailbox, type MailboxOptions } from './mailbox.ts'
import type { ConnectionFigures, NodeFigures } from './node-figures.ts'
import { PacketWriter } from './packets.ts'
import { Peer } from './peer.ts'
import { listen, type NodePort, type NodeSocket } from './socket.ts'
import { TAG } from './term-scanner.ts'
import { TermWriter } from './term-writer.ts'

export type NodeConfig = Omit<ErlangConfig, 'required'>

export interface NodeDependencies extends MailboxOptions {
  readonly clock: Clock
  readonly log: Pick<Log, 'info' | 'warn' | 'repeated' | 'bug'>
}

/** Opens the port and starts to register and to connect. */
export function startNode(config: NodeConfig, dependencies: NodeDependencies): Result<ErlangNode> {
  const port = listen(config.name, config.listen, (socket) => node.accept(socket))
  if (!port.ok) return port
  const node = new ErlangNode(config, dependencies, port.value)
  return success(node)
}

export class ErlangNode {
  readonly #config: NodeConfig
  readonly #dependencies: NodeDependencies
  readonly #port: NodePort
  readonly #mailbox: Mailbox
  readonly #registration: Registration
  readonly #peer: Peer | null
  readonly #connections = new Map<string, { connection: Connection; sinceMs: number }>()
  /** Handshakes opened by other nodes, oldest first. */
  readonly #handshakes = new Set<HandshakeSocket>()
  /** Different for each start of this node. Erlang reserves the first four values. */
  readonly #creation = randomInt(4, 2 ** 32)
  /** Messages of connections that are closed. */
  #pastMessages = 0
  #isStopping = false

  constructor(config: NodeConfig, dependencies: NodeDependencies, port: NodePort) {
    const { name, peer, epmdPort } = config
    const { clock, log } = dependencies
    this.#config = config
    this.#dependencies = dependencies
    this.#port = port
    this.#mailbox = new Mailbox(dependencies)
    const { alive } = name
    this.#registration = new Registration({ alive, port: port.number, epmdPort, clock, log })
    this.#peer =
      peer === null
        ? null
        : new Peer({
            ...{ name: peer, epmdPort, clock, log },
            // Two nodes of the same name would take each other's connection to the peer for ever.
            mayConnect: () => (this.#registration.isNameTaken ? refused(NAME_TAKEN) : OK),
            open: (socket, onFailed) =>
              this.#handshake(socket, (options) => Handshake.open(options, peer.full), onFailed),
          })
    this.#registration.start().then(() => this.#peer?.connect())
  }

  /** Whether the configured peer is connected, or any node if none is configured. */
  get isConnected(): boolean {
    return this.#peer === null ? this.#connections.size > 0 : this.#peer.state === 'connected'
  }

  figures(): NodeFigures {
    const nowMs = this.#dependencies.clock.elapsedMs()
    const connections = [...this.#connections.values()].map(
      ({ connection: { channel }, sinceMs }): ConnectionFigures => ({
        node: channel.node,
        seconds: (nowMs - sinceMs) / 1000,
        messages: channel.messages,
        callsPending: channel.callsPending,
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

  /** Accepts and opens no more connections. Established ones stay open. */
  drain(): void {
    this.#port.close()
    this.#registration.stop()
    this.#peer?.stop()
    for (const handshake of this.#handshakes) handshake.fail('the server is stopping')
  }

  /** Closes all connections, after `shutdown` to monitors and links. */
  async stop(): Promise<void> {
    this.#isStopping = true
    const connections = [...this.#connections.values()]
    await Promise.all(connections.map(({ connection }) => connection.shutdown()))
  }

  accept(socket: NodeSocket): void {
    const { log } = this.#dependencies
    const from = socket.remoteAddress
    if (this.#handshakes.size >= erlangLimits.handshakesMax) {
      const [oldest] = this.#handshakes
      oldest?.fail('too many handshakes in progress')
    }
    const handshake = this.#handshake(
      socket,
      (options) => Handshake.accept(options, this.#judge),
      (why) => {
        this.#handshakes.delete(handshake)
        log.repeated('erlang_handshake_failed', `The handshake with ${from} failed: ${why}.`)
      },
    )
    this.#handshakes.add(handshake)
  }

  readonly #judge: Judge = (name) => {
    const own = this.#config.name.full
    if (name === own) return refused('the node has the name of this one')
    if (this.#connections.has(name)) return success('alive')
    if (this.#connections.size >= erlangLimits.connectionsMax) {
      return refused('too many nodes are connected')
    }
    if (this.#peerNamed(name)?.isOpening !== true) return success('ok')
    // Both sides connect at once, and names decide. Comet's own handshake is left to the node to
    // refuse, since a name without the cookie must not end it.
    return success(name < own ? 'nok' : 'ok_simultaneous')
  }

  #handshake(
    socket: NodeSocket,
    begin: (options: HandshakeOptions) => Handshake,
    onFailed: (why: string) => void,
  ): HandshakeSocket {
    const { name, cookie } = this.#config
    const handshake = new HandshakeSocket({
      socket,
      begin: (send) => {
        const challenge = randomInt(2 ** 32)
        return begin({ name: name.full, creation: this.#creation, cookie, challenge, send })
      },
      onDone: (peer, rest) => {
        this.#handshakes.delete(handshake)
        this.#connected(socket, peer, rest)
      },
      onFailed,
    })
    return handshake
  }

  #connected(socket: NodeSocket, { name }: NodeIdentity, rest: Uint8Array): void {
    const { router, clock, log, onRefused } = this.#dependencies
    // A node that answered `alive` with `true` has given up its earlier connection.
    this.#connections.get(name)?.connection.close('the node has connected again')
    if (this.#connections.size >= erlangLimits.connectionsMax && this.#peerNamed(name) === null) {
      // Others have connected since its handshake began.
      socket.end()
      return
    }
    const outgoing = new PacketWriter(socket)
    const channel = new DistributionChannel({
      ...{ node: name, ownPid: this.#ownPid(), mailbox: this.#mailbox, packets: outgoing },
      receipt: router.receipt((why) => onRefused(name, 1, failureOf(why))),
      backpressure: new Backpressure(router, clock),
    })
    const connection = new Connection({
      ...{ socket, outgoing, channel, router, tickTimeMs: this.#config.tickTimeMs },
      onBug: (error) => log.bug(error),
      onClosed: (why) => this.#closed(connection, why),
    })
    this.#connections.set(name, { connection, sinceMs: clock.elapsedMs() })
    this.#peerNamed(name)?.connected()
    log.info('erlang_connected', `Connected to the Erlang node ${name}.`, { node: name })
    if (rest.length > 0) connection.receive(rest)
  }

  #closed({ channel: { node, messages } }: Connection, why: string): void {
    this.#connections.delete(node)
    this.#pastMessages += messages
    const retryMs = this.#peerNamed(node)?.disconnected(why) ?? null
    const retry = retryMs === null ? '' : `; retrying in ${retryMs} ms`
    const text = `The connection to ${node} is closed: ${why}${retry}.`
    const { log } = this.#dependencies
    log[this.#isStopping ? 'info' : 'warn']('erlang_disconnected', text, { node })
  }

  /** The configured peer, if it has this name. */
  #peerNamed(name: string): Peer | null {
    return name === this.#peer?.name.full ? this.#peer : null
  }

  /** The only process of this node, which sends all replies. */
  #ownPid(): Uint8Array {
    const writer = new TermWriter().appendByte(TAG.newPid).atom(this.#config.name.full)
    return writer.appendUint32(1).appendUint32(0).appendUint32(this.#creation).take()
  }
}
