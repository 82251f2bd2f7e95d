// The shared feed on one node: sends the events of its own connections, removes those of nodes that
// have ended, and serves its readers.

import { type NodeLimits, nodeLimits, type RedisLimits, redisLimits } from '../core/bus-limits.ts'
import type { Clock } from '../core/clock.ts'
import type { Cursor } from '../core/cursor.ts'
import { type SharedFeedLimits, sharedFeedLimits } from '../core/feed-limits.ts'
import type { RedisAddress } from '../core/redis-address.ts'
import type { Subject } from '../core/user.ts'
import type { PresentConnections } from '../log/feed-source.ts'
import { busKeys } from './bus-keys.ts'
import type { FeedNode } from './feed-entry.ts'
import { FeedRemover } from './feed-remover.ts'
import { FeedScripts } from './feed-scripts.ts'
import { FeedSender, type FeedSenderFigures, type FeedSenderOptions } from './feed-sender.ts'
import type { RedisBus } from './redis-bus.ts'
import { SharedFeed } from './shared-feed.ts'

export interface FeedSharingOptions {
  readonly bus: Pick<RedisBus, 'send' | 'isReady' | 'members' | 'origin'>
  readonly address: RedisAddress
  readonly prefix: string
  readonly node: FeedNode
  /** The feed of this node, and its open connections. */
  readonly feed: FeedSenderOptions['feed']
  readonly present: PresentConnections
  readonly isOnline: (user: Subject) => Promise<boolean>
  /** About how many bytes of events Redis keeps. */
  readonly bytes: number
  readonly clock: Clock
  /** From 0 to 1. */
  readonly random: () => number
  readonly limits?: SharedFeedLimits
  readonly redisLimits?: RedisLimits
  readonly nodeLimits?: NodeLimits
}

export interface FeedSharingFigures extends FeedSenderFigures {
  /** Has this node sent all its connections, and can it send events? */
  readonly isSteady: boolean
  /** Nodes that had ended, and whose connections this one has removed. */
  readonly nodesRemoved: number
  /** The last event that this node knows. */
  readonly last: Cursor
}

export class FeedSharing {
  /** The feed as readers get it. */
  readonly source: SharedFeed
  readonly #sender: FeedSender
  readonly #remover: FeedRemover

  constructor(options: FeedSharingOptions) {
    const { bus, address, prefix, node, feed, present, isOnline, clock, random } = options
    const { limits = sharedFeedLimits, nodeLimits: ofNodes = nodeLimits } = options
    const { origin } = bus
    const keys = busKeys(prefix)
    const eventsMax = Math.max(limits.eventsPerEntry, Math.floor(options.bytes / limits.eventBytes))
    const scripts = new FeedScripts({ redis: bus, keys, eventsMax, limits })
    this.source = new SharedFeed({
      ...{ address, keys, clock, random, limits },
      redisLimits: options.redisLimits ?? redisLimits,
    })
    this.#sender = new FeedSender({
      ...{ redis: bus, scripts, origin, node, feed, present, isOnline, limits, clock },
      connectedKey: keys.connectedOf(origin),
    })
    this.#remover = new FeedRemover({
      ...{ redis: bus, scripts, keys, origin, limits },
      isMember: (one) => bus.members.get(one) !== null,
      epoch: () => this.#sender.top.epoch,
      judgeAfterMs: ofNodes.judgeAfterMs,
      elapsedMs: () => clock.elapsedMs(),
    })
  }

  get figures(): FeedSharingFigures {
    const { isSteady, top: last, figures } = this.#sender
    return { ...figures, isSteady, nodesRemoved: this.#remover.removed, last }
  }

  /** Called when Redis is back, or has lost something. */
  onReady(): void {
    this.#sender.onReady()
    this.#remover.onReady()
  }

  /** Called when another node has left. */
  onLeave(origin: string): void {
    this.#remover.onLeave(origin)
  }

  /** Called when the feed of this node is closed: sends the rest of it, then ends the readers. */
  async close(): Promise<void> {
    await this.#sender.close()
    await this.source.close(this.#sender.top)
  }

  /** Stops all of it, when no reader is left. */
  async stop(): Promise<void> {
    this.#sender.stop()
    this.#remover.stop()
    await this.source.stop()
  }
}
