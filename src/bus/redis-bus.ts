// The bus of several machines: one log in Redis. Each node adds its messages to it, and reads the
// messages of all nodes, including its own, in the same order.

import {
  type BusLimits,
  busLimits,
  type NodeLimits,
  nodeLimits,
  type RedisLimits,
  redisLimits,
} from '../core/bus-limits.ts'
import type { Clock } from '../core/clock.ts'
import type { Cursor } from '../core/cursor.ts'
import { settledWithin } from '../core/deadline.ts'
import type { HistogramFigures } from '../core/histogram.ts'
import type { RedisAddress } from '../core/redis-address.ts'
import { type Result, refused, success } from '../core/result.ts'
import type {
  BusListener,
  LogItem,
  LogWindow,
  MessageBus,
  Publication,
  PublishRefusal,
} from '../log/message-bus.ts'
import type { FollowPair } from '../subscriptions/shared.ts'
import type { InternName } from './batch.ts'
import { busKeys } from './bus-keys.ts'
import { BusMeter } from './bus-meter.ts'
import { BusSession } from './bus-session.ts'
import { FollowsPublication } from './follows-publication.ts'
import type { InboxEntry } from './inbox-entry.ts'
import { InboxSender } from './inbox-sender.ts'
import type { NodeDescription } from './member-entry.ts'
import { type MemberListener, Members } from './members.ts'
import { Membership } from './membership.ts'
import { NodeRequests } from './node-requests.ts'
import { PublishQueue } from './publish-queue.ts'
import { AWAY, type RedisCommands } from './redis-commands.ts'
import type { Argument, RedisFailure } from './redis-connection.ts'
import type { RedisInfo } from './redis-info.ts'
import { type LinkState, RedisLink, type RedisSession } from './redis-link.ts'
import { RedisWatch } from './redis-watch.ts'
import { SharedReceipts } from './shared-receipts.ts'
import { SharedWindow, type WindowCounts } from './shared-window.ts'
import { compareCursors } from './stream-entry.ts'

export interface RedisBusOptions {
  readonly address: RedisAddress
  /** The prefix of all keys in Redis. */
  readonly prefix: string
  /** The size of the window here, and about that of the log in Redis. */
  readonly historyBytes: number
  readonly listener: BusListener
  readonly intern: InternName
  /** Returns the name of a handle. */
  readonly nameOf: (handle: number) => string
  readonly clock: Clock
  /** From 0 to 1. */
  readonly random: () => number
  /** Identifies this run of the node: 16 hexadecimal digits, unique among all runs of all nodes. */
  readonly origin: string
  /** What this node tells other nodes about itself. */
  readonly node: NodeDescription
  /** Called for each node that joins or leaves, this one included. */
  readonly memberListener?: MemberListener
  readonly limits?: BusLimits
  readonly redisLimits?: RedisLimits
  /**
   * Called when items alone no longer tell who follows whom: after a gap, or when Redis has lost
   * everything. The sets in Redis do. The caller has to read them again, apply the changes that
   * came since it began to read, and wait until this node has read the log up to the last entry of
   * that moment. If the epoch has changed by then, the sets may have changed too: read them again.
   */
  readonly onFollowsLost?: () => void
  readonly nodeLimits?: NodeLimits
  /** Called each time that the log is read and items can be added: after each reconnect, too. */
  readonly onReady?: () => void
  /** Called when the connection to Redis is lost, or is back. */
  readonly onChange?: (state: LinkState) => void
}

/** The state of the bus: counts since the start, and current values. */
export interface BusState extends WindowCounts {
  readonly link: LinkState
  /** Is the log read, is nothing left to add again, and can messages be added? */
  readonly isReady: boolean
  readonly epoch: number
  /** Messages and changes in the log that were not read here yet; null if not known. */
  readonly behind: number | null
  readonly queuedMessages: number
  readonly queuedBytes: number
  readonly queueMessagesMax: number
  readonly queueBytesMax: number
  /** The age of the oldest queued message; 0 if there is none. */
  readonly oldestAgeMs: number
  /** Batches that were added. */
  readonly added: number
  /** Entries that were read. */
  readonly read: number
  readonly refused: Readonly<BusMeter['refused']>
  readonly roundTripSeconds: HistogramFigures
  /** The last `INFO` of the last server; null before the first connection. */
  readonly info: RedisInfo | null
  /** Nodes in the cluster, this one included. */
  readonly members: number
  /** Questions, answers and reports to other nodes that were not sent. */
  readonly unsent: number
}

