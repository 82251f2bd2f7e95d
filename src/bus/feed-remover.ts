// Removes the connections of nodes that have ended from the shared feed: as soon as a node has
// left, and at intervals those that no node has removed. One node at a time does it for each.

import type { SharedFeedLimits } from '../core/feed-limits.ts'
import type { BusKeys } from './bus-keys.ts'
import type { FeedScripts } from './feed-scripts.ts'
import type { RedisCommands } from './redis-commands.ts'
import { isOrigin } from './stream-entry.ts'

export interface FeedRemoverOptions {
  readonly redis: RedisCommands & { readonly isReady: boolean }
  readonly scripts: FeedScripts
  readonly keys: BusKeys
  readonly origin: string
  readonly isMember: (origin: string) => boolean
  /** The epoch of the feed; 0 before it is known. */
  readonly epoch: () => number
  readonly limits: SharedFeedLimits
  /** Milliseconds after Redis is back in which the other nodes may reconnect. */
  readonly judgeAfterMs: number
  readonly elapsedMs: () => number
}

export class FeedRemover {
  /** Nodes whose connections it has removed. */
  removed = 0
  readonly #options: FeedRemoverOptions
  /** Nodes whose connections are being removed. */
  readonly #underWay = new Set<string>()
  readonly #timer: Timer
  #readySinceMs: number
  #isStopped = false

  constructor(options: FeedRemoverOptions) {
    this.#options = options
    this.#readySinceMs = options.elapsedMs()
    this.#timer = setInterval(() => void this.#look(), options.limits.forgottenEveryMs)
  }

  onReady(): void {
    this.#readySinceMs = this.#options.elapsedMs()
  }

  /** Called when a node has left: it has stopped, or was declared dead. */
  onLeave(origin: string): void {
    void this.#remove(origin)
  }

  stop(): void {
    this.#isStopped = true
    clearInterval(this.#timer)
  }

  /** Looks for connections that are left: the node that removed them may have ended, too. */
  async #look(): Promise<void> {
    const { redis, keys, isMember, judgeAfterMs, elapsedMs, origin: own } = this.#options
    if (!redis.isReady || elapsedMs() - this.#readySinceMs < judgeAfterMs) return
    const answer = await redis.send('HGETALL', [keys.feedNodes])
    if (!answer.ok) return
    for (const origin of originsIn(answer.value)) {
      if (origin !== own && !isMember(origin)) void this.#remove(origin)
    }
  }

  async #remove(origin: string): Promise<void> {
    const { scripts, redis, epoch, origin: by } = this.#options
    if (this.#underWay.has(origin)) return
    this.#underWay.add(origin)
    let place: string | null = ''
    while (place !== null && redis.isReady && !this.#isStopped) {
      const answer = await scripts.remove({ epoch: epoch(), origin, by }, place)
      // After any failure, the next look tries again.
      place = answer.ok && typeof answer.value === 'object' ? answer.value.next : null
      if (answer.ok && answer.value === 'done') this.removed++
    }
    this.#underWay.delete(origin)
  }
}

/** The origins in an answer to `HGETALL`, in either version of the protocol. */
export function originsIn(answer: unknown): string[] {
  const fields = Array.isArray(answer)
    ? answer.filter((_, at) => at % 2 === 0)
    : Object.keys(typeof answer === 'object' && answer !== null ? answer : {})
  return fields.filter(isOrigin)
}
