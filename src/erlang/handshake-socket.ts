// A socket on which two nodes get to know each other: cuts the messages of the handshake, bounds its
// time, and hands the socket over when it is done. What the messages say is in handshake.ts.

import { ByteBuffer } from '../core/bytes.ts'
import { erlangLimits } from '../core/limits.ts'
import type { Handshake } from './handshake.ts'
import type { Greeting } from './handshake-messages.ts'
import { NOBODY, type OwnedSocket } from './socket.ts'

const LENGTH_BYTES = 2

export interface IntroductionOptions {
  readonly socket: OwnedSocket
  /** Begins the handshake, with where its messages go and who is told that it is done. */
  readonly begin: (
    send: (message: Uint8Array) => void,
    onDone: (peer: Greeting) => void,
  ) => Handshake
  /** @param rest what the node has sent behind the handshake */
  readonly onDone: (peer: Greeting, rest: Uint8Array) => void
  readonly onFailed: (why: string) => void
}

/** Takes the socket over, and either hands it on or has closed it. */
export class Introduction {
  readonly #options: IntroductionOptions
  readonly #handshake: Handshake
  readonly #held = new ByteBuffer()
  readonly #timer: Timer
  #peer: Greeting | null = null
  #isOver = false

  constructor(options: IntroductionOptions) {
    this.#options = options
    const { socket, begin } = options
    socket.data.owner = {
      data: (bytes) => this.#data(bytes),
      drained: () => undefined,
      closed: () => this.fail(this.#whyClosed),
    }
    this.#timer = setTimeout(
      () => this.fail('it does not finish the handshake'),
      erlangLimits.handshakeMsMax,
    )
    this.#handshake = begin(
      (message) => this.#send(message),
      (peer) => {
        this.#peer = peer
      },
    )
  }

  /** Ends it; tells why, unless it is over. */
  fail(why: string): void {
    if (this.#isOver) return
    this.#close()
    this.#options.socket.data.owner = NOBODY
    this.#options.socket.end()
    this.#options.onFailed(why)
  }

  /** A node that is answered with another cookie's digest hangs up without a word. */
  get #whyClosed(): string {
    return this.#handshake.hasReplied
      ? 'it has closed the connection, as for a wrong cookie'
      : 'it has closed the connection'
  }

  #data(bytes: Uint8Array): void {
    this.#held.append(bytes)
    while (!this.#isOver) {
      const held = this.#held.view()
      if (held.length < LENGTH_BYTES) return
      const end = LENGTH_BYTES + (((held[0] as number) << 8) | (held[1] as number))
      if (end === LENGTH_BYTES || end > erlangLimits.handshakeBytesMax) {
        this.fail('it does not speak as a node does')
        return
      }
      if (held.length < end) return
      const rest = held.slice(end)
      const why = this.#handshake.take(held.slice(LENGTH_BYTES, end))
      if (why !== null) this.fail(why)
      else if (this.#peer !== null) this.#done(this.#peer, rest)
      this.#held.clear()
      this.#held.append(rest)
    }
  }

  #done(peer: Greeting, rest: Uint8Array): void {
    this.#close()
    this.#options.onDone(peer, rest)
  }

  #close(): void {
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
