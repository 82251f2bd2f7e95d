// The stream registry of a worker: reports each stream that opens or closes to the parent, and
// registers a stream only once that has been sent, so that a client that was welcomed misses
// nothing.

import type { StreamStore } from '../hub/store.ts'
import type { StreamRegistry } from '../hub/stream.ts'
import type { Link } from './link.ts'
import { TO_PARENT } from './protocol.ts'

export class PendingStreams implements StreamRegistry {
  readonly #store: StreamStore
  readonly #link: Pick<Link, 'out' | 'flush' | 'flushSoon'>
  /** Slots of streams that the link has not reported yet. None unless the parent is behind. */
  #waiting: number[] = []
  /** Users of streams that were closed since the last flush. */
  #closed: number[] = []

  constructor(store: StreamStore, link: Pick<Link, 'out' | 'flush' | 'flushSoon'>) {
    this.#store = store
    this.#link = link
  }

  /**
   * The parent is told before the client is welcomed. So when a message is published because a
   * client has read its welcome, the parent knows of the stream before it has the message.
   */
  register(slot: number): void {
    const { out } = this.#link
    out.begin(TO_PARENT.opened)
    out.number(this.#store.userOf(slot))
    out.end()
    if (this.#link.flush()) this.#store.register(slot)
    else this.#waiting.push(slot)
  }

  /** The link has sent all that was written to it. */
  onSent(): void {
    if (this.#waiting.length === 0) return
    const waiting = this.#waiting
    this.#waiting = []
    for (const slot of waiting) {
      if (this.#store.isOpening(slot)) this.#store.register(slot)
      else this.#forget(slot)
    }
  }

  /** Its client left while it waited. */
  #forget(slot: number): void {
    this.onEnd(this.#store.userOf(slot))
    this.#store.forget(slot)
  }

  /** Ends the streams that wait, properly and without a welcome. */
  drain(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const slot of waiting) {
      if (this.#store.isOpening(slot)) {
        this.onEnd(this.#store.userOf(slot))
        this.#store.endOpening(slot)
      } else this.#forget(slot)
    }
  }

  /** A stream of this user has ended, for any reason; the store calls it. */
  onEnd(user: number): void {
    this.#closed.push(user)
    this.#link.flushSoon()
  }

  /** Reports the streams that were closed; all of them were reported as opened before. */
  report(): void {
    if (this.#closed.length === 0) return
    const { out } = this.#link
    out.begin(TO_PARENT.closed)
    for (const user of this.#closed) out.number(user)
    out.end()
    this.#closed = []
  }
}
