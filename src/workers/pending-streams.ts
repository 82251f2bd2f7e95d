// The entrance of a worker: tells the parent of each stream that comes or goes, and lets a stream in
// only when that has been sent, so that anyone who was welcomed misses nothing.

import type { StreamRegistry } from '../hub/registry.ts'
import type { StreamStore } from '../hub/store.ts'
import type { Stream } from '../hub/stream.ts'
import type { Link } from './link.ts'
import { TO_PARENT } from './protocol.ts'

export class PendingStreams implements StreamRegistry {
  readonly #store: StreamStore
  readonly #link: Pick<Link, 'out' | 'flush' | 'flushSoon'>
  /** Streams whose coming the link has not sent yet. There are none unless the parent is behind. */
  #waiting: Stream[] = []
  /** Users of streams that have gone since the last flush. */
  #left: number[] = []

  constructor(store: StreamStore, link: Pick<Link, 'out' | 'flush' | 'flushSoon'>) {
    this.#store = store
    this.#link = link
  }

  /**
   * The parent is told before the client is welcomed. So when the client, having read its welcome,
   * lets somebody publish, the word is with the parent before the message is.
   */
  enter(user: number, stream: Stream): void {
    stream.user = user
    const { out } = this.#link
    out.begin(TO_PARENT.came)
    out.number(user)
    out.end()
    if (this.#link.flush()) this.#store.enter(user, stream)
    else this.#waiting.push(stream)
  }

  flushed(stream: Stream): void {
    this.#store.flushed(stream)
  }

  left(stream: Stream): void {
    if (stream.state !== 'opening') this.#store.left(stream)
    // It waits still, and will be passed over.
    else stream.state = 'client'
  }

  /** The link has sent all that was written to it. */
  onSent(): void {
    if (this.#waiting.length === 0) return
    const waiting = this.#waiting
    this.#waiting = []
    for (const stream of waiting) {
      if (stream.state === 'opening') this.#store.enter(stream.user, stream)
      else this.gone(stream)
    }
  }

  /** Ends the streams that wait, properly and without a welcome. */
  drain(): void {
    for (const stream of this.#waiting) {
      if (stream.state !== 'opening') continue
      stream.state = 'drained'
      stream.close('drained')
    }
  }

  /** A stream has ended, whatever the reason; the store tells. */
  gone(stream: Stream): void {
    this.#left.push(stream.user)
    this.#link.flushSoon()
  }

  /** Writes down who has gone; all have been told of as having come. */
  report(): void {
    if (this.#left.length === 0) return
    const { out } = this.#link
    out.begin(TO_PARENT.left)
    for (const user of this.#left) out.number(user)
    out.end()
    this.#left = []
  }
}
