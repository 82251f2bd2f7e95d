// What the log says of the connection with Redis: once that it was lost, and once that it is back.

import type { LinkState } from '../bus/redis-link.ts'
import type { Log } from '../core/log.ts'
import { type RedisAddress, redisName } from '../core/redis-address.ts'

export class LinkLog {
  readonly #name: string
  readonly #log: Log
  /** A start that fails says why itself. */
  #isStarted = false

  constructor(address: RedisAddress, log: Log) {
    this.#name = redisName(address)
    this.#log = log
  }

  onStarted(): void {
    this.#isStarted = true
    this.#log.info('bus_connected', `Connected with ${this.#name}.`)
  }

  onChange({ isConnected, why }: LinkState): void {
    if (!this.#isStarted) return
    if (isConnected) {
      this.#log.info('bus_connected', `Connected with ${this.#name} again.`)
    } else {
      const text =
        `${this.#name} is lost: ${why ?? 'the connection ended'} Streams stay open, and messages ` +
        'wait for it.'
      this.#log.warn('bus_lost', text)
    }
  }
}
