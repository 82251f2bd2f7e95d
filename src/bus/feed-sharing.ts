// The feed that nodes share, on one of them: what it tells of its own connections, of those of
// nodes that are no more, and what its readers get.

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
  /** Of the connections of this node, and who is connected with it. */
  readonly feed: FeedSenderOptions['feed']
  readonly present: PresentConnections
  readonly isOnline: (user: Subject) => Promise<boolean>
  /** Of the events that Redis keeps, about. */
  readonly bytes: number
  readonly clock: Clock
  /** From 0 to 1. */
  readonly random: () => number
  readonly limits?: SharedFeedLimits
  readonly redisLimits?: RedisLimits
  readonly nodeLimits?: NodeLimits
}

export interface FeedSharingFigures extends FeedSenderFigures {
  /** Has this node told of all its connections, and can it tell of more? */
  readonly isSteady: boolean
  /** Nodes that were no more, and whose connections this one has removed. */
  readonly nodesRemoved: number
  /** The last event that this node knows of. */
  readonly last: Cursor
}

export class FeedSharing {
  /** What readers get. */
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

  /** Redis is there again, or has lost something. */
  onReady(): void {
    this.#sender.onReady()
    this.#remover.onReady()
  }

  /** Another node is no more. */
  onLeave(origin: string): void {
    this.#remover.onLeave(origin)
  }

  /** The feed of this node is closed: all of it is told, and then readers get the end. */
  async close(): Promise<void> {
    await this.#sender.close()
    await this.source.close(this.#sender.top)
  }

  /** Nothing is told any more, and no reader is left. */
  async stop(): Promise<void> {
    this.#sender.stop()
    this.#remover.stop()
    await this.source.stop()
  }
}
