// From a message to streams: who must get it, hand it over, count. It knows no HTTP and no sockets.

import { type Result, success } from '../core/errors.ts'
import { encodeFrame } from '../core/frame.ts'
import type { Message } from '../core/message.ts'
import type { StreamStore } from '../stream/store.ts'
import type { Followers } from '../subscriptions/subscriptions.ts'

export class Router {
  /** Messages taken since the start. */
  accepted = 0
  /** Messages that found nobody connected. */
  dropped = 0
  /** Frames handed to streams. */
  deliveries = 0

  readonly #streams: StreamStore
  readonly #followers: Followers

  constructor(streams: StreamStore, followers: Followers) {
    this.#streams = streams
    this.#followers = followers
  }

  /**
   * Hands a message to every connected stream that must get it, before it returns; so two messages
   * from one publisher keep their order for every receiver. Hot path: once a message.
   *
   * @returns how many connections took it, or why the message cannot be sent
   */
  publish(message: Message): Result<number> {
    const frame = encodeFrame(message.body)
    if (!frame.ok) return frame
    let delivered: number
    if ('to' in message) {
      delivered = this.#streams.deliver(message.to, frame.value)
    } else {
      // We are always subscribed to ourselves.
      delivered = this.#streams.deliver(message.subject, frame.value)
      for (const subscriber of this.#followers.subscribersOf(message.subject)) {
        delivered += this.#streams.deliver(subscriber, frame.value)
      }
    }
    this.accepted++
    this.deliveries += delivered
    if (delivered === 0) this.dropped++
    return success(delivered)
  }
}
