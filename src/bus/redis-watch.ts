// Reads the `INFO` of Redis at an interval during a session, for figures such as its memory.

import { INFO_SECTIONS, parseInfo, type RedisInfo } from './redis-info.ts'
import type { RedisSession } from './redis-link.ts'

export class RedisWatch {
  readonly #connections: Pick<RedisSession, 'writer'>
  readonly #timer: Timer
  #info: RedisInfo

  /** Begins with the `INFO` of when the session was opened. */
  constructor(connections: Pick<RedisSession, 'writer' | 'info'>, everyMs: number) {
    this.#connections = connections
    this.#info = connections.info
    this.#timer = setInterval(() => void this.#ask(), everyMs)
  }

  /** The last `INFO`, also after the session has ended. */
  get info(): RedisInfo {
    return this.#info
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** Keeps the last one if there is no answer. A lost connection is handled by the session. */
  async #ask(): Promise<void> {
    const answer = await this.#connections.writer.send('INFO', INFO_SECTIONS)
    const info = answer.ok ? parseInfo(answer.value) : null
    if (info?.ok === true) this.#info = info.value
  }
}
