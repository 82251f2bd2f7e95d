// The receipt of one request's messages: how many connections took them, counted as the streams
// acknowledge, at once in this process and a moment later in a worker; and how long delivery took.

import type { Clock } from '../core/clock.ts'
import type { Cursor } from '../core/cursor.ts'
import { Histogram } from '../core/histogram.ts'
import { Waiter } from '../core/waiter.ts'
import type { Publication, PublishRefusal } from '../log/message-bus.ts'

/** The server's totals that receipts add to. */
export interface DeliveryTotals {
  /** Messages that are in the log. */
  accepted: number
  /** Messages without a connected receiver. */
  dropped: number
  /** Frames delivered to streams. */
  deliveries: number
  /** Connections that were skipped because their worker was too far behind. */
  skipped: number
  /**
   * Connections whose worker did not acknowledge in time. If it acknowledges later, those that took
   * the message are counted as deliveries too.
   */
  unknown: number
}

/** The connections of one message, by outcome. */
export interface DeliveryCounts {
  readonly delivered: number
  readonly skipped: number
  readonly unknown: number
}

export const NO_DELIVERIES: DeliveryCounts = { delivered: 0, skipped: 0, unknown: 0 }

/** Where the acknowledgements of one message go; exactly once each. */
export type DeliveryAck = Pick<Publication, 'settle' | 'late'>

export class Receipt implements Publication {
  /** Connections that took the messages. */
  delivered = 0
  /** Connections that were skipped because their worker was too far behind. */
  skipped = 0
  /** Connections whose worker did not acknowledge in time. */
  unknown = 0
  /** Messages whose delivery count is not known: published before the server started, or on another
   * node. */
  restored = 0
  /** Messages that were queued and then not added to the log, and the last reason. */
  refused = 0
  refusal: PublishRefusal | null = null
  /** Messages without an ack from the streams. */
  pending = 0
  /** Names of the nodes that did not report their counts in time. */
  missing: readonly string[] = []
  /** Where the last message is in the log; before there is one, the number is 0. */
  epoch = 0
  number = 0
  readonly #totals: DeliveryTotals
  readonly #onRefused: ((why: PublishRefusal) => void) | null
  /** Null before anyone waits. */
  #waiter: Waiter | null = null
  #onSettled: ((receipt: Receipt) => void) | null = null

  /** @param onRefused is called for each message that is refused after it was taken */
  constructor(totals: DeliveryTotals, onRefused: ((why: PublishRefusal) => void) | null = null) {
    this.#totals = totals
    this.#onRefused = onRefused
  }

  /** Hot path: once a message. */
  onAccepted({ epoch, number }: Cursor, isHanded: boolean): void {
    this.#totals.accepted++
    this.epoch = epoch
    this.number = number
    if (!isHanded) this.settle(0, 0)
  }

  onRepeated({ epoch, number }: Cursor): void {
    this.epoch = epoch
    this.number = number
    this.restored++
    this.#count(0, 0, 0)
  }

  onRefused(why: PublishRefusal): void {
    this.refused++
    this.refusal = why
    this.#onRefused?.(why)
    this.#count(0, 0, 0)
  }

  settle(delivered: number, skipped: number, unknown = 0): void {
    this.#totals.deliveries += delivered
    this.#totals.skipped += skipped
    this.#totals.unknown += unknown
    if (delivered + skipped + unknown === 0) this.#totals.dropped++
    this.#count(delivered, skipped, unknown)
  }

  /** Adds the counts of an earlier message with the same key, which the totals already have. */
  settleRepeated({ delivered, skipped, unknown }: DeliveryCounts): void {
    this.#count(delivered, skipped, unknown)
  }

  /** Adds the counts of other nodes, which have them in their own totals. */
  settleElsewhere({ delivered, skipped, unknown }: DeliveryCounts, missing: readonly string[]) {
    if (missing.length > 0) this.missing = [...new Set([...this.missing, ...missing])]
    this.#count(delivered, skipped, unknown)
  }

