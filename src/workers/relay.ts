// The parent's outlet: from a frame and its receivers to the workers that hold them, and from what
// the workers answer back to the receipt. A frame crosses to a worker once, with all its receivers
// there. When frames cross is in gather.ts.

import type { Frame } from '../core/frame.ts'
import { workerLimits } from '../core/limits.ts'
import type { Outlet } from '../router/outlet.ts'
import type { Settles } from '../router/receipt.ts'
import { Batch, type Gathering, type WorkerLink } from './gather.ts'
import type { Presence } from './presence.ts'
import { TO_WORKER } from './protocol.ts'

/** A frame on its way to one or more workers. */
interface Handover {
  readonly receipt: Settles
  /** Workers that have not answered yet. */
  waiting: number
  delivered: number
  skipped: number
}

/** The parent's side of one worker. */
class Way extends Batch {
  /** Frames that the worker has not answered for, in their order, from `first` on. */
  handovers: Handover[] = []
  first = 0
  unansweredBytes = 0
  /** It has not answered for so long that nobody waits for it. */
  isHanging = false
  /** The frame that is being written to it, and its receivers so far. */
  writing: Handover | null = null
  readonly receivers: number[] = []

  get unanswered(): number {
    return this.handovers.length - this.first
  }
}

export class Relay implements Outlet {
  readonly #presence: Presence
  readonly #gathering: Gathering
  readonly #ways: readonly Way[]
  /** Workers that get the frame which is being handed over. */
  readonly #touched: Way[] = []
  /** Publishers that wait for workers to catch up, all for the same moment. */
  #room: { promise: Promise<void>; resolve: () => void; timer: Timer } | null = null

  constructor(presence: Presence, workers: number, gathering: Gathering) {
    this.#presence = presence
    this.#gathering = gathering
    this.#ways = Array.from({ length: workers }, () => new Way())
  }

  /** A worker can be reached. */
  connect(worker: number, link: WorkerLink): void {
    this.#way(worker).link = link
  }

  /** A worker is gone: whatever it has not answered for, it has not taken. */
  disconnect(worker: number): void {
    const way = this.#way(worker)
    way.link = null
    const { handovers, first } = way
    way.handovers = []
    way.first = 0
    way.unansweredBytes = 0
    way.isBusy = false
    way.isHanging = false
    this.#wake()
    for (let at = first; at < handovers.length; at++) this.#answer(handovers[at] as Handover, 0)
  }

  /** Bytes that a worker was sent and has not answered for. */
  unansweredBytes(worker: number): number {
    return this.#way(worker).unansweredBytes
  }

  /**
   * A worker tells of a stream before it welcomes the client. So what a client's welcome has caused
   * comes after that word, but it may be read before it: Bun reads a new connection in the turn in
   * which it accepts it. One whole turn later everything has been read that was there now.
   */
  caughtUp(): Promise<void> {
    return new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
  }

  /** Null if all workers keep up; else settles when one has answered, or those that do not hang. */
  room(): Promise<void> | null {
    const full = this.#ways.filter((way) => !way.isHanging && isFilling(way))
    if (full.length === 0) return null
    if (this.#room === null) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(() => {
        for (const way of full) way.isHanging = isFilling(way)
        this.#wake()
      }, workerLimits.roomMs)
      this.#room = { promise, resolve, timer }
    }
    return this.#room.promise
  }

  #wake(): void {
    const room = this.#room
    if (room === null) return
    clearTimeout(room.timer)
    this.#room = null
    room.resolve()
  }

  /** Hot path: once a message. */
  deliver(user: number, followers: Uint32Array, frame: Frame, receipt: Settles): void {
    const handover: Handover = { receipt, waiting: 0, delivered: 0, skipped: 0 }
    this.#address(user, handover)
    for (const follower of followers) this.#address(follower, handover)
    for (const way of this.#touched) this.#send(way, frame)
    this.#touched.length = 0
    if (handover.waiting === 0) receipt.settle(0, handover.skipped)
  }

  /**
   * A worker answers for its oldest frames. Hot path: once a frame.
   *
   * @param answer the bytes of their records, then one count a frame
   */
  took(worker: number, answer: DataView): void {
    const way = this.#way(worker)
    way.unansweredBytes -= answer.getUint32(0, true)
    for (let at = 4; at < answer.byteLength; at += 4) {
      const handover = way.handovers[way.first++]
      if (handover === undefined) throw new Error(`worker ${worker} answered for too many frames`)
      this.#answer(handover, answer.getUint32(at, true))
    }
    this.#gathering.answered(way, way.unanswered > 0)
    way.isHanging = false
    if (!isFilling(way)) this.#wake()
    // Moving the others down each time would cost more.
    if (way.first > 1_024 && way.first * 2 > way.handovers.length) {
      way.handovers = way.handovers.slice(way.first)
      way.first = 0
    }
  }

  /** Adds one receiver to the records of the workers that hold it. */
  #address(user: number, handover: Handover): void {
    const count = this.#presence.find(user)
    if (count === 0) return
    const { workers, streams } = this.#presence.found
    for (let at = 0; at < count; at++) {
      const way = this.#way(workers[at] as number)
      if (way.writing !== handover) {
        if (isBehind(way)) {
          handover.skipped += streams[at] as number
          continue
        }
        way.writing = handover
        way.receivers.length = 0
        this.#touched.push(way)
      }
      way.receivers.push(user)
    }
  }

  #send(way: Way, frame: Frame): void {
    const { link, writing, receivers } = way
    way.writing = null
    if (link === null || writing === null) return
    const { out } = link
    out.begin(TO_WORKER.deliver)
    out.number(receivers.length)
    for (const receiver of receivers) out.number(receiver)
    out.bytes(frame.bytes)
    way.unansweredBytes += out.end()
    way.handovers.push(writing)
    writing.waiting++
    this.#gathering.written(way)
  }

  #answer(handover: Handover, delivered: number): void {
    handover.delivered += delivered
    handover.waiting--
    if (handover.waiting > 0) return
    handover.receipt.settle(handover.delivered, handover.skipped)
  }

  #way(worker: number): Way {
    const way = this.#ways[worker]
    if (way === undefined) throw new Error(`there is no worker ${worker}`)
    return way
  }
}

/** Half of the way to being passed over: whoever can wait does. */
function isFilling(way: Way): boolean {
  return (
    way.unansweredBytes >= workerLimits.unansweredBytesMax / 2 ||
    way.unanswered >= workerLimits.unansweredFramesMax / 2
  )
}

/** Only so much may be under way to a worker: one that hangs must not fill the parent's memory. */
function isBehind(way: Way): boolean {
  return (
    way.unansweredBytes >= workerLimits.unansweredBytesMax ||
    way.unanswered >= workerLimits.unansweredFramesMax
  )
}
