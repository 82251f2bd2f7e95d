// One side of a handshake without a socket: what it has sent, what it made of what it was given, and
// two such sides that talk until neither has anything to say.

import { OWN_FLAGS } from './flags.ts'
import { Handshake, type HandshakeOptions, type Status, type Unwelcome } from './handshake.ts'
import type { Greeting } from './handshake-messages.ts'
import { COOKIE, NODE_A, NODE_B } from './recorded.fixture.ts'

export const CHALLENGE_OF_A = 0x90e67920
export const CHALLENGE_OF_B = 0xa21fbe04

/** A node with the flags that a current Erlang has. */
export const GREETING_OF_A: Greeting = { name: NODE_A, creation: 0xe389ab61, flags: OWN_FLAGS }
export const GREETING_OF_B: Greeting = { name: NODE_B, creation: 0xe389ab62, flags: OWN_FLAGS }

export class Side {
  /** What it has sent and nobody has taken. */
  readonly unread: Uint8Array[] = []
  readonly sent: Uint8Array[] = []
  /** Whom it knows now. */
  readonly done: Greeting[] = []
  /** The names that it was asked to judge. */
  readonly judged: string[] = []
  /** Why it has failed; null as long as it has not. */
  why: string | null = null
  readonly handshake: Handshake

  private constructor(begin: (side: Side) => Handshake) {
    this.handshake = begin(this)
  }

  /** Node A as it was recorded, which connects to a node. */
  static opening({ to = NODE_B, ...options }: Partial<HandshakeOptions> & { to?: string } = {}) {
    const own = { ...GREETING_OF_A, challenge: CHALLENGE_OF_A, cookie: COOKIE }
    return new Side((side) => Handshake.open({ ...own, ...side.#ears, ...options }, to))
  }

  /** Node B as it was recorded, which is connected to. */
  static accepting({
    says = 'ok',
    ...options
  }: Partial<HandshakeOptions> & { says?: Status | Unwelcome } = {}) {
    const own = { ...GREETING_OF_B, challenge: CHALLENGE_OF_B, cookie: COOKIE }
    return new Side((side) => {
      const judge = (name: string) => {
        side.judged.push(name)
        return says
      }
      return Handshake.accept({ ...own, ...side.#ears, ...options }, judge)
    })
  }

  get #ears(): Pick<HandshakeOptions, 'send' | 'onDone'> {
    return {
      send: (message) => {
        this.sent.push(message)
        this.unread.push(message)
      },
      onDone: (peer) => this.done.push(peer),
    }
  }

  /** Gives it a message, unless it has failed. */
  take(message: Uint8Array): this {
    if (this.why === null) this.why = this.handshake.take(message)
    return this
  }
}

/** Lets two sides talk until nothing is left to be read. */
export function talk(one: Side, other: Side): void {
  for (let isSilent = false; !isSilent; ) {
    isSilent = true
    for (const [from, to] of [
      [one, other],
      [other, one],
    ] as const) {
      const message = from.unread.shift()
      if (message === undefined) continue
      to.take(message)
      isSilent = false
    }
  }
}
