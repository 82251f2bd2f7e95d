// The handshake of two nodes, from either side, message by message: names, capabilities, and that both
// know the cookie. It knows no sockets and no time; whether a node is welcome its owner decides.

import { areEnough, OWN_FLAGS } from './flags.ts'
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
  type Greeting,
  isDigest,
} from './handshake-messages.ts'
import { parseNodeName } from './node-name.ts'

/** What a node is told that greets comet ("Distribution Handshake", the status message). */
export type Status = 'ok' | 'ok_simultaneous' | 'nok' | 'alive'

/** Why a node is not allowed to connect. */
export interface Unwelcome {
  readonly why: string
}

export interface HandshakeOptions {
  readonly name: string
  readonly creation: number
  readonly cookie: string
  /** Comet's own challenge, which nobody can guess: 32 bits. */
  readonly challenge: number
  /** The messages to send, without their lengths. */
  readonly send: (message: Uint8Array) => void
  /** Both have shown that they know the cookie. */
  readonly onDone: (peer: Greeting) => void
}

/** A step takes the message that is expected now; it answers why the handshake fails, or null. */
type Step = (message: Uint8Array) => string | null

/** When both sides connect at once, the one of the greater name goes on. */
export const CONNECTS_ITSELF = 'it is about to connect by itself'

const NOT_EXPECTED = 'it sent something else than the handshake has'
const TOO_OLD = 'it is older than Erlang/OTP 23'
const WRONG_COOKIE = 'its cookie is another one'

export class Handshake {
  readonly #options: HandshakeOptions
  #step: Step
  /** Has the other side been shown that this one knows the cookie? */
  hasReplied = false

  private constructor(options: HandshakeOptions, step: (handshake: Handshake) => Step) {
    this.#options = options
    this.#step = step(this)
  }

  /** Greets another node, of which the full name is known. */
  static open(options: HandshakeOptions, peer: string): Handshake {
    const handshake = new Handshake(options, (self) => (message) => self.#status(message, peer))
    options.send(encodeName(handshake.#own))
    return handshake
  }

  /** Waits for another node to greet; `judge` says what it is told. */
  static accept(options: HandshakeOptions, judge: (name: string) => Status | Unwelcome): Handshake {
    return new Handshake(options, (self) => (message) => self.#greeted(message, judge))
  }

  /** Takes the next message; answers why the handshake has failed, or null if it goes on. */
  take(message: Uint8Array): string | null {
    return this.#step(message)
  }

  get #own(): Greeting {
    const { name, creation } = this.#options
    return { name, creation, flags: OWN_FLAGS }
  }

  #status(message: Uint8Array, peer: string): string | null {
    const status = decodeStatus(message)
    if (status === 'nok') return CONNECTS_ITSELF
    if (status === 'not_allowed') return 'it does not allow this node (net_kernel:allow/1)'
    // It has not noticed yet that an earlier connection is dead: it shall drop that one.
    if (status === 'alive') this.#options.send(encodeStatus('true'))
    else if (status !== 'ok' && status !== 'ok_simultaneous') return NOT_EXPECTED
    this.#step = (next) => this.#challenged(next, peer)
    return null
  }

  #challenged(message: Uint8Array, peer: string): string | null {
    const greeting = decodeChallenge(message)
    if (greeting === 'old') return TOO_OLD
    if (greeting === undefined) return NOT_EXPECTED
    if (greeting.name !== peer) return 'it has another name'
    if (!areEnough(greeting.flags)) return TOO_OLD
    const { challenge, cookie, send } = this.#options
    send(encodeReply(challenge, digestOf(cookie, greeting.challenge)))
    this.hasReplied = true
    this.#step = (next) => this.#acknowledged(next, greeting)
    return null
  }

  #acknowledged(message: Uint8Array, peer: Challenge): string | null {
    const digest = decodeAck(message)
    const { cookie, challenge, onDone } = this.#options
    if (digest === undefined) return NOT_EXPECTED
    if (!isDigest(digest, cookie, challenge)) return WRONG_COOKIE
    onDone(peer)
    return null
  }

  #greeted(message: Uint8Array, judge: (name: string) => Status | Unwelcome): string | null {
    const peer = decodeName(message)
    if (peer === 'old') return TOO_OLD
    // What is no name must not get into a log.
    if (peer === undefined || parseNodeName(peer.name) === undefined) return NOT_EXPECTED
    if (!areEnough(peer.flags)) return TOO_OLD
    const status = judge(peer.name)
    if (typeof status === 'object') {
      this.#options.send(encodeStatus('not_allowed'))
      return status.why
    }
    this.#options.send(encodeStatus(status))
    if (status === 'nok') return 'this node is about to connect to it'
    if (status === 'alive') this.#step = (next) => this.#insisted(next, peer)
    else this.#challenge(peer)
    return null
  }

  /** A node that seems to be connected says whether it is to be believed that it is not. */
  #insisted(message: Uint8Array, peer: Greeting): string | null {
    const status = decodeStatus(message)
    if (status === 'false') return 'it is connected already'
    if (status !== 'true') return NOT_EXPECTED
    this.#challenge(peer)
    return null
  }

  #challenge(peer: Greeting): void {
    const { challenge, send } = this.#options
    send(encodeChallenge({ ...this.#own, challenge }))
    this.#step = (message) => this.#replied(message, peer)
  }

  #replied(message: Uint8Array, peer: Greeting): string | null {
    const reply = decodeReply(message)
    const { cookie, challenge, send, onDone } = this.#options
    if (reply === undefined) return NOT_EXPECTED
    if (!isDigest(reply.digest, cookie, challenge)) return WRONG_COOKIE
    send(encodeAck(digestOf(cookie, reply.challenge)))
    onDone(peer)
    return null
  }
}
