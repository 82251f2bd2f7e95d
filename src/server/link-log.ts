// Logs the connection to Redis: once when it is lost, and once when it is back.

import type { LinkState } from '../bus/redis-link.ts'
import type { Clock } from '../core/clock.ts'
import type { Log } from '../core/log.ts'
import { type RedisAddress, redisName } from '../core/redis-address.ts'

export interface LinkLogOptions {
  readonly address: RedisAddress
  readonly log: Log
  readonly clock: Clock
  /** Milliseconds that a connection has to last to count as steady. */
  readonly steadyMs: number
}

/**
 * A Redis that is full takes connections and refuses messages, so that each connection ends soon,
 * for hours. Behind one that did not last, the next is told of only once it has lasted.
 */
export class LinkLog {
  readonly #options: LinkLogOptions
  readonly #name: string
  /** Before, nothing is logged: a failed start reports its reason itself. */
  #isStarted = false
  /** When Redis was last connected. A short first connection counts like later ones. */
  #connectedMs = Number.NEGATIVE_INFINITY
  /** Did the one before not last? */
  #isUnsteady = false
  /** Until the connection counts as steady; null if it was told of, or there is none. */
  #timer: Timer | null = null

  constructor(options: LinkLogOptions) {
    this.#options = options
    this.#name = redisName(options.address)
  }

  onStarted(): void {
    this.#isStarted = true
    this.#options.log.info('bus_connected', `Connected to ${this.#name}.`)
  }

  onChange({ isConnected, why }: LinkState): void {
    if (!this.#isStarted) return
    if (isConnected) this.#onConnected()
    else this.#onLost(why ?? 'the connection ended.')
  }

  /** Says nothing more. */
  close(): void {
    this.#isStarted = false
    this.#clear()
  }

  #onConnected(): void {
    const { clock, steadyMs } = this.#options
    this.#connectedMs = clock.elapsedMs()
    this.#clear()
    if (this.#isUnsteady) this.#timer = setTimeout(() => this.#tellConnected(), steadyMs)
    else this.#tellConnected()
  }

  #tellConnected(): void {
    this.#timer = null
    this.#isUnsteady = false
    this.#options.log.info('bus_connected', `Connected to ${this.#name} again.`)
  }

  #onLost(why: string): void {
    const { clock, steadyMs, log } = this.#options
    const wasTold = this.#timer === null
    this.#clear()
    this.#isUnsteady = clock.elapsedMs() - this.#connectedMs < steadyMs
    if (!wasTold) return
    const text = 'Streams stay open, and messages wait in the queue.'
    log.warn('bus_lost', `Lost ${this.#name}: ${why} ${text}`)
  }

  #clear(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }
}
