// The receipt of one request's messages: how many connections took them, counted as the streams
// acknowledge, at once in this process and a moment later in a worker; and how long delivery took.

import type { Clock } from '../core/clock.ts'
import type { Histogram } from '../core/histogram.ts'
import { Waiter } from '../core/waiter.ts'

/** The server's totals that receipts add to. */
export interface DeliveryTotals {
  /** Messages without a connected receiver. */
  dropped: number
  /** Frames delivered to streams. */
  deliveries: number
  /** Connections that were passed over, since their worker was too far behind. */
  skipped: number
  /**
   * Connections whose worker did not acknowledge in time. Those that took the message all the same
   * are counted as deliveries too, once it does.
   */
  unknown: number
}

/** Where the acknowledgements of one message go. */
export interface DeliveryAck {
  /** The streams answer for one message; exactly once each. Hot path: once a message. */
  settle(delivered: number, skipped: number, unknown?: number): void
  /** Connections that were said to be unknown have taken the message after all. */
  late(delivered: number): void
}

export class Receipt implements DeliveryAck {
  /** Connections that took the messages. */
  delivered = 0
  /** Connections that were passed over, since their worker was too far behind. */
  skipped = 0
  /** Connections whose worker did not acknowledge in time. */
  unknown = 0
  /** Messages that the streams have not answered for. */
  pending = 0
  /** Where the last message is in the log; before there is one, the number is 0. */
  epoch = 0
  number = 0
  readonly #totals: DeliveryTotals
  /** Null before anyone waits. */
  #waiter: Waiter | null = null
  #onSettled: ((receipt: Receipt) => void) | null = null

  constructor(totals: DeliveryTotals) {
    this.#totals = totals
  }

  settle(delivered: number, skipped: number, unknown = 0): void {
    this.pending--
    this.delivered += delivered
    this.skipped += skipped
    this.unknown += unknown
    this.#totals.deliveries += delivered
    this.#totals.skipped += skipped
    this.#totals.unknown += unknown
    if (delivered + skipped + unknown === 0) this.#totals.dropped++
    this.#waiter?.update(this.pending)
    if (this.pending > 0 || this.#onSettled === null) return
    const onSettled = this.#onSettled
    this.#onSettled = null
    onSettled(this)
  }

  /** Too late for this receipt, which counts them as unknown. */
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

/**
 * One message that is timed: stands before its receipt, and notes how long the streams took. Of one
 * that some did not answer for, it is not known.
 */
export class TimedReceipt implements DeliveryAck {
  readonly #receipt: Receipt
  readonly #seconds: Histogram
  readonly #clock: Clock
  readonly #startedMs: number

  constructor(receipt: Receipt, seconds: Histogram, clock: Clock) {
    this.#receipt = receipt
    this.#seconds = seconds
    this.#clock = clock
    this.#startedMs = clock.elapsedMs()
  }

  settle(delivered: number, skipped: number, unknown = 0): void {
    if (unknown === 0) this.#seconds.record((this.#clock.elapsedMs() - this.#startedMs) / 1000)
    this.#receipt.settle(delivered, skipped, unknown)
  }

  late(delivered: number): void {
    this.#receipt.late(delivered)
  }
}
