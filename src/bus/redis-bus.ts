// The bus of several machines: one log in Redis. Each node adds its messages there, and reads those
// of all nodes, its own included, in the one order that they have there.

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
  /** Before the names of all keys. */
  readonly prefix: string
  /** Of the window here, and of the bodies and heads in Redis, about. */
  readonly historyBytes: number
  readonly listener: BusListener
  readonly intern: InternName
  /** The name of a handle. */
  readonly nameOf: (handle: number) => string
  readonly clock: Clock
  /** From 0 to 1. */
  readonly random: () => number
  /** 16 hexadecimal digits that no other start of any node has. */
  readonly origin: string
  /** What other nodes know of this one. */
  readonly node: NodeDescription
  /** Told of the nodes that are there, this one included. */
  readonly memberListener?: MemberListener
  readonly limits?: BusLimits
  readonly redisLimits?: RedisLimits
  /**
   * Called when the items that the listener gets do not tell any more who follows whom: after a
   * gap, or when Redis has lost everything. It is as the sets in Redis have it: whoever keeps it
   * reads them anew, makes the changes that have come since it began, and waits until this node has
   * read the log up to where it was at the end of that. If the epoch is another one by then, what
   * it has read may be lost, and it begins again.
   */
  readonly onFollowsLost?: () => void
  readonly nodeLimits?: NodeLimits
  /** Called each time that all is read and items can be added, after each connection anew. */
  readonly onReady?: () => void
  /** Called when Redis was lost, or is there again. */
  readonly onChange?: (state: LinkState) => void
}

/** How it is with the bus: counts since the start, and what is so now. */
export interface BusState extends WindowCounts {
  readonly link: LinkState
  /** Is everything read, has nothing to be added again, and can messages be added? */
  readonly isReady: boolean
  readonly epoch: number
  /** Messages and changes of the log that were not read here; null if nobody knows. */
  readonly behind: number | null
  readonly queuedMessages: number
  readonly queuedBytes: number
  readonly queueMessagesMax: number
  readonly queueBytesMax: number
  /** How long the oldest that is queued has been; 0 if none is. */
  readonly oldestAgeMs: number
  /** Batches that were added. */
  readonly added: number
  /** Entries that were read. */
  readonly read: number
  readonly refused: Readonly<BusMeter['refused']>
  readonly roundTripSeconds: HistogramFigures
  /** Of the last server that was there, as it said last; null before the first one. */
  readonly info: RedisInfo | null
  /** Nodes that are there, this one included. */
  readonly members: number
  /** Questions, answers and reports to other nodes that were not sent. */
  readonly unsent: number
}

export class RedisBus implements MessageBus, RedisCommands {
  readonly isShared = true
  /** Settles when the log was read for the first time: clients can resume. */
  readonly ready: Promise<void>
  /** The nodes that are there. */
  readonly members: Members
  /** What they ask each other. */
  readonly requests: NodeRequests
  /** What became of messages on all of them. */
  readonly receipts: SharedReceipts
  /** Which start of this node it is, as other nodes know it. */
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

  /** Is everything read, has nothing to be added again, and can messages be added? */
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

  /** What is in the log up to here, the listener has had. */
  get readUpTo(): Cursor {
    return this.#window.readAfter
  }

  numberOf(cursor: Cursor): number | null {
    return this.#window.numberOf(cursor)
  }

  cursorOf(number: number): Cursor {
    return this.#window.cursorOf(number)
  }

  settled(behind?: Cursor): Promise<boolean> | null {
    const mended = this.#window.settled()
    if (mended !== null) return mended.then(() => true)
    if (behind === undefined) return null
    if (this.#isAhead(behind)) return this.#comes(behind)
    return this.#mayComeAgain(behind) ? this.#hasMore().then(() => true) : null
  }

  /** Nodes that have what a fork has cut off come back soon, and add it again. */
  #mayComeAgain(place: Cursor): boolean {
    const forkedMsAgo = this.#clock.elapsedMs() - this.#forkedMs
    return forkedMsAgo < this.#limits.addAgainMsMax && this.#window.hasCut(place)
  }

  /** Redis may be there again before there is a next entry. */
  async #hasMore(): Promise<void> {
    await settledWithin(this.#window.more(), this.#limits.waitCheckEveryMs)
  }

  #isAhead(place: Cursor): boolean {
    return compareCursors(place, this.#window.cursor) > 0
  }

  /** Redis knows whether this node is behind, or there is no such place. */
  async #comes(place: Cursor): Promise<boolean> {
    const more = this.#hasMore()
    const top = await this.#top()
    const isNowhere = top !== null && compareCursors(place, top) > 0
    if (isNowhere && this.#isAhead(place)) return false
    await more
    return true
  }

  /** One question for all of a turn of the loop: before that, the log may have been shorter. */
  #top(): Promise<Cursor | null> {
    this.#asking ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#asking = null
        resolve(this.#session?.top() ?? null)
      })
    })
    return this.#asking
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

  /** Of the same connection as what is published. */
  async send(command: string, args: readonly Argument[]): Promise<Result<unknown, RedisFailure>> {
    return (await this.#session?.send(command, args)) ?? AWAY
  }

  readonly #flush = (): void => {
    this.#isFlushing = false
    this.#session?.flush()
  }

  /** Refuses what comes, and first waits for a while until all that came before is in the log. */
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
