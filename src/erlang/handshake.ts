// The distribution handshake (ERTS User's Guide), from either side: exchanges names and
// capabilities, and proves that both nodes know the cookie.

import { ByteBuffer } from '../core/bytes.ts'
import { erlangLimits } from '../core/limits.ts'
import { OK, type Result, refused } from '../core/result.ts'
import {
  type Challenge,
  decodeAck,
  decodeChallenge,
  decodeName,
  decodeReply,
  decodeStatus,
  digestOf,
  encodeAck,
  encodeChallenge,
  encodeName,
  encodeReply,
  encodeStatus,
  hasRequiredFlags,
  isDigest,
  type NodeIdentity,
  OWN_FLAGS,
} from './handshake-messages.ts'
import { parseNodeName } from './node-name.ts'
import { NO_OWNER, type NodeSocket } from './socket.ts'

/** The answer to a `send_name`. */
export type Status = 'ok' | 'ok_simultaneous' | 'nok' | 'alive'

export interface HandshakeOptions {
  readonly name: string
  readonly creation: number
  readonly cookie: string
  /** Comet's challenge: 32 random bits. */
  readonly challenge: number
  /** Sends a message, without its length. */
  readonly send: (message: Uint8Array) => void
}

/** Decides on a node by its name: the status to send, or why it is not allowed to connect. */
export type Judge = (name: string) => Result<Status>

/** Handles the next message. Once it fails, the handshake has failed. */
type Step = (message: Uint8Array) => Result<void>

/** When both sides connect at once, the one with the greater name continues. */
export const CONNECTS_ITSELF = 'the node is already connecting to this one'

const UNEXPECTED = refused('unexpected handshake message')
const TOO_OLD = refused('the node is older than Erlang/OTP 23')
const WRONG_COOKIE = refused('wrong cookie')

/** The messages of a handshake, without a socket. */
export class Handshake {
  readonly #options: HandshakeOptions
  #step: Step
  /** Whether the other node has received a digest, which it may find wrong. */
  hasReplied = false
  /** The other node, when the handshake is complete. */
  peer: NodeIdentity | null = null

  private constructor(options: HandshakeOptions, step: (handshake: Handshake) => Step) {
    this.#options = options
    this.#step = step(this)
  }

  /** Opens the handshake with a node of this full name. */
  static open(options: HandshakeOptions, peer: string): Handshake {
    const handshake = new Handshake(options, (self) => (message) => self.#status(message, peer))
    options.send(encodeName(handshake.#own))
    return handshake
  }

  /** Waits for another node to open the handshake. */
  static accept(options: HandshakeOptions, judge: Judge): Handshake {
    return new Handshake(options, (self) => (message) => self.#name(message, judge))
  }

  /** Handles the next message. */
  take(message: Uint8Array): Result<void> {
    return this.#step(message)
  }

  get #own(): NodeIdentity {
    const { name, creation } = this.#options
    return { name, creation, flags: OWN_FLAGS }
  }

  #status(message: Uint8Array, peer: string): Result<void> {
    const status = decodeStatus(message)
    if (status === 'nok') return refused(CONNECTS_ITSELF)
    if (status === 'not_allowed') {
      return refused('the node does not allow this one (net_kernel:allow/1)')
    }
    // It has not noticed yet that an earlier connection is dead, and closes that one.
    if (status === 'alive') this.#options.send(encodeStatus('true'))
    else if (status !== 'ok' && status !== 'ok_simultaneous') return UNEXPECTED
    this.#step = (next) => this.#challenge(next, peer)
    return OK
  }

  #challenge(message: Uint8Array, peer: string): Result<void> {
    const received = decodeChallenge(message)
    if (received === 'old') return TOO_OLD
    if (received === undefined) return UNEXPECTED
    if (received.name !== peer) return refused('the node has another name')
    if (!hasRequiredFlags(received.flags)) return TOO_OLD
    const { challenge, cookie, send } = this.#options
    send(encodeReply(challenge, digestOf(cookie, received.challenge)))
    this.hasReplied = true
    this.#step = (next) => this.#ack(next, received)
    return OK
  }

  #ack(message: Uint8Array, peer: Challenge): Result<void> {
    const digest = decodeAck(message)
    const { cookie, challenge } = this.#options
    if (digest === undefined) return UNEXPECTED
    if (!isDigest(digest, cookie, challenge)) return WRONG_COOKIE
    this.peer = peer
    return OK
  }

