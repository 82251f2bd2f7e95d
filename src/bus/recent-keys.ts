// The keys of the messages that were read last. If Redis loses everything, they are restored, so
// that none of these messages is sent twice.

import type { Cursor } from '../core/cursor.ts'
import { keyLimits } from '../core/history-limits.ts'
import { Queue } from '../core/queue.ts'
import type { LogMessage } from '../log/message-log.ts'
import { keyOf } from './condition.ts'
import { idText } from './stream-entry.ts'

/** Seconds for which a key is valid. */
const KEPT_SECONDS = Math.ceil(keyLimits.keptMs / 1_000)

interface RecentKey {
  readonly hash: string
  readonly content: string
  readonly at: Cursor
  /** When its message was added, by the clock of Redis. */
  readonly seconds: number
}

export class RecentKeys {
  #keys = new Queue<RecentKey>()
  readonly #keysMax: number
  /** All keys since this second are known. */
  #sinceSeconds = Number.POSITIVE_INFINITY

  constructor(keysMax: number) {
    this.#keysMax = keysMax
  }

  /** One line "<hash> <seconds> <value>" for each key, the oldest first. */
  get lines(): string {
    const keys = Array.from({ length: this.#keys.length }, (_, at) => this.#keys.at(at))
    return keys
      .filter((key) => key !== undefined)
      .map(({ hash, seconds, at, content }) => {
        // Without its origin and batch: the message is in the log, so they are not needed.
        return `${hash} ${seconds} - 0 ${idText(at)} ${content}\n`
      })
      .join('')
  }

  /** The second since which all keys are known; `all` if none was missed, `none` if all may be. */
  get since(): string {
    if (this.#sinceSeconds === Number.NEGATIVE_INFINITY) return 'all'
    return this.#sinceSeconds === Number.POSITIVE_INFINITY ? 'none' : String(this.#sinceSeconds)
  }

  /** Called for each entry that is read. Hot path: once a batch. */
  onEntry(seconds: number): void {
    if (this.#sinceSeconds === Number.POSITIVE_INFINITY) this.#sinceSeconds = seconds
  }

  push(message: LogMessage, key: string, at: Cursor, seconds: number): void {
    this.#keys.push({ ...keyOf(message, key), at, seconds })
    for (let oldest = this.#keys.at(0); oldest !== undefined; oldest = this.#keys.at(0)) {
      const isOver = oldest.seconds < seconds - KEPT_SECONDS
      if (!isOver && this.#keys.length <= this.#keysMax) return
      if (!isOver) this.#sinceSeconds = Math.max(this.#sinceSeconds, oldest.seconds + 1)
      this.#keys.shift()
    }
  }

  /** Forgets the keys of entries after this number, which the log has lost. */
  truncate(number: number): void {
    const keys = new Queue<RecentKey>()
    for (let key = this.#keys.shift(); key !== undefined; key = this.#keys.shift()) {
      if (key.at.number <= number) keys.push(key)
    }
    this.#keys = keys
  }

  /** Called when entries could not be read here. */
  onGap(): void {
    this.#sinceSeconds = Number.POSITIVE_INFINITY
  }

  /** Called when all nodes have told a gap, or there was no log before: no earlier key counts. */
  onNewStart(): void {
    this.#sinceSeconds = Number.NEGATIVE_INFINITY
  }

  /** Called when the log continued on another branch: it may not have the messages known here. */
  clear(): void {
    this.#keys = new Queue()
    this.onGap()
  }
}
