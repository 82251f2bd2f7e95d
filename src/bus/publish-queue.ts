// The messages and changes that this node has published and not read back from the log yet: batches
// that were sent, and behind them items that wait to be sent.

import type { BusLimits } from '../core/bus-limits.ts'
import type { Clock } from '../core/clock.ts'
import type { Cursor } from '../core/cursor.ts'
import { Queue } from '../core/queue.ts'
import { OK, type Result, refused } from '../core/result.ts'
import { BARRIER, type LogItem, type Publication, type PublishRefusal } from '../log/message-bus.ts'
import type { FollowChange } from '../log/message-log.ts'
import { byteCountOf, type EncodedBatch, encodeBatch } from './batch.ts'
import type { BusMeter } from './bus-meter.ts'
import { type BatchCondition, conditionOf, hasCondition } from './condition.ts'
import type { BatchResolution, Resolved } from './conditional-script.ts'
import { FollowsPublication } from './follows-publication.ts'
import type { OwnItems } from './shared-window.ts'
import { type BatchEntry, compareCursors } from './stream-entry.ts'

/** Changes of subscriptions that are made together: all add or all remove; at least one. */
export interface FollowRequest {
  readonly follows: boolean
  readonly changes: readonly FollowChange[]
  readonly perUserMax: number | null
}

interface WaitingItem {
  readonly item: LogItem | FollowRequest
  readonly publication: Publication | null
  readonly sinceMs: number
  /** Is it sent as a batch of its own, because it has a condition? */
  readonly isAlone: boolean
}

/** A batch that was sent and may be in the log. */
export interface OwnBatch {
  readonly batch: number
  readonly content: EncodedBatch
  readonly items: readonly LogItem[]
  readonly condition: BatchCondition | null
  readonly byteCount: number
  readonly sinceMs: number
  /** When it was sent for the first time. */
  readonly sentMs: number
  /** Up to where this node had read the log then; its own place is after that. */
  readonly sentAfter: Cursor
  /** Null once the publishers were told that its outcome is unknown. */
  publications: readonly (Publication | null)[] | null
  /** For a batch with a condition: the epoch in which Redis was asked to resolve it. */
  askedIn: number
  /** The entry that it repeats, by the answer of Redis; told once this node has read that entry. */
  repeated: Cursor | null
  /** Is its outcome known? */
  isSettled: boolean
}

export interface PublishQueueOptions {
  readonly origin: string
  readonly limits: BusLimits
  readonly clock: Clock
  /** Counts refusals, and measures how long batches take. */
  readonly meter: BusMeter
}

export class PublishQueue {
  readonly #options: PublishQueueOptions
  readonly #waiting = new Queue<WaitingItem>()
  /** The first one is never settled. */
  readonly #sent = new Queue<OwnBatch>()
  /** Sent before those: resolved by Redis, with an outcome that is not known here. */
  #resolved: OwnBatch[] = []
  /** Batches of both that repeat an entry not read here yet. */
  #repeating: OwnBatch[] = []
  #bytes = 0
  #messages = 0
  #nextBatch = 1
  /** The last batch known to be in the log. */
  #lastLogged = 0

  constructor(options: PublishQueueOptions) {
    this.#options = options
  }

  /** Items that are not in the log yet. */
  get messages(): number {
    return this.#messages
  }

  /** The bytes of these items. */
  get bytes(): number {
    return this.#bytes
  }

