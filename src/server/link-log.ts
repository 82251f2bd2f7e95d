// Logs the connection to Redis: once when it is lost, and once when it is back.

import type { LinkState } from '../bus/redis-link.ts'
import type { Log } from '../core/log.ts'
import { type RedisAddress, redisName } from '../core/redis-address.ts'

export class LinkLog {
  readonly #name: string
  readonly #log: Log
  /** Before, nothing is logged: a failed start reports its reason itself. */
  #isStarted = false

  constructor(address: RedisAddress, log: Log) {
    this.#name = redisName(address)
    this.#log = log
  }

  onStarted(): void {
    this.#isStarted = true
    this.#log.info('bus_connected', `Connected to ${this.#name}.`)
  }

  onChange({ isConnected, why }: LinkState): void {
    if (!this.#isStarted) return
    if (isConnected) {
      this.#log.info('bus_connected', `Connected to ${this.#name} again.`)
    } else {
      const text =
        `Lost ${this.#name}: ${why ?? 'the connection ended.'} Streams stay open, and messages ` +
        'wait in the queue.'
      this.#log.warn('bus_lost', text)
    }
  }
}