export class RedisBus implements MessageBus, RedisCommands {
  readonly isShared = true
  /** Settles when the log is read for the first time: clients can resume. */
  readonly ready: Promise<void>
  readonly members: Members
  /** Questions between nodes. */
  readonly requests: NodeRequests
  /** Delivery counts of all nodes. */
  readonly receipts: SharedReceipts
  /** Identifies this run of the node. */
  readonly origin: string
  readonly #sender: InboxSender
  readonly #window: SharedWindow
  readonly #queue: PublishQueue
  readonly #link: RedisLink
  readonly #expiry: Timer
  readonly #limits: BusLimits
  readonly #meter = new BusMeter()
  #session: BusSession | null = null
  #membership: Membership | null = null
  #watch: RedisWatch | null = null
  #isClosed = false
  #isFlushing = false
  readonly #clock: Clock
  /** When the log had a fork last. */
  #forkedMs = Number.NEGATIVE_INFINITY
  #asking: Promise<Cursor | null> | null = null

  constructor(options: RedisBusOptions) {
    const { limits = busLimits, clock, origin, listener, intern, nameOf } = options
    const ofNodes = options.nodeLimits ?? nodeLimits
    this.origin = origin
    this.#limits = limits
    this.#clock = clock
    this.#queue = new PublishQueue({ origin, limits, clock, meter: this.#meter })
    const members = new Members(ofNodes, options.memberListener)
    const sender = new InboxSender(ofNodes)
    const receipts = new SharedReceipts({ sender, clock, limits: ofNodes })
    this.members = members
    this.receipts = receipts
    this.requests = new NodeRequests({ origin, members, sender, limits: ofNodes })
    this.#sender = sender
    sender.onDropped = (to, items) => {
      for (const item of items) this.requests.onDropped(to, item)
    }
    this.#window = new SharedWindow({
      bytes: options.historyBytes,
      ...{ limits, listener, intern, nameOf },
      takeOwn: (entry) => this.#queue.take(entry),
      onFollowsLost: options.onFollowsLost,
      onFork: () => {
        this.#forkedMs = clock.elapsedMs()
      },
      onMemberChange: (change) => members.apply(change),
      publicationOf: (from, cursor) => receipts.publicationOf(from, cursor),
    })
    const { promise, resolve } = Promise.withResolvers<void>()
    this.ready = promise
    this.#link = new RedisLink({
      address: options.address,
      clock,
      limits: options.redisLimits ?? redisLimits,
      random: options.random,
      ...(options.onChange === undefined ? {} : { onChange: options.onChange }),
      use: (connections) =>
        this.#use(connections, options, () => {
          resolve()
          options.onReady?.()
        }),
    })
    this.#expiry = setInterval(() => this.#queue.expire(), limits.waitCheckEveryMs)
  }

  async #use(
    connections: RedisSession,
    options: RedisBusOptions,
    onReady: () => void,
  ): Promise<void> {
    const { origin, clock, node, limits = busLimits } = options
    const keys = busKeys(options.prefix)
    const { infoEveryMs } = options.redisLimits ?? redisLimits
    this.#watch = new RedisWatch(connections, infoEveryMs)
    const [window, sender, members] = [this.#window, this.#sender, this.members]
    this.#membership = new Membership({
      ...{ connections, keys, origin, node, clock, members, window, sender },
      limits: options.nodeLimits ?? nodeLimits,
    })
    this.#session = new BusSession({
      ...{ connections, keys, origin, limits, window, clock, onReady },
      queue: this.#queue,
      membership: this.#membership,
      onInbox: (entries) => this.#onInbox(entries),
      meter: this.#meter,
    })
    await this.#session.run()
    this.#watch.stop()
    this.#session = null
    this.#membership = null
  }

  #onInbox(entries: readonly InboxEntry[]): void {
    for (const { from, items } of entries) {
      for (const item of items) {
        if (item.type === 'report') this.receipts.onReport(from, item.report)
        else this.requests.onItem(from, item)
      }
    }
  }

  get window(): LogWindow {
    return this.#window.log
  }

  get cursor(): Cursor {
    return this.#window.reached
  }

  /** Is the log read, is nothing left to add again, and can messages be added? */
  get isReady(): boolean {
    return this.#session?.isReady === true && this.#window.isWhole
  }

  get figures(): BusState {
    const { added, read, refused, roundTripSeconds } = this.#meter
    const { queueMessagesMax, queueBytesMax } = this.#limits
    return {
      ...this.#window.counts,
      link: this.#link.state,
      isReady: this.isReady,
      epoch: this.#window.cursor.epoch,
      behind: this.#session?.behind ?? null,
      queuedMessages: this.#queue.messages,
      queuedBytes: this.#queue.bytes,
      ...{ queueMessagesMax, queueBytesMax, added, read },
      oldestAgeMs: this.#queue.oldestAgeMs,
      refused: { ...refused },
      roundTripSeconds: roundTripSeconds.figures(),
      info: this.#watch?.info ?? null,
      members: this.members.all.length,
      unsent: this.#sender.dropped,
    }
  }

  /** The listener has had everything in the log up to here. */
  get readUpTo(): Cursor {
    return this.#window.readAfter
  }

  /** Milliseconds since an entry of the window was added; null if not known. */
  ageMs(number: number, nowMs: number): number | null {
    return this.#window.clock.ageMs(number, nowMs)
  }

  numberOf(cursor: Cursor): number | null {
    return this.#window.numberOf(cursor)
  }

  cursorOf(number: number): Cursor {
    return this.#window.cursorOf(number)
  }

  settled(behind?: Cursor): Promise<boolean> | null {
    const restored = this.#window.settled()
    if (restored !== null) return restored.then(() => true)
    if (behind === undefined) return null
    if (this.#isAhead(behind)) return this.#waitFor(behind)
    return this.#mayComeAgain(behind) ? this.#hasMore().then(() => true) : null
  }

  /** Nodes that have what a fork has cut off come back soon, and add it again. */
  #mayComeAgain(place: Cursor): boolean {
    const forkedMsAgo = this.#clock.elapsedMs() - this.#forkedMs
    return forkedMsAgo < this.#limits.addAgainMsMax && this.#window.hasCut(place)
  }

  /** Waits for the next entry, for a limited time: Redis may be back without one. */
  async #hasMore(): Promise<void> {
    await settledWithin(this.#window.more(), this.#limits.waitCheckEveryMs)
  }

  #isAhead(place: Cursor): boolean {
    return compareCursors(place, this.#window.cursor) > 0
  }

  /** Asks Redis whether this node is behind, or the log has no such place. */
  async #waitFor(place: Cursor): Promise<boolean> {
    const more = this.#hasMore()
    const top = await this.#top()
    const isNowhere = top !== null && compareCursors(place, top) > 0
    if (isNowhere && this.#isAhead(place)) return false
    await more
    return true
  }

  /**
   * Asks once for all calls in a turn of the loop. Not shared with calls of an earlier turn: the
   * log may have been shorter then.
   */
  #top(): Promise<Cursor | null> {
    this.#asking ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#asking = null
        resolve(this.#session?.top() ?? null)
      })
    })
    return this.#asking
  }

  /** Messages of one turn of the loop are sent together, at the end of the turn. */
  publish(item: LogItem, publication: Publication | null): Result<void, 'full' | 'closed'> {
    if (this.#isClosed) return refused('closed')
    const pushed = this.#queue.push(item, publication)
    if (pushed.ok) this.#flushSoon()
    return pushed
  }

  /**
   * Adds or removes subscriptions, in the sets of Redis and as one entry of the log, which has only
   * those that change something. Either all are made, or none.
   *
   * @param pairs at most busLimits.batchMessagesMax
   * @param perUserMax subjects that a user may follow; null for any number
   * @returns how many changed something, once this node has read them; `limit` if a user would
   *   follow more than it may
   */
  changeFollows(
    pairs: readonly FollowPair[],
    follows: boolean,
    perUserMax: number | null,
  ): Promise<Result<number, PublishRefusal>> {
    if (pairs.length > this.#limits.batchMessagesMax)
      throw new RangeError('these are too many changes')
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

  #flushSoon(): void {
    if (this.#isFlushing) return
    this.#isFlushing = true
    setImmediate(this.#flush)
  }

  /** Uses the connection on which messages are published. */
  async send(command: string, args: readonly Argument[]): Promise<Result<unknown, RedisFailure>> {
    return (await this.#session?.send(command, args)) ?? AWAY
  }

  readonly #flush = (): void => {
    this.#isFlushing = false
    this.#session?.flush()
  }

  /** Refuses new messages, and waits for a limited time until the queued ones are in the log. */
  async close(): Promise<void> {
    this.#isClosed = true
    const { closeMsMax, closeCheckMs } = this.#limits
    for (let left = closeMsMax; left > 0 && this.#queue.messages > 0; left -= closeCheckMs) {
      await Bun.sleep(closeCheckMs)
    }
    clearInterval(this.#expiry)
    await this.#membership?.leave()
    await this.#link.stop()
    this.#queue.close()
    this.requests.close()
    this.receipts.close()
    this.#window.log.close()
  }
}
