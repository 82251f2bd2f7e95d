// What the publisher of one request will be told: how many connections took its messages, counted
// as the streams answer, which is at once in this process and a moment later in a worker.

/** The server's totals that receipts add to. */
export interface DeliveryTotals {
  /** Messages that found nobody connected. */
  dropped: number
  /** Frames handed to streams. */
  deliveries: number
  /** Connections that were passed over, since their worker was too far behind. */
  skipped: number
}

export class Receipt {
  /** Connections that took the messages. */
  delivered = 0
  /** Connections that were passed over, since their worker was too far behind. */
  skipped = 0
  /** Messages that the streams have not answered for. */
  underWay = 0
  readonly #totals: DeliveryTotals
  /** Wakes the one who waits for few enough messages to be under way. */
  #wake: { readonly resolve: () => void; readonly count: number } | null = null

  constructor(totals: DeliveryTotals) {
    this.#totals = totals
  }

  /** The streams answer for one message; exactly once each. Hot path: once a message. */
  settle(delivered: number, skipped: number): void {
    this.underWay--
    this.delivered += delivered
    this.skipped += skipped
    this.#totals.deliveries += delivered
    this.#totals.skipped += skipped
    if (delivered + skipped === 0) this.#totals.dropped++
    if (this.#wake === null || this.underWay > this.#wake.count) return
    this.#wake.resolve()
    this.#wake = null
  }

  /** Waits until no more than `count` messages are under way. One at a time may wait. */
  async downTo(count: number): Promise<void> {
    if (this.underWay <= count) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wake = { resolve, count }
    await promise
  }
}
