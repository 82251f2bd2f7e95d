// The stream registry of a worker: reports the streams that open or close to the parent, those of
// one turn of the loop together. It registers a stream only once that has been sent, so that a
// client that was welcomed misses nothing; and one that is told where it is in the log, once the
// parent has said so.

import type { Broadcasts } from '../hub/broadcast.ts'
import type { CloseReason } from '../hub/refusals.ts'
import { ResumeQueue } from '../hub/resume-queue.ts'
import type { StreamStore } from '../hub/store.ts'
import type { StreamBeginning, StreamFrom, StreamRegistry } from '../hub/stream.ts'
import type { SubjectsOwner } from '../hub/stream-subjects.ts'
import type { SubjectsChange } from '../hub/subject-changes.ts'
import { type BeginRequest, writeBeginRequest } from './beginnings.ts'
import type { Link } from './link.ts'
import { TO_PARENT } from './protocol.ts'
import { RemoteSubjects } from './remote-subjects.ts'
import { writeClosed, writeOpened } from './worker-connections.ts'

type PendingLink = Pick<Link, 'out' | 'json' | 'flushSoon'>
type PendingBroadcasts = Pick<Broadcasts, 'register' | 'inOrder'>

/** What the parent was asked about a stream. */
type Asked = Pick<BeginRequest, 'from' | 'isLate'>

export class PendingStreams implements StreamRegistry, SubjectsOwner {
  readonly #store: StreamStore
  readonly #link: PendingLink
  readonly #broadcasts: PendingBroadcasts
  readonly subjects: RemoteSubjects
  readonly #queue: ResumeQueue
  /** Where streams are to begin that the parent was asked about, by slot; bounded by the streams
   * that there is room for. */
  readonly #asked = new Map<number, Asked>()
  /** The same of those that the parent cannot say it of yet, and does not know of. */
  readonly #waiting = new Map<number, StreamFrom>()
  /** Slots of those that the parent is to be asked about by the next {@link report}. */
  #asking: number[] = []
  #isDraining = false
  /** Slots of streams that have opened since the last {@link report}. */
  #opened: number[] = []
  /** Slots of streams that were reported, in bytes that the link has not sent yet. */
  #reported: number[] = []
  /** These since the last {@link report}: slots of streams that were closed, and why, */
  #closed: number[] = []
  readonly #reasons: CloseReason[] = []
  /** and subjects that streams follow for themselves, and do so no longer. */
  #followed: number[] = []
  #unfollowed: number[] = []

  constructor(store: StreamStore, link: PendingLink, broadcasts: PendingBroadcasts) {
    this.#store = store
    this.#link = link
    this.#broadcasts = broadcasts
    this.#queue = new ResumeQueue(store, (...stream) => this.#ask(...stream))
    this.subjects = new RemoteSubjects(store, link, broadcasts, this)
  }

  /**
   * The parent is told before the client is welcomed. So when a message is published because a
   * client has read its welcome, the parent knows of the stream before it has the message. Hot
   * path: once a stream.
   */
  register(slot: number, from: StreamFrom | null): void {
    if (from !== null) {
      this.#queue.add(slot, from)
      return
    }
    this.#opened.push(slot)
    this.#link.flushSoon()
  }

  #ask(slot: number, from: StreamFrom, isLate: boolean): void {
    if (this.#store.isOpening(slot)) {
      this.#asked.set(slot, { from, isLate })
      this.#asking.push(slot)
      this.#link.flushSoon()
    } else {
      // Its client left while it waited, and the parent does not know of it.
      this.#store.forget(slot)
      this.#queue.onBegun(from)
    }
  }

  /** The parent says where a stream begins; all later messages for it come from now on. */
  onBeginning(slot: number, beginning: StreamBeginning): void {
    const from = this.#answered(slot)
    if (this.#isDraining) {
      this.onEnd(slot, 'drained')
      return
    }
    this.#broadcasts.register(slot, beginning)
    this.#queue.onBegun(from)
  }

  #answered(slot: number): StreamFrom {
    const asked = this.#asked.get(slot)
    if (asked === undefined) throw new Error(`the parent was not asked about slot ${slot}`)
    this.#asked.delete(slot)
    return asked.from
  }

  /** The parent does not know yet where a stream begins: others go on meanwhile. */
  onWait(slot: number): void {
    const from = this.#answered(slot)
    if (this.#isDraining) return
    this.#waiting.set(slot, from)
    this.#queue.onBegun(from)
  }

  /** The parent is to be asked again. */
  onAgain(slot: number, isLate: boolean): void {
    const from = this.#waiting.get(slot)
    // It was ended while it waited.
    if (from === undefined) return
    this.#waiting.delete(slot)
    if (this.#store.isOpening(slot)) this.#queue.add(slot, from, isLate)
    else this.#store.forget(slot)
  }

  change(change: SubjectsChange): void {
    this.subjects.ask(change)
  }

  /** The link has sent all that was written to it. */
  onSent(): void {
    if (this.#reported.length === 0) return
    const reported = this.#reported
    this.#reported = []
    for (const slot of reported) {
      if (this.#store.isOpening(slot)) this.#store.register(slot)
      else this.onGone(slot)
    }
  }

  /** The client of a stream that the parent knows of left while it waited. */
  onGone(slot: number): void {
    this.onEnd(slot, 'client')
    this.#store.forget(slot)
  }

  /** Ends the streams that wait, properly and without a welcome. */
  drain(): void {
    this.#reportClosed()
    this.#reportOpened()
    const reported = this.#reported
    this.#reported = []
    for (const slot of reported) {
      if (this.#store.isOpening(slot)) {
        this.onEnd(slot, 'drained')
        this.#store.endOpening(slot)
      } else this.onGone(slot)
    }
    this.#isDraining = true
    const waiting = [...this.#waiting.keys()]
    this.#waiting.clear()
    for (const slot of [...this.#asked.keys(), ...waiting, ...this.#queue.drain()]) {
      if (this.#store.isOpening(slot)) this.#store.endOpening(slot)
      else this.#store.forget(slot)
    }
  }

  /** A stream has ended; the store calls it. */
  onEnd(slot: number, reason: CloseReason): void {
    this.#closed.push(slot)
    this.#reasons.push(reason)
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

  /**
   * Reports the streams that were closed, which were reported before, and those that have opened,
   * which may have their slots.
   */
  report(): void {
    this.#reportClosed()
    this.#reportOpened()
    this.#list(TO_PARENT.unfollowed, this.#unfollowed)
    this.#unfollowed = []
  }

  #reportClosed(): void {
    if (this.#closed.length === 0) return
    const { out } = this.#link
    out.begin(TO_PARENT.closed)
    for (const [at, slot] of this.#closed.entries()) {
      writeClosed(out, slot, this.#reasons[at] as CloseReason)
    }
    out.end()
    this.#closed = []
    this.#reasons.length = 0
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
    const { out } = this.#link
    for (const slot of this.#asking) {
      const asked = this.#asked.get(slot)
      if (asked === undefined) continue
      const [user, sinceUs] = [this.#store.userOf(slot), this.#store.connected.stamp(slot)]
      const subjects = this.#store.subjectsOf(slot)
      writeBeginRequest(out, { slot, user, sinceUs, subjects, ...asked })
    }
    this.#asking = []
    if (this.#opened.length === 0) return
    out.begin(TO_PARENT.opened)
    for (const slot of this.#opened) {
      writeOpened(out, slot, this.#store.userOf(slot), this.#store.connected.stamp(slot))
      this.#reported.push(slot)
    }
    out.end()
    this.#opened = []
  }
}
