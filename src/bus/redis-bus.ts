// The bus of several machines: one log in Redis. Each node adds its messages there, and reads those
// of all nodes, its own included, in the one order that they have there.

import { type BusLimits, busLimits, type RedisLimits, redisLimits } from '../core/bus-limits.ts'
import type { Clock } from '../core/clock.ts'
import type { Cursor } from '../core/cursor.ts'
import { type Result, refused, success } from '../core/result.ts'
import type {
  BusListener,
  LogItem,
  LogWindow,
  MessageBus,
  Publication,
  PublishRefusal,
} from '../log/message-bus.ts'
import type { NamedUser } from '../log/message-log.ts'
import type { InternName } from './batch.ts'
import { busKeys } from './bus-keys.ts'
import { BusSession } from './bus-session.ts'
import { FollowsPublication } from './follows-publication.ts'
import { PublishQueue } from './publish-queue.ts'
import type { RedisAddress } from './redis-address.ts'
import { type LinkState, RedisLink } from './redis-link.ts'
import { SharedWindow, type WindowCounts } from './shared-window.ts'

export interface RedisBusOptions {
  readonly address: RedisAddress
  /** Before the names of all keys. */
  readonly prefix: string
  /** Of the window here, and of the bodies and heads in Redis, about. */
  readonly historyBytes: number
  readonly listener: BusListener
  readonly intern: InternName
  readonly clock: Clock
  /** From 0 to 1. */
  readonly random: () => number
  /** 16 hexadecimal digits that no other start of any node has. */
  readonly origin: string
  readonly limits?: BusLimits
  readonly redisLimits?: RedisLimits
  /**
   * Called when the items that the listener gets do not tell any more who follows whom: after a
   * gap, or when Redis has lost everything. It is as the sets in Redis have it: whoever keeps it
   * reads them anew, by {@link RedisBus.readAll} before and after, and then makes the changes that
   * have come since it began.
   */
  readonly onFollowsLost?: () => void
  /** Called when Redis was lost, or is there again. */
  readonly onChange?: (state: LinkState) => void
}

/** A user, and a subject that it follows. */
export interface FollowPair {
  readonly user: NamedUser
  readonly subject: NamedUser
}

export interface BusFigures extends WindowCounts {
  readonly link: LinkState
  /** Is everything read, has nothing to be added again, and can messages be added? */
  readonly isReady: boolean
  readonly queuedMessages: number
  readonly queuedBytes: number
  /** Batches that were added. */
  readonly added: number
}

export class RedisBus implements MessageBus {
  /** Settles when the log was read for the first time: clients can resume. */
  readonly ready: Promise<void>
  readonly #window: SharedWindow
  readonly #queue: PublishQueue
  readonly #link: RedisLink
  readonly #expiry: Timer
  readonly #pairsMax: number
  #session: BusSession | null = null
  #added = 0
  #isClosed = false
  #isFlushing = false

  constructor(options: RedisBusOptions) {
    const { limits = busLimits, clock, origin, listener, intern, prefix } = options
    this.#pairsMax = limits.batchMessagesMax
    this.#queue = new PublishQueue({ origin, limits, clock })
    this.#window = new SharedWindow({
      bytes: options.historyBytes,
      ...{ limits, listener, intern },
      takeOwn: (entry) => this.#queue.take(entry),
      onFollowsLost: options.onFollowsLost,
    })
    const { promise, resolve } = Promise.withResolvers<void>()
    this.ready = promise
    const keys = busKeys(prefix)
    this.#link = new RedisLink({
      address: options.address,
      clock,
      limits: options.redisLimits ?? redisLimits,
      random: options.random,
      ...(options.onChange === undefined ? {} : { onChange: options.onChange }),
      use: async (connections) => {
        const session = new BusSession({
          ...{ connections, keys, origin, limits },
          window: this.#window,
          queue: this.#queue,
          onReady: resolve,
          onAdded: () => this.#added++,
        })
        this.#session = session
        await session.run()
        this.#session = null
      },
    })
    this.#expiry = setInterval(() => this.#queue.expire(), limits.waitCheckEveryMs)
  }

  get window(): LogWindow {
    return this.#window.log
  }

  get cursor(): Cursor {
    return this.#window.reached
  }

  get figures(): BusFigures {
    return {
      ...this.#window.counts,
      link: this.#link.state,
      isReady: this.#session?.isReady === true && this.#window.isWhole,
      queuedMessages: this.#queue.messages,
      queuedBytes: this.#queue.bytes,
      added: this.#added,
    }
  }

  numberOf(cursor: Cursor): number | null {
    return this.#window.numberOf(cursor)
  }

  settled(): Promise<void> | null {
    return this.#window.settled()
  }

  /** What is published in one turn of the loop goes together, at the end of the turn. */
  publish(item: LogItem, publication: Publication | null): Result<void, 'full' | 'closed'> {
    if (this.#isClosed) return refused('closed')
    const pushed = this.#queue.push(item, publication)
    if (pushed.ok) this.#flushSoon()
    return pushed
  }

  /**
   * From here on these users follow these subjects, or do so no longer: in the sets of Redis, and
   * in the log as one entry of what was not so before. All of it is done, or nothing.
   *
   * @param pairs at most busLimits.batchMessagesMax
   * @param perUserMax subjects that a user may follow; null for any number
   * @returns how many were not so before, once this node has read all of them; `limit` if a user
   *   would follow more than it may
   */
  changeFollows(
    pairs: readonly FollowPair[],
    follows: boolean,
    perUserMax: number | null,
  ): Promise<Result<number, PublishRefusal>> {
    if (pairs.length > this.#pairsMax) throw new RangeError('these are too many changes')
    if (this.#isClosed) return Promise.resolve(refused('closed'))
    if (pairs.length === 0) return Promise.resolve(success(0))
    const { promise, resolve } = Promise.withResolvers<Result<number, PublishRefusal>>()
    const changes = pairs.map(({ user, subject }) => ({ user, subject, follows }))
    const request = { follows, changes, perUserMax }
    const pushed = this.#queue.pushFollows(request, new FollowsPublication(resolve))
    if (pushed.ok) this.#flushSoon()
    else resolve(pushed)
    return promise
  }

  /**
   * Settles once this node has read all that is in the log now, with where that was. Whoever reads
   * the sets of who follows whom calls it before and after: if the epoch is the same, what was read
   * and the changes that came meanwhile make what all nodes know. If not, it is to be read again.
   */
  readAll(): Promise<Result<Cursor, PublishRefusal>> {
    if (this.#isClosed) return Promise.resolve(refused('closed'))
    const { promise, resolve } = Promise.withResolvers<Result<Cursor, PublishRefusal>>()
    const tell = (cursor: Cursor) => resolve(success(cursor))
    const pushed = this.#queue.pushFollows(
      { follows: true, changes: [], perUserMax: null },
      {
        onAccepted: tell,
        onRepeated: tell,
        onRefused: (why) => resolve(refused(why)),
        settle: () => undefined,
        late: () => undefined,
      },
    )
    if (pushed.ok) this.#flushSoon()
    else resolve(pushed)
    return promise
  }

  #flushSoon(): void {
    if (this.#isFlushing) return
    this.#isFlushing = true
    setImmediate(this.#flush)
  }

  readonly #flush = (): void => {
    this.#isFlushing = false
    this.#session?.flush()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    clearInterval(this.#expiry)
    await this.#link.stop()
    this.#queue.close()
    this.#window.log.close()
  }
}
