// Keeps this node registered at the port mapper of its host, so that other nodes find it: again with
// growing delay while that fails, and when the port mapper was started anew.

import type { Clock } from '../core/clock.ts'
import { NAME_TAKEN, register } from './epmd.ts'
import type { NodeLog } from './log.ts'
import { Retry } from './retry.ts'
import type { OwnedSocket } from './socket.ts'

export interface RegistrationOptions {
  readonly alive: string
  readonly port: number
  readonly mapperPort: number
  readonly clock: Clock
  readonly log: NodeLog
}

export class Registration {
  readonly #options: RegistrationOptions
  readonly #retry = new Retry(() => this.start())
  /** It is registered for as long as this is open. */
  #socket: OwnedSocket | null = null
  /** What the log was told last. */
  #told: string | null = null

  constructor(options: RegistrationOptions) {
    this.#options = options
  }

  get isRegistered(): boolean {
    return this.#socket !== null
  }

  /** Has another node the name? */
  get isTaken(): boolean {
    return this.#told === NAME_TAKEN
  }

  async start(): Promise<void> {
    const { alive, port, mapperPort, clock, log } = this.#options
    const result = await register(alive, port, mapperPort)
    if ('why' in result) return this.#failed(result.why, 0)
    if (this.#retry.isStopped) {
      result.socket.end()
      return
    }
    const sinceMs = clock.elapsedMs()
    this.#socket = result.socket
    result.socket.data.owner = {
      data: () => undefined,
      drained: () => undefined,
      closed: () => {
        this.#socket = null
        this.#failed('the port mapper (epmd) has ended', clock.elapsedMs() - sinceMs)
      },
    }
    this.#told = null
    log.info('erlang_registered', `Erlang nodes find ${alive} at port ${port}.`, { port })
  }

  stop(): void {
    this.#retry.stop()
    this.#socket?.end()
  }

  #failed(why: string, livedMs: number): void {
    if (this.#retry.isStopped) return
    this.#retry.later(livedMs)
    if (this.#told === why) return
    this.#told = why
    const { alive, log } = this.#options
    log.warn('erlang_unregistered', `Erlang nodes do not find ${alive}: ${why}; it is tried again.`)
  }
}
