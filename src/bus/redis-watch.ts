// Asks Redis now and then what it is, while there is a session: how much memory it uses, and
// whether it keeps its commands in a file.

import { INFO_SECTIONS, parseInfo, type RedisInfo } from './redis-info.ts'
import type { RedisSession } from './redis-link.ts'

export class RedisWatch {
  readonly #connections: Pick<RedisSession, 'writer'>
  readonly #timer: Timer
  #info: RedisInfo

  /** Begins with what it said when the session was opened. */
  constructor(connections: Pick<RedisSession, 'writer' | 'info'>, everyMs: number) {
    this.#connections = connections
    this.#info = connections.info
    this.#timer = setInterval(() => void this.#ask(), everyMs)
  }

  /** What it said last, also after the session has ended. */
  get info(): RedisInfo {
    return this.#info
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** Without an answer it is as it was. If the connection is lost, that is noticed elsewhere. */
  async #ask(): Promise<void> {
    const answer = await this.#connections.writer.send('INFO', INFO_SECTIONS)
    const info = answer.ok ? parseInfo(answer.value) : null
    if (info?.ok === true) this.#info = info.value
  }
}
