// From a message to streams: who must get it, hand it over, count. It knows no HTTP and no sockets,
// and not in which process a stream is.

import { type Result, success } from '../core/errors.ts'
import { encodeFrame } from '../core/frame.ts'
import type { Message } from '../core/message.ts'
import type { Followers } from '../subscriptions/subscriptions.ts'
import type { Outlet } from './outlet.ts'
import { type DeliveryTotals, Receipt } from './receipt.ts'

const NOBODY = new Uint32Array(0)

export class Router implements DeliveryTotals {
  /** Messages taken since the start. */
  accepted = 0
  dropped = 0
  deliveries = 0
  skipped = 0

  readonly #outlet: Outlet
  readonly #followers: Followers

  constructor(outlet: Outlet, followers: Followers) {
    this.#outlet = outlet
    this.#followers = followers
  }

  /** What is to be awaited, if anything, before the messages of bytes just read are published. */
  caughtUp(): Promise<void> | null {
    return this.#outlet.caughtUp()
  }

  /** Settles when the streams keep up with those who publish. */
  async room(): Promise<void> {
    for (let room = this.#outlet.room(); room !== null; room = this.#outlet.room()) await room
  }

  /** A receipt for the messages of one request. */
  receipt(): Receipt {
    return new Receipt(this)
  }

  /**
   * Hands a message to every connected stream that must get it, before the next message; so two
   * messages from one publisher keep their order for every receiver. Hot path: once a message.
   *
   * @param receipt is settled once for it, now or later, unless the message cannot be sent
   */
  publish(message: Message, receipt: Receipt): Result<Receipt> {
    const frame = encodeFrame(message.body)
    if (!frame.ok) return frame
    this.accepted++
    receipt.underWay++
    if ('to' in message) this.#outlet.deliver(message.to, NOBODY, frame.value, receipt)
    else {
      // We are always subscribed to ourselves.
      const followers = this.#followers.subscribersOf(message.subject)
      this.#outlet.deliver(message.subject, followers, frame.value, receipt)
    }
    return success(receipt)
  }
}
