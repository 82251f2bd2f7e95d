// The stream registry of a worker: reports the streams that open or close to the parent, those of
// one turn of the loop together, and registers a stream only once that has been sent, so that a
// client that was welcomed misses nothing.

import type { StreamStore } from '../hub/store.ts'
import type { StreamRegistry } from '../hub/stream.ts'
import type { SubjectsOwner } from '../hub/stream-subjects.ts'
import type { Link } from './link.ts'
import { TO_PARENT } from './protocol.ts'

export class PendingStreams implements StreamRegistry, SubjectsOwner {
  readonly #store: StreamStore
  readonly #link: Pick<Link, 'out' | 'flushSoon'>
  /** Slots of streams that have opened since the last {@link report}. */
  #opened: number[] = []
  /** Slots of streams that were reported, in bytes that the link has not sent yet. */
  #reported: number[] = []
  /** These since the last {@link report}: users of streams that were closed, */
  #closed: number[] = []
  /** and subjects that streams follow for themselves, and do so no longer. */
  #followed: number[] = []
  #unfollowed: number[] = []

  constructor(store: StreamStore, link: Pick<Link, 'out' | 'flushSoon'>) {
    this.#store = store
    this.#link = link
  }

  /**
   * The parent is told before the client is welcomed. So when a message is published because a
   * client has read its welcome, the parent knows of the stream before it has the message. Hot
   * path: once a stream.
   */
  register(slot: number): void {
    this.#opened.push(slot)
    this.#link.flushSoon()
  }

  /** The link has sent all that was written to it. */
  onSent(): void {
    if (this.#reported.length === 0) return
    const reported = this.#reported
    this.#reported = []
    for (const slot of reported) {
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
    this.#reportOpened()
    const reported = this.#reported
    this.#reported = []
    for (const slot of reported) {
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

  onFollow(subject: number): void {
    this.#followed.push(subject)
    this.#link.flushSoon()
  }

  onUnfollow(subject: number): void {
    this.#unfollowed.push(subject)
    this.#link.flushSoon()
  }

  /** Reports the streams that have opened and those that were closed, which had opened before. */
  report(): void {
    this.#reportOpened()
    this.#list(TO_PARENT.unfollowed, this.#unfollowed)
    this.#list(TO_PARENT.closed, this.#closed)
    this.#unfollowed = []
    this.#closed = []
  }

  #list(kind: number, numbers: readonly number[]): void {
    if (numbers.length === 0) return
    const { out } = this.#link
    out.begin(kind)
    for (const number of numbers) out.number(number)
    out.end()
  }

  #reportOpened(): void {
    this.#list(TO_PARENT.followed, this.#followed)
    this.#followed = []
    if (this.#opened.length === 0) return
    const { out } = this.#link
    out.begin(TO_PARENT.opened)
    for (const slot of this.#opened) {
      out.number(this.#store.userOf(slot))
      this.#reported.push(slot)
    }
    out.end()
    this.#opened = []
  }
}
