// What this node has published and has not read back from the log: items that wait, and before
// them batches that were sent, in their order.

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

/** Changes of who follows whom that are made together, all to the same; at least one. */
export interface FollowRequest {
  readonly follows: boolean
  readonly changes: readonly FollowChange[]
  readonly perUserMax: number | null
}

interface WaitingItem {
  readonly item: LogItem | FollowRequest
  readonly publication: Publication | null
  readonly sinceMs: number
  /** Has it a condition, so that it is a batch of its own? */
  readonly isAlone: boolean
}

/** A batch that was sent, and may be in the log. */
export interface OwnBatch {
  readonly batch: number
  readonly content: EncodedBatch
  readonly items: readonly LogItem[]
  readonly condition: BatchCondition | null
  readonly byteCount: number
  readonly sinceMs: number
  /** When it was sent first. */
  readonly sentMs: number
  /** Up to where this node had read the log then: its place is behind. */
  readonly sentAfter: Cursor
  /** Null once the publishers were told that nobody knows. */
  publications: readonly (Publication | null)[] | null
  /** The epoch in which Redis was asked what becomes of it, if it has a condition. */
  askedIn: number
  /** What it repeats, as Redis has told; publishers are told once that was read here. */
  repeated: Cursor | null
  /** Has it its outcome? */
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
  /** The first one has no outcome. */
  readonly #sent = new Queue<OwnBatch>()
  /** Before those: Redis has resolved them, to what is not known here. */
  #resolved: OwnBatch[] = []
  /** Those of both that repeat what was not read here yet. */
  #repeating: OwnBatch[] = []
  #bytes = 0
  #messages = 0
  #nextBatch = 1
  /** The last batch that was in the log. */
  #lastLogged = 0

  constructor(options: PublishQueueOptions) {
    this.#options = options
  }

  /** Items that are not in the log yet, and their bytes. */
  get messages(): number {
    return this.#messages
  }

  get bytes(): number {
    return this.#bytes
  }

  /** How long the oldest of them has been here; 0 if there is none. */
  get oldestAgeMs(): number {
    const sinceMs = (this.#resolved[0] ?? this.#sent.at(0) ?? this.#waiting.at(0))?.sinceMs
    return sinceMs === undefined ? 0 : this.#options.clock.elapsedMs() - sinceMs
  }

  get hasWaiting(): boolean {
    return this.#waiting.length > 0
  }

  /** The first batch that may have to be sent again; that of the next one if there is none. */
  get firstBatch(): number {
    return this.#sent.at(0)?.batch ?? this.#nextBatch
  }

  /** The last batch that was read back or counts as such; 0 for none. */
  get lastLogged(): number {
    return this.#lastLogged
  }

  /** Batches that were sent and have no outcome, the oldest first. */
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
   * Makes a batch of what has waited longest, and counts it as sent; null if nothing waits.
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

  /** A batch was read back: it is in the log. Null for one of others, or one that came before. */
  take(entry: BatchEntry): OwnItems | null {
    if (entry.origin !== this.#options.origin) return null
    // Written by somebody else: this node has not sent it.
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
      // Those that have changed something.
      return { items: null, publications }
    }
    if (own.content.head === entry.head) return { items: own.items, publications }
    // Somebody has changed it in Redis; what it is now is what all nodes get.
    this.#refuse(publications, 'unknown')
    return null
  }

  /**
   * Redis has resolved the batches up to this one, before what was read of this epoch, and they
   * cannot be read back any more: streams are told of a gap instead. Those without a condition are
   * in the log. Nobody here knows where, so publishers are told a place before theirs: with a later
   * one, a stream that has begun behind the gap would count as one that has had them.
   *
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
        // It stands before that in this epoch, too.
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

  /** Redis has answered what became of a batch with a condition. */
  onResolved(own: OwnBatch, { resolution, cursor }: Resolved): void {
    if (own.isSettled) return
    if (resolution === 'repeated' && cursor !== null) {
      own.repeated = cursor
      this.#repeating.push(own)
    } else if (resolution === 'seen' && cursor !== null && this.#resolved.includes(own)) {
      // It stands before what was read: if not, it is still to be read.
      this.#lastLogged = Math.max(this.#lastLogged, own.batch)
      for (const publication of this.#settle(own)) publication?.onAccepted(cursor, false)
    } else {
      const why = REFUSALS[resolution]
      if (why !== undefined) this.#refuse(this.#settle(own), why)
    }
  }

  /** All entries up to this one were read: publishers are told what they repeat. */
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

  /** What they repeat may be lost: Redis is to be asked again. */
  forgetRepeated(): void {
    for (const own of this.#repeating) own.repeated = null
    this.#repeating = []
  }

  #tellRepeated(own: OwnBatch, cursor: Cursor): void {
    for (const publication of this.#settle(own)) publication?.onRepeated(cursor)
  }

  /** Tells those who have waited too long. What was sent stays: it may be in the log. */
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

  /** Refuses all of it, for the last time. */
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

  /** It has its outcome. Answers who is to be told; nobody if it had one before. */
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

/** Of a batch that was resolved to nothing, and will not be sent again. */
const REFUSALS: Partial<Record<BatchResolution, PublishRefusal>> = {
  conflict: 'conflict',
  limit: 'limit',
  damaged: 'unavailable',
  unclear: 'unknown',
}

function followCondition({ changes, follows, perUserMax }: FollowRequest): BatchCondition {
  return { kind: 'follows', follows, items: changes, perUserMax }
}

/** Places in the queue. */
function countOf(item: LogItem | FollowRequest): number {
  return item !== BARRIER && 'changes' in item ? item.changes.length : 1
}

function byteCountOfWaiting(item: LogItem | FollowRequest): number {
  if (item === BARRIER || !('changes' in item)) return byteCountOf(item)
  return item.changes.reduce((sum, change) => sum + byteCountOf(change), 0)
}
