// The node that comet is configured to connect to: connects, and again with growing delay when that
// fails or the connection closes. The node may also connect itself.

import type { Clock } from '../core/clock.ts'
import { erlangLimits } from '../core/limits.ts'
import type { Log } from '../core/log.ts'
import type { Result } from '../core/result.ts'
import { Retry } from '../core/retry.ts'
import type { ErlangNodeName } from '../hub/settings.ts'
import { findPort } from './epmd.ts'
import { CONNECTS_ITSELF } from './handshake.ts'
import { connect, type NodeSocket } from './socket.ts'

export interface PeerOptions {
  readonly name: ErlangNodeName
  readonly epmdPort: number
  readonly clock: Clock
  readonly log: Pick<Log, 'warn'>
  readonly mayConnect: () => Result<void>
  /** Opens a handshake, which can be aborted. The owner calls `connected` when it succeeds. */
  readonly open: (
    socket: NodeSocket,
    onFailed: (why: string) => void,
  ) => { fail(why: string): void }
}

export class Peer {
  readonly name: ErlangNodeName
  state: 'connecting' | 'connected' | 'waiting' = 'connecting'
  /** Why it is not connected; null if it is, or before the first attempt ends. */
  why: string | null = null

  readonly #options: PeerOptions
  readonly #retry = new Retry(() => this.connect(), erlangLimits.retry)
  #handshake: ReturnType<PeerOptions['open']> | null = null
  #connectedMs = 0
  /** The failure that was logged last. */
  #logged: string | null = null
  /** Counts attempts and connections, to recognize results of an outdated attempt. */
  #attempt = 0

  constructor(options: PeerOptions) {
    this.#options = options
    this.name = options.name
  }

  /** Whether comet has opened a handshake that is not over. */
  get isOpening(): boolean {
    return this.#handshake !== null
  }

  async connect(): Promise<void> {
    const { name, epmdPort, mayConnect, open } = this.#options
    // The node may have connected meanwhile, or the server may be stopping.
    if (this.state === 'connected' || this.#retry.isStopped) return
    this.state = 'connecting'
    const attempt = ++this.#attempt
    const allowed = mayConnect()
    if (!allowed.ok) return this.#failed(allowed.why)
    const port = await findPort(name, epmdPort)
    if (attempt !== this.#attempt) return
    if (!port.ok) return this.#failed(port.why)
    const connected = await connect(name.host, port.value)
    const failed = (why: string) => attempt === this.#attempt && this.#failed(why)
    if (!connected.ok) failed(`port ${port.value}: ${connected.why}`)
    else if (attempt === this.#attempt) this.#handshake = open(connected.value, failed)
    else connected.value.end()
  }

  /** Called when the node is connected, whichever side connected. */
  connected(): void {
    this.#attempt++
    this.#retry.cancel()
    this.#handshake = null
    this.state = 'connected'
    this.why = null
    this.#logged = null
    this.#connectedMs = this.#options.clock.elapsedMs()
  }

  /** Called when the connection is closed. Returns the milliseconds until the next attempt,
   * if any. */
  disconnected(why: string): number | null {
    this.why = why
    return this.#retryLater(this.#options.clock.elapsedMs() - this.#connectedMs)
  }

  #failed(why: string): void {
    this.#handshake = null
    // A node that is about to connect itself is worth a log line only if it has not by the next
    // attempt.
    const isExpected = why === CONNECTS_ITSELF && this.why !== why
    this.why = why
    const delayMs = this.#retryLater(0)
    if (isExpected || this.#logged === why) return
    this.#logged = why
    const { full } = this.name
    const text = `Cannot connect to ${full}: ${why}; retrying, first in ${delayMs} ms.`
    this.#options.log.warn('erlang_unreachable', text, { node: full })
  }

  /** Ends all attempts. An established connection stays open. */
  stop(): void {
    this.#attempt++
    this.#retry.stop()
    this.#handshake?.fail('the server is stopping')
  }

  #retryLater(lifetimeMs: number): number | null {
    this.state = 'waiting'
    return this.#retry.later(lifetimeMs)
  }
}
