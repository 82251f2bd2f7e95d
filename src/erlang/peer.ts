// The node that comet was told to be connected to: connects to it, and again with growing delay when
// that fails or ends. It is content if the node has connected by itself.

import type { Clock } from '../core/clock.ts'
import { findPort } from './epmd.ts'
import { CONNECTS_ITSELF } from './handshake.ts'
import type { NodeLog } from './log.ts'
import type { NodeName } from './node-name.ts'
import { Retry } from './retry.ts'
import { dial, type OwnedSocket } from './socket.ts'

export type PeerState = 'connecting' | 'connected' | 'waiting'

/** A handshake that comet has begun; it can be given up. */
export interface Opening {
  fail(why: string): void
}

export interface PeerOptions {
  readonly name: NodeName
  readonly mapperPort: number
  readonly clock: Clock
  readonly log: NodeLog
  /** Why it is not to be connected with now; null if nothing is in the way. */
  readonly hindrance: () => string | null
  /** Begins the handshake; a node that gets through it is `connected`. */
  readonly open: (socket: OwnedSocket, onFailed: (why: string) => void) => Opening
}

export class Peer {
  readonly name: NodeName
  state: PeerState = 'connecting'
  /** Why it is not connected; null if it is, or if it was not tried yet. */
  why: string | null = null

  readonly #options: PeerOptions
  readonly #retry = new Retry(() => this.connect())
  #opening: Opening | null = null
  #connectedMs = 0
  /** What the log was told last. */
  #told: string | null = null
  /** Connections and tries so far: one that is out of date does not count any more. */
  #turn = 0

  constructor(options: PeerOptions) {
    this.#options = options
    this.name = options.name
  }

  /** Has comet a handshake under way with it? */
  get isOpening(): boolean {
    return this.#opening !== null
  }

  async connect(): Promise<void> {
    const { name, mapperPort, open } = this.#options
    // It may have connected by itself meanwhile, and a stopped server connects with nobody.
    if (this.state === 'connected' || this.#retry.isStopped) return
    this.state = 'connecting'
    const turn = ++this.#turn
    const hindrance = this.#options.hindrance()
    if (hindrance !== null) {
      this.#failed(hindrance)
      return
    }
    const found = await findPort(name, mapperPort)
    if (turn !== this.#turn) return
    if ('why' in found) return this.#failed(found.why)
    const dialled = await dial(name.host, found.port)
    const failed = (why: string) => turn === this.#turn && this.#failed(why)
    if ('why' in dialled) failed(`port ${found.port}: ${dialled.why}`)
    else if (turn === this.#turn) this.#opening = open(dialled.socket, failed)
    else dialled.socket.end()
  }

  /** The node is connected, whichever side began. */
  connected(): void {
    this.#turn++
    this.#retry.cancel()
    this.#opening = null
    this.state = 'connected'
    this.why = null
    this.#told = null
    this.#connectedMs = this.#options.clock.elapsedMs()
  }

  /** The connection has ended; answers in how many milliseconds it is tried again, if it is. */
  ended(why: string): number | null {
    this.why = why
    const delayMs = this.#later(this.#options.clock.elapsedMs() - this.#connectedMs)
    return this.#retry.isStopped ? null : delayMs
  }

  /** There is no connection this time. */
  #failed(why: string): void {
    this.#opening = null
    // One that says so connects in a moment, most likely; one that says it again has not.
    const isPromise = why === CONNECTS_ITSELF && this.why !== why
    this.why = why
    const delayMs = this.#later(0)
    if (isPromise || this.#told === why) return
    this.#told = why
    const again = `; it is tried again, in ${delayMs} ms at first`
    this.#options.log.warn(
      'erlang_unreachable',
      `There is no connection with ${this.name.full}: ${why}${again}.`,
      { node: this.name.full },
    )
  }

  /** Gives up for good; a connection that is there is its owner's. */
  stop(): void {
    this.#turn++
    this.#retry.stop()
    this.#opening?.fail('the server is stopping')
  }

  #later(livedMs: number): number {
    this.state = 'waiting'
    return this.#retry.later(livedMs)
  }
}
