// What this node has published and has not read back from the log: items that wait, and before
// them batches that were sent, in their order.

import type { BusLimits } from '../core/bus-limits.ts'
import type { Clock } from '../core/clock.ts'
import type { Cursor } from '../core/cursor.ts'
import { Queue } from '../core/queue.ts'
import { OK, type Result, refused } from '../core/result.ts'
import type { LogItem, Publication, PublishRefusal } from '../log/message-bus.ts'
import { byteCountOf, type EncodedBatch, encodeBatch } from './batch.ts'
import type { OwnItems } from './shared-window.ts'
import type { BatchEntry } from './stream-entry.ts'

interface WaitingItem {
  readonly item: LogItem
  readonly publication: Publication | null
  readonly sinceMs: number
}

/** A batch that was sent, and may be in the log. */
export interface OwnBatch {
  readonly batch: number
  readonly content: EncodedBatch
  readonly items: readonly LogItem[]
  readonly byteCount: number
  readonly sinceMs: number
  /** Null once the publishers were told that nobody knows. */
  publications: readonly (Publication | null)[] | null
}

export interface PublishQueueOptions {
  readonly origin: string
  readonly limits: BusLimits
  readonly clock: Clock
}

export class PublishQueue {
  readonly #options: PublishQueueOptions
  readonly #waiting = new Queue<WaitingItem>()
  readonly #sent = new Queue<OwnBatch>()
  #bytes = 0
  #messages = 0
  #nextBatch = 1

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

  get hasWaiting(): boolean {
    return this.#waiting.length > 0
  }

  /** The first batch that may have to be sent again; that of the next one if there is none. */
  get firstBatch(): number {
    return this.#sent.at(0)?.batch ?? this.#nextBatch
  }

  /** Batches that were sent and not read back, the oldest first. */
  get sent(): readonly OwnBatch[] {
    return Array.from({ length: this.#sent.length }, (_, at) => this.#sent.at(at) as OwnBatch)
  }

  /** Hot path: once an item. */
  push(item: LogItem, publication: Publication | null): Result<void, 'full'> {
    const { limits, clock } = this.#options
    const bytes = byteCountOf(item)
    if (this.#messages >= limits.queueMessagesMax) return refused('full')
    if (this.#bytes + bytes > limits.queueBytesMax) return refused('full')
    this.#messages++
    this.#bytes += bytes
    this.#waiting.push({ item, publication, sinceMs: clock.elapsedMs() })
    return OK
  }

  /** Makes a batch of what has waited longest, and counts it as sent; null if nothing waits. */
  nextBatch(): OwnBatch | null {
    const { batchMessagesMax, batchBytesMax } = this.#options.limits
    const first = this.#waiting.at(0)
    if (first === undefined) return null
    const items: LogItem[] = []
    const publications: (Publication | null)[] = []
    let byteCount = 0
    while (items.length < batchMessagesMax) {
      const next = this.#waiting.at(0)
      if (next === undefined) break
      const bytes = byteCountOf(next.item)
      if (items.length > 0 && byteCount + bytes > batchBytesMax) break
      this.#waiting.shift()
      items.push(next.item)
      publications.push(next.publication)
      byteCount += bytes
    }
    const { sinceMs } = first
    const content = encodeBatch(items, publications)
    const batch = { batch: this.#nextBatch++, content, items, byteCount, sinceMs, publications }
    this.#sent.push(batch)
    return batch
  }

  /** A batch was read back: it is in the log. Null for one of others, or one that came before. */
  take(entry: BatchEntry): OwnItems | null {
    if (entry.origin !== this.#options.origin) return null
    this.settleUpTo(entry.batch - 1, entry.at)
    if (this.#sent.at(0)?.batch !== entry.batch) return null
    const own = this.#shift() as OwnBatch
    const publications = own.publications ?? own.items.map(() => null)
    if (own.content.head === entry.head) return { items: own.items, publications }
    // Somebody has changed it in Redis; what it is now is what all nodes get.
    refuse(publications, 'unknown')
    return null
  }

  /** Batches up to this one are in the log, before this place, and cannot be read back any more. */
  settleUpTo(batch: number, place: Cursor): void {
    while ((this.#sent.at(0)?.batch ?? Number.POSITIVE_INFINITY) <= batch) {
      for (const publication of this.#shift()?.publications ?? [])
        publication?.onAccepted(place, false)
    }
  }

  /** Tells those who have waited too long. What was sent stays: it may be in the log. */
  expire(): void {
    const oldestMs = this.#options.clock.elapsedMs() - this.#options.limits.waitMsMax
    for (let next = this.#waiting.at(0); next !== undefined; next = this.#waiting.at(0)) {
      if (next.sinceMs > oldestMs) break
      this.#dropFirst('unavailable')
    }
    for (let at = 0; at < this.#sent.length; at++) {
      const own = this.#sent.at(at) as OwnBatch
      if (own.sinceMs > oldestMs) return
      refuse(own.publications ?? [], 'unknown')
      own.publications = null
    }
  }

  /** Refuses all of it, for the last time. */
  close(): void {
    while (this.#sent.length > 0) refuse(this.#shift()?.publications ?? [], 'unknown')
    while (this.hasWaiting) this.#dropFirst('unavailable')
  }

  #dropFirst(why: PublishRefusal): void {
    const first = this.#waiting.shift()
    if (first === undefined) return
    this.#messages--
    this.#bytes -= byteCountOf(first.item)
    first.publication?.onRefused(why)
  }

  #shift(): OwnBatch | undefined {
    const own = this.#sent.shift()
    if (own === undefined) return undefined
    this.#messages -= own.items.length
    this.#bytes -= own.byteCount
    return own
  }
}

function refuse(publications: readonly (Publication | null)[], why: PublishRefusal): void {
  for (const publication of publications) publication?.onRefused(why)
}