  #name(message: Uint8Array, judge: Judge): Result<void> {
    const peer = decodeName(message)
    if (peer === 'old') return TOO_OLD
    // An invalid name must not get into the log.
    if (peer === undefined || parseNodeName(peer.name) === undefined) return UNEXPECTED
    if (!hasRequiredFlags(peer.flags)) return TOO_OLD
    const judged = judge(peer.name)
    if (!judged.ok) {
      this.#options.send(encodeStatus('not_allowed'))
      return judged
    }
    const status = judged.value
    this.#options.send(encodeStatus(status))
    if (status === 'nok') return refused('this node is already connecting to it')
    if (status === 'alive') this.#step = (next) => this.#statusReply(next, peer)
    else this.#sendChallenge(peer)
    return OK
  }

  /** A node that seems to be connected says whether it is. */
  #statusReply(message: Uint8Array, peer: NodeIdentity): Result<void> {
    const status = decodeStatus(message)
    if (status === 'false') return refused('the node is already connected')
    if (status !== 'true') return UNEXPECTED
    this.#sendChallenge(peer)
    return OK
  }

  #sendChallenge(peer: NodeIdentity): void {
    const { challenge, send } = this.#options
    send(encodeChallenge({ ...this.#own, challenge }))
    this.#step = (message) => this.#challengeReply(message, peer)
  }

  #challengeReply(message: Uint8Array, peer: NodeIdentity): Result<void> {
    const reply = decodeReply(message)
    const { cookie, challenge, send } = this.#options
    if (reply === undefined) return UNEXPECTED
    if (!isDigest(reply.digest, cookie, challenge)) return WRONG_COOKIE
    send(encodeAck(digestOf(cookie, reply.challenge)))
    this.peer = peer
    return OK
  }
}

const LENGTH_BYTES = 2

export interface HandshakeSocketOptions {
  readonly socket: NodeSocket
  readonly begin: (send: (message: Uint8Array) => void) => Handshake
  /** @param rest what the node has sent after the handshake */
  readonly onDone: (peer: NodeIdentity, rest: Uint8Array) => void
  readonly onFailed: (why: string) => void
}

/** Owns a socket during the handshake, in bounded time. Calls one of the callbacks, once. */
export class HandshakeSocket {
  readonly #options: HandshakeSocketOptions
  readonly #handshake: Handshake
  readonly #received = new ByteBuffer()
  readonly #timer: Timer
  #isOver = false

  constructor(options: HandshakeSocketOptions) {
    this.#options = options
    options.socket.data.owner = {
      data: (bytes) => this.#receive(bytes),
      drained: () => undefined,
      closed: () => this.fail(this.#whyClosed),
    }
    this.#timer = setTimeout(() => this.fail('handshake timeout'), erlangLimits.handshakeMsMax)
    this.#handshake = options.begin((message) => this.#send(message))
  }

  /** Closes the socket, unless the handshake is over. */
  fail(why: string): void {
    if (this.#isOver) return
    this.#end()
    this.#options.socket.data.owner = NO_OWNER
    this.#options.socket.end()
    this.#options.onFailed(why)
  }

  /** A node closes the connection without an error message when it receives a wrong digest. */
  get #whyClosed(): string {
    return this.#handshake.hasReplied
      ? 'the node closed the connection, as for a wrong cookie'
      : 'the node closed the connection'
  }

  #receive(bytes: Uint8Array): void {
    this.#received.append(bytes)
    while (!this.#isOver) {
      const received = this.#received.view()
      if (received.length < LENGTH_BYTES) return
      const end = LENGTH_BYTES + (((received[0] as number) << 8) | (received[1] as number))
      if (end === LENGTH_BYTES || end > erlangLimits.handshakeBytesMax) {
        this.fail('the data is not a distribution handshake')
        return
      }
      if (received.length < end) return
      const taken = this.#handshake.take(received.slice(LENGTH_BYTES, end))
      const { peer } = this.#handshake
      if (!taken.ok) this.fail(taken.why)
      else if (peer !== null) {
        this.#end()
        this.#options.onDone(peer, received.slice(end))
      } else this.#received.consume(end)
    }
  }

  #end(): void {
    this.#isOver = true
    clearTimeout(this.#timer)
  }

  #send(message: Uint8Array): void {
    const bytes = Buffer.alloc(LENGTH_BYTES + message.length)
    bytes.writeUInt16BE(message.length)
    bytes.set(message, LENGTH_BYTES)
    this.#options.socket.write(bytes)
  }
}
