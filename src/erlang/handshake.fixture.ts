// One side of a handshake without a socket, and two such sides that exchange messages.

import { success } from '../core/result.ts'
import { Handshake, type HandshakeOptions, type Status } from './handshake.ts'
import { type NodeIdentity, OWN_FLAGS } from './handshake-messages.ts'
import { COOKIE, NODE_A, NODE_B } from './recorded.fixture.ts'

export const CHALLENGE_OF_A = 0x90e67920
export const CHALLENGE_OF_B = 0xa21fbe04

/** The recorded nodes, with the flags of comet. */
export const IDENTITY_OF_A: NodeIdentity = { name: NODE_A, creation: 0xe389ab61, flags: OWN_FLAGS }
export const IDENTITY_OF_B: NodeIdentity = { name: NODE_B, creation: 0xe389ab62, flags: OWN_FLAGS }

export class Side {
  readonly sent: Uint8Array[] = []
  /** Messages sent that the other side has not taken. */
  readonly unread: Uint8Array[] = []
  /** The names that were judged. */
  readonly judged: string[] = []
  /** Why the handshake has failed; null if it has not. */
  why: string | null = null
  readonly handshake: Handshake

  private constructor(begin: (side: Side) => Handshake) {
    this.handshake = begin(this)
  }

  /** Node A of the recording, which connects. */
  static opening({ to = NODE_B, ...options }: Partial<HandshakeOptions> & { to?: string } = {}) {
    const own = { ...IDENTITY_OF_A, challenge: CHALLENGE_OF_A, cookie: COOKIE }
    return new Side((side) => Handshake.open({ ...own, send: side.#send, ...options }, to))
  }

  /** Node B of the recording, which is connected to. */
  static accepting({
    says = 'ok',
    ...options
  }: Partial<HandshakeOptions> & { says?: Status | { ok: false; why: string } } = {}) {
    const own = { ...IDENTITY_OF_B, challenge: CHALLENGE_OF_B, cookie: COOKIE }
    return new Side((side) =>
      Handshake.accept({ ...own, send: side.#send, ...options }, (name) => {
        side.judged.push(name)
        return typeof says === 'string' ? success(says) : says
      }),
    )
  }

  readonly #send = (message: Uint8Array): void => {
    this.sent.push(message)
    this.unread.push(message)
  }

  get peer(): NodeIdentity | null {
    return this.handshake.peer
  }

  /** Passes a message in, unless the handshake has failed. */
  take(message: Uint8Array): this {
    if (this.why !== null) return this
    const taken = this.handshake.take(message)
    if (!taken.ok) this.why = taken.why
    return this
  }
}

/** Exchanges messages until there are none. */
export function exchange(one: Side, other: Side): void {
  while (one.unread.length + other.unread.length > 0) {
    for (const message of one.unread.splice(0)) other.take(message)
    for (const message of other.unread.splice(0)) one.take(message)
  }
}
