// The keys of the messages that were read last: a Redis that has lost everything gets them back, so
// that none of these messages goes out twice.

import type { Cursor } from '../core/cursor.ts'
import { keyLimits } from '../core/history-limits.ts'
import { Queue } from '../core/queue.ts'
import type { LogMessage } from '../log/message-log.ts'
import { keyOf } from './condition.ts'
import { idText } from './stream-entry.ts'

/** Seconds that a key counts. */
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
  /** From which second on all are known. */
  #sinceSeconds = Number.POSITIVE_INFINITY

  constructor(keysMax: number) {
    this.#keysMax = keysMax
  }

  /** Each one as a line of "<hash> <seconds> <value>", the oldest first. */
  get lines(): string {
    const keys = Array.from({ length: this.#keys.length }, (_, at) => this.#keys.at(at))
    return keys
      .filter((key) => key !== undefined)
      .map(({ hash, seconds, at, content }) => {
        // Whose it was need not be known: it is in the log.
        return `${hash} ${seconds} - 0 ${idText(at)} ${content}\n`
      })
      .join('')
  }

  /** From which second on all are known, as text; `all` if none was ever missed, or `none`. */
  get since(): string {
    if (this.#sinceSeconds === Number.NEGATIVE_INFINITY) return 'all'
    return this.#sinceSeconds === Number.POSITIVE_INFINITY ? 'none' : String(this.#sinceSeconds)
  }

  /** An entry was read. Hot path: once a batch. */
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

  /** What came behind this number is not in the log any more. */
  truncate(number: number): void {
    const keys = new Queue<RecentKey>()
    for (let key = this.#keys.shift(); key !== undefined; key = this.#keys.shift()) {
      if (key.at.number <= number) keys.push(key)
    }
    this.#keys = keys
  }

  /** Entries were not read here. */
  onGap(): void {
    this.#sinceSeconds = Number.POSITIVE_INFINITY
  }

  /** All nodes have told their streams of a gap, or there was no log before. */
  onNewStart(): void {
    this.#sinceSeconds = Number.NEGATIVE_INFINITY
  }

  /** The log has gone another way: those that are known may not be in it. */
  clear(): void {
    this.#keys = new Queue()
    this.onGap()
  }
}