  /** Makes a receipt for one of these messages, which is pending here until {@link add}. */
  part(onRefused: (why: PublishRefusal) => void): Receipt {
    const part = new Receipt(this.#totals, onRefused)
    this.pending++
    return part
  }

  /** Adds a part that has settled. */
  add(part: Receipt): void {
    if (part.number > 0) {
      this.epoch = part.epoch
      this.number = part.number
    }
    this.restored += part.restored
    this.refused += part.refused
    if (part.missing.length > 0) this.missing = [...new Set([...this.missing, ...part.missing])]
    this.#count(part.delivered, part.skipped, part.unknown)
  }

  #count(delivered: number, skipped: number, unknown: number): void {
    this.pending--
    this.delivered += delivered
    this.skipped += skipped
    this.unknown += unknown
    this.#waiter?.update(this.pending)
    if (this.pending > 0 || this.#onSettled === null) return
    const onSettled = this.#onSettled
    this.#onSettled = null
    onSettled(this)
  }

  /** Adds to the totals only: this receipt has counted them as unknown. */
  late(delivered: number): void {
    this.#totals.deliveries += delivered
  }

  /**
   * Calls back once no message is pending: before it returns, or during the last `settle`, without
   * the promise that {@link pendingBelow} takes. One callback. Hot path: once a request.
   */
  whenSettled(onSettled: (receipt: Receipt) => void): void {
    if (this.pending === 0) onSettled(this)
    else this.#onSettled = onSettled
  }

  /** Waits until no more than `count` messages are pending. */
  async pendingBelow(count: number): Promise<void> {
    if (this.pending <= count) return
    this.#waiter ??= new Waiter()
    await this.#waiter.wait(count)
  }
}

/**
 * Buckets of the delivery histogram: a stream of this process takes microseconds, and a worker
 * times out after a second, unless this process itself is busy.
 */
export const DELIVERY_BOUNDS_SECONDS = [
  0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
  0.25, 0.5, 1, 2.5, 5, 10,
]

/** The figures of messages that came from one place. */
export class InputTotals implements DeliveryTotals {
  /** Messages accepted since the start. */
  accepted = 0
  dropped = 0
  deliveries = 0
  skipped = 0
  unknown = 0
  /** Seconds from taking a message to its streams having it, of one message in so many. */
  readonly deliverySeconds = new Histogram(DELIVERY_BOUNDS_SECONDS)
}

/**
 * Wraps the publication of one message to record how long its streams took. Records nothing if some
 * did not acknowledge.
 */
export class TimedReceipt implements Publication {
  readonly #receipt: Publication
  readonly #seconds: Histogram
  readonly #clock: Clock
  readonly #startedMs: number

  constructor(receipt: Publication, seconds: Histogram, clock: Clock) {
    this.#receipt = receipt
    this.#seconds = seconds
    this.#clock = clock
    this.#startedMs = clock.elapsedMs()
  }

  onAccepted(cursor: Cursor, isHanded: boolean): void {
    this.#receipt.onAccepted(cursor, isHanded)
  }

  onRepeated(cursor: Cursor): void {
    this.#receipt.onRepeated(cursor)
  }

  onRefused(why: PublishRefusal): void {
    this.#receipt.onRefused(why)
  }

  settle(delivered: number, skipped: number, unknown = 0): void {
    if (unknown === 0) this.#seconds.record((this.#clock.elapsedMs() - this.#startedMs) / 1000)
    this.#receipt.settle(delivered, skipped, unknown)
  }

  late(delivered: number): void {
    this.#receipt.late(delivered)
  }
}

/**
 * Collects the counts of all other nodes for the message at a cursor. Calls back once: when all
 * have reported, or at the time limit.
 *
 * @param onDone counts, added up, and the names of the nodes that did not report
 */
export type CollectCounts = (
  cursor: Cursor,
  onDone: (counts: DeliveryCounts, missing: readonly string[]) => void,
) => void

/** A message published with `?receipt=all`: adds the counts of the other nodes to its receipt. */
export class AllNodesReceipt implements Publication {
  readonly isForAllNodes = true
  readonly #publication: Publication
  readonly #receipt: Receipt
  readonly #collect: CollectCounts

  /** @param receipt in which it is pending twice: for this node and for the others */
  constructor(publication: Publication, receipt: Receipt, collect: CollectCounts) {
    this.#publication = publication
    this.#receipt = receipt
    this.#collect = collect
  }

  onAccepted(cursor: Cursor, isHanded: boolean): void {
    this.#publication.onAccepted(cursor, isHanded)
    this.#collect(cursor, (counts, missing) => this.#receipt.settleElsewhere(counts, missing))
  }

  onRepeated(cursor: Cursor): void {
    this.#publication.onRepeated(cursor)
    this.#receipt.settleElsewhere(NO_DELIVERIES, [])
  }

  onRefused(why: PublishRefusal): void {
    this.#publication.onRefused(why)
    this.#receipt.settleElsewhere(NO_DELIVERIES, [])
  }

  settle(delivered: number, skipped: number, unknown = 0): void {
    this.#publication.settle(delivered, skipped, unknown)
  }

  late(delivered: number): void {
    this.#publication.late(delivered)
  }
}
