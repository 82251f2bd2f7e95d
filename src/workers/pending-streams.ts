// The stream registry of a worker: reports each stream that opens or closes to the parent, and
// registers a stream only once that has been sent, so that a client that was welcomed misses
// nothing.

import type { StreamStore } from '../hub/store.ts'
import type { Stream, StreamRegistry } from '../hub/stream.ts'
import type { Link } from './link.ts'
import { TO_PARENT } from './protocol.ts'

export class PendingStreams implements StreamRegistry {
  readonly #store: StreamStore
  readonly #link: Pick<Link, 'out' | 'flush' | 'flushSoon'>
  /** Streams that the link has not reported yet. There are none unless the parent is behind. */
  #waiting: Stream[] = []
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
  register(user: number, stream: Stream): void {
    stream.user = user
    const { out } = this.#link
    out.begin(TO_PARENT.opened)
    out.number(user)
    out.end()
    if (this.#link.flush()) this.#store.register(user, stream)
    else this.#waiting.push(stream)
  }

  onFlushed(stream: Stream): void {
    this.#store.onFlushed(stream)
  }

  onClose(stream: Stream): void {
    if (stream.state !== 'opening') this.#store.onClose(stream)
    // It still waits, and onSent skips it.
    else stream.state = 'client'
  }

  /** The link has sent all that was written to it. */
  onSent(): void {
    if (this.#waiting.length === 0) return
    const waiting = this.#waiting
    this.#waiting = []
    for (const stream of waiting) {
      if (stream.state === 'opening') this.#store.register(stream.user, stream)
      else this.onEnd(stream)
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

  /** A stream has ended, for any reason; the store calls it. */
  onEnd(stream: Stream): void {
    this.#closed.push(stream.user)
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