  /** The age of the oldest of them; 0 if there is none. */
  get oldestAgeMs(): number {
    const sinceMs = (this.#resolved[0] ?? this.#sent.at(0) ?? this.#waiting.at(0))?.sinceMs
    return sinceMs === undefined ? 0 : this.#options.clock.elapsedMs() - sinceMs
  }

  get hasWaiting(): boolean {
    return this.#waiting.length > 0
  }

  /** The first batch that may have to be sent again; if there is none, the next one to be made. */
  get firstBatch(): number {
    return this.#sent.at(0)?.batch ?? this.#nextBatch
  }

  /** The last batch that was read back, or counts as read back; 0 for none. */
  get lastLogged(): number {
    return this.#lastLogged
  }

  /** Batches that were sent and are not settled, the oldest first. */
  get sent(): readonly OwnBatch[] {
    const sent = Array.from({ length: this.#sent.length }, (_, at) => this.#sent.at(at) as OwnBatch)
    return [...this.#resolved, ...sent.filter(({ isSettled }) => !isSettled)]
  }

  /** Hot path: once an item. */
  push(item: LogItem, publication: Publication | null): Result<void, 'full'> {
    if (item !== BARRIER && 'follows' in item) {
      const { follows } = item
      return this.pushFollows({ follows, changes: [item], perUserMax: null }, publication)
    }
    return this.#push(item, publication, 1, byteCountOf(item), hasCondition(item))
  }

  pushFollows(request: FollowRequest, publication: Publication | null): Result<void, 'full'> {
    return this.#push(request, publication, countOf(request), byteCountOfWaiting(request), true)
  }

  #push(
    item: LogItem | FollowRequest,
    publication: Publication | null,
    count: number,
    bytes: number,
    isAlone: boolean,
  ): Result<void, 'full'> {
    const { limits, clock, meter } = this.#options
    const isTooMany = this.#messages + count > limits.queueMessagesMax
    if (isTooMany || this.#bytes + bytes > limits.queueBytesMax) {
      meter.countRefused('full', 1)
      return refused('full')
    }
    this.#messages += count
    this.#bytes += bytes
    this.#waiting.push({ item, publication, sinceMs: clock.elapsedMs(), isAlone })
    return OK
  }

  /**
   * Makes a batch of the items that have waited longest, and counts it as sent; null if no item
   * waits.
   *
   * @param after up to where this node has read the log
   */
  nextBatch(after: Cursor): OwnBatch | null {
    const { batchMessagesMax, batchBytesMax } = this.#options.limits
    const first = this.#waiting.at(0)
    if (first === undefined) return null
    if (first.isAlone) return this.#nextAlone(first, after)
    const items: LogItem[] = []
    const publications: (Publication | null)[] = []
    let byteCount = 0
    while (items.length < batchMessagesMax) {
      const next = this.#waiting.at(0)
      if (next === undefined || next.isAlone) break
      const item = next.item as LogItem
      const bytes = byteCountOf(item)
      if (items.length > 0 && byteCount + bytes > batchBytesMax) break
      this.#waiting.shift()
      items.push(item)
      publications.push(next.publication)
      byteCount += bytes
    }
    const { sinceMs } = first
    return this.#send({ items, publications, condition: null, byteCount, sinceMs }, after)
  }

  #nextAlone({ item, publication, sinceMs }: WaitingItem, after: Cursor): OwnBatch {
    this.#waiting.shift()
    const isFollows = item !== BARRIER && 'changes' in item
    const items = isFollows ? item.changes : [item]
    const condition = isFollows ? followCondition(item) : conditionOf(items)
    const byteCount = byteCountOfWaiting(item)
    return this.#send({ items, publications: [publication], condition, byteCount, sinceMs }, after)
  }

  #send(
    own: Pick<OwnBatch, 'items' | 'publications' | 'condition' | 'byteCount' | 'sinceMs'>,
    sentAfter: Cursor,
  ): OwnBatch {
    const content = encodeBatch(own.items, own.publications ?? [])
    const batch = this.#nextBatch++
    const sentMs = this.#options.clock.elapsedMs()
    const state = { askedIn: 0, repeated: null, isSettled: false }
    const sent: OwnBatch = { ...own, batch, content, sentMs, sentAfter, ...state }
    this.#sent.push(sent)
    return sent
  }

  /** Takes a batch that was read back. Null if it is of another node, or was settled before. */
  take(entry: BatchEntry): OwnItems | null {
    if (entry.origin !== this.#options.origin) return null
    // Another program has written it: this node has not sent it.
    if (entry.batch >= this.#nextBatch) return null
    this.settleUpTo(entry.batch - 1, entry.at.epoch, entry.previous)
    this.#lastLogged = Math.max(this.#lastLogged, entry.batch)
    const own =
      this.#sent.at(0)?.batch === entry.batch
        ? this.#sent.at(0)
        : this.#resolved.find(({ batch }) => batch === entry.batch)
    if (own === undefined) return null
    const { clock, meter } = this.#options
    meter.roundTripSeconds.record((clock.elapsedMs() - own.sentMs) / 1_000)
    this.#settle(own)
    const publications = own.publications ?? []
    if (own.condition?.kind === 'follows') {
      const [publication] = publications
      if (publication instanceof FollowsPublication) publication.changed = entry.count
      // The entry has only those that changed something.
      return { items: null, publications }
    }
    if (own.content.head === entry.head) return { items: own.items, publications }
    // Another program has changed it in Redis; all nodes get the changed content.
    this.#refuse(publications, 'unknown')
    return null
  }

  /**
   * Settles the batches up to this one: Redis has resolved them, and they cannot be read back any
   * more, because streams were told of a gap instead. Those without a condition are in the log, at
   * an unknown place. Publishers are told a place before it: with a later one, a stream that began
   * after the gap would count as one that has had them.
   *
   * @param epoch the epoch that this node has read
   * @param logged the last one of them that is in the log, if that is known
   */
  settleUpTo(batch: number, epoch: number, logged: number): void {
    for (let own = this.#sent.at(0); own !== undefined && own.batch <= batch; ) {
      this.#sent.shift()
      const { condition, repeated } = own
      if (condition === null || (condition.kind === 'key' && own.batch === logged)) {
        this.#lastLogged = Math.max(this.#lastLogged, own.batch)
        for (const one of this.#settle(own)) one?.onAccepted(own.sentAfter, false)
      } else if (repeated !== null && own.askedIn === epoch) {
        // What it repeats is before it in this epoch.
        this.#tellRepeated(own, repeated)
      } else if (!own.isSettled) {
        own.repeated = null
        if (own.publications === null) this.#settle(own)
        else this.#resolved.push(own)
      }
      own = this.#sent.at(0)
    }
    this.#dropSettled()
  }

  /** Takes the answer of Redis about a batch with a condition. */
  onResolved(own: OwnBatch, { resolution, cursor }: Resolved): void {
    if (own.isSettled) return
    if (resolution === 'repeated' && cursor !== null) {
      own.repeated = cursor
      this.#repeating.push(own)
    } else if (resolution === 'seen' && cursor !== null && this.#resolved.includes(own)) {
      // It is before what was read here; otherwise it would still be read back.
      this.#lastLogged = Math.max(this.#lastLogged, own.batch)
      for (const publication of this.#settle(own)) publication?.onAccepted(cursor, false)
    } else {
      const why = REFUSALS[resolution]
      if (why !== undefined) this.#refuse(this.#settle(own), why)
    }
  }

  /** Tells publishers which entries they repeat, now that the log is read up to this place. */
  onRead(upTo: Cursor): void {
    if (this.#repeating.length === 0) return
    const repeating = this.#repeating
    this.#repeating = []
    for (const own of repeating) {
      const { repeated, isSettled } = own
      if (repeated === null || isSettled) continue
      if (compareCursors(repeated, upTo) > 0) this.#repeating.push(own)
      else this.#tellRepeated(own, repeated)
    }
  }

  /** Forgets which entries are repeated: the log may have lost them, and Redis is asked again. */
  forgetRepeated(): void {
    for (const own of this.#repeating) own.repeated = null
    this.#repeating = []
  }

  #tellRepeated(own: OwnBatch, cursor: Cursor): void {
    for (const publication of this.#settle(own)) publication?.onRepeated(cursor)
  }

  /** Refuses items that have waited too long. Sent batches stay: they may be in the log. */
  expire(): void {
    const oldestMs = this.#options.clock.elapsedMs() - this.#options.limits.waitMsMax
    for (let next = this.#waiting.at(0); next !== undefined; next = this.#waiting.at(0)) {
      if (next.sinceMs > oldestMs) break
      this.#dropFirst('unavailable')
    }
    for (const own of this.#resolved) {
      if (own.sinceMs <= oldestMs) this.#refuse(this.#settle(own), 'unknown')
    }
    for (let at = 0; at < this.#sent.length; at++) {
      const own = this.#sent.at(at) as OwnBatch
      if (own.sinceMs > oldestMs) return
      if (own.isSettled) continue
      this.#refuse(own.publications ?? [], 'unknown')
      own.publications = null
    }
  }

  /** Refuses everything in the queue. */
  close(): void {
    for (const own of this.sent) this.#refuse(this.#settle(own), 'unknown')
    while (this.hasWaiting) this.#dropFirst('unavailable')
  }

  #dropFirst(why: PublishRefusal): void {
    const first = this.#waiting.shift()
    if (first === undefined) return
    const { item, publication } = first
    this.#messages -= countOf(item)
    this.#bytes -= byteCountOfWaiting(item)
    this.#refuse([publication], why)
  }

  /** Marks a batch as settled. Returns its publications; none if it was settled before. */
  #settle(own: OwnBatch): readonly (Publication | null)[] {
    if (own.isSettled) return []
    own.isSettled = true
    this.#messages -= own.items.length
    this.#bytes -= own.byteCount
    if (this.#resolved.length > 0) this.#resolved = this.#resolved.filter((one) => one !== own)
    this.#dropSettled()
    return own.publications ?? []
  }

  #refuse(publications: readonly (Publication | null)[], why: PublishRefusal): void {
    this.#options.meter.countRefused(why, publications.length)
    for (const publication of publications) publication?.onRefused(why)
  }

  #dropSettled(): void {
    while (this.#sent.at(0)?.isSettled === true) this.#sent.shift()
  }
}

/** Why a batch is refused that Redis has resolved to no entry. */
const REFUSALS: Partial<Record<BatchResolution, PublishRefusal>> = {
  conflict: 'conflict',
  limit: 'limit',
  damaged: 'unavailable',
  unclear: 'unknown',
}

function followCondition({ changes, follows, perUserMax }: FollowRequest): BatchCondition {
  return { kind: 'follows', follows, items: changes, perUserMax }
}

/** The number of items it counts as in the queue. */
function countOf(item: LogItem | FollowRequest): number {
  return item !== BARRIER && 'changes' in item ? item.changes.length : 1
}

function byteCountOfWaiting(item: LogItem | FollowRequest): number {
  if (item === BARRIER || !('changes' in item)) return byteCountOf(item)
  return item.changes.reduce((sum, change) => sum + byteCountOf(change), 0)
}
