// The parent's outlet: from a frame and its receivers to the workers that hold them, and from what
// the workers answer back to the receipt. A frame crosses to a worker once, with all its receivers
// there. When frames cross is in gather.ts.

import { workerLimits } from '../core/limits.ts'
import type { Frame } from '../hub/frame.ts'
import type { Outlet } from '../hub/outlet.ts'
import type { Settles } from '../hub/receipt.ts'
import { Batch, type Gathering, type WorkerLink } from './gather.ts'
import type { Presence } from './presence.ts'
import { TO_WORKER } from './protocol.ts'

/** A frame on its way to one or more workers. */
interface Handover {
  readonly receipt: Settles
  /** The look during which it was sent. */
  readonly look: number
  /** Workers that are waited for. */
  waiting: number
  delivered: number
  skipped: number
  unknown: number
}

/** The parent's side of one worker. */
class Way extends Batch {
  /** Frames that the worker has not answered for, in their order, from `first` on. */
  handovers: Handover[] = []
  /** How many of its streams each of them is for. */
  streams: number[] = []
  first = 0
  /** The first of them that is still waited for; those before were too long without an answer. */
  awaited = 0
  unansweredBytes = 0
  /** The look during which it last answered, or was sent a frame when it owed no answer. */
  answeredLook = 0
  /** It has not answered for so long that nobody waits for it. */
  isHanging = false
  /** The frame that is being written to it, and its receivers so far. */
  writing: Handover | null = null
  readonly receivers: number[] = []
  /** How many of its streams they have. */
  receiving = 0

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
  #room: { promise: Promise<void>; resolve: () => void } | null = null
  /** Counts the looks for frames without an answer, which go on while there are any. */
  #look = 0
  #isLooking = false

  constructor(presence: Presence, workers: number, gathering: Gathering) {
    this.#presence = presence
    this.#gathering = gathering
    this.#ways = Array.from({ length: workers }, () => new Way())
  }

  /** A worker can be reached. */
  connect(worker: number, link: WorkerLink): void {
    this.#way(worker).link = link
  }

  /** A worker is gone: how much it has passed on of what it has not answered for, is unknown. */
  disconnect(worker: number): void {
    const way = this.#way(worker)
    way.link = null
    this.#giveUp(way, way.handovers.length)
    way.handovers = []
    way.streams = []
    way.first = 0
    way.awaited = 0
    way.unansweredBytes = 0
    way.isBusy = false
    way.isHanging = false
    this.#wake()
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
      this.#room = Promise.withResolvers<void>()
    }
    return this.#room.promise
  }

  #wake(): void {
    const room = this.#room
    if (room === null) return
    this.#room = null
    room.resolve()
  }

  /** Hot path: once a message. */
  deliver(user: number, followers: Uint32Array, frame: Frame, receipt: Settles): void {
    const look = this.#look
    const handover: Handover = { receipt, look, waiting: 0, delivered: 0, skipped: 0, unknown: 0 }
    this.#address(user, handover)
    for (const follower of followers) this.#address(follower, handover)
    for (const way of this.#touched) this.#send(way, frame)
    this.#touched.length = 0
    if (handover.waiting === 0) receipt.settle(0, handover.skipped, handover.unknown)
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
      const isAwaited = way.first >= way.awaited
      const handover = way.handovers[way.first++]
      if (handover === undefined) throw new Error(`worker ${worker} answered for too many frames`)
      const delivered = answer.getUint32(at, true)
      if (isAwaited) this.#answer(handover, delivered, 0)
      else handover.receipt.late(delivered)
    }
    way.awaited = Math.max(way.awaited, way.first)
    this.#gathering.answered(way, way.unanswered > 0)
    way.isHanging = false
    way.answeredLook = this.#look
    if (owesAnswers(way) && !this.#isLooking) this.#lookSoon()
    if (!isFilling(way)) this.#wake()
    // Moving the others down each time would cost more.
    if (way.first > 1_024 && way.first * 2 > way.handovers.length) {
      way.handovers = way.handovers.slice(way.first)
      way.streams = way.streams.slice(way.first)
      way.awaited -= way.first
      way.first = 0
    }
  }

  #lookSoon(): void {
    this.#isLooking = true
    setTimeout(() => {
      this.#look++
      for (const way of this.#ways) this.#lookAt(way)
      this.#isLooking = false
      if (this.#ways.some(owesAnswers)) this.#lookSoon()
    }, workerLimits.answerLookMs)
  }

  /** Gives up what a worker has had for too long; and all, if it has not answered at all meanwhile. */
  #lookAt(way: Way): void {
    if (!owesAnswers(way)) return
    const last = this.#look - workerLimits.answerLooksMax
    if (way.answeredLook <= last) {
      way.isHanging = true
      this.#giveUp(way, way.handovers.length)
      this.#wake()
      return
    }
    let end = way.awaited
    while (end < way.handovers.length && (way.handovers[end] as Handover).look <= last) end++
    this.#giveUp(way, end)
  }

  /** Nobody waits any more for the answers to the frames before `end`. */
  #giveUp(way: Way, end: number): void {
    while (way.awaited < end) {
      const at = way.awaited++
      this.#answer(way.handovers[at] as Handover, 0, way.streams[at] as number)
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
        way.receiving = 0
        this.#touched.push(way)
      }
      way.receivers.push(user)
      way.receiving += streams[at] as number
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
    if (way.unanswered === 0) way.answeredLook = this.#look
    way.handovers.push(writing)
    way.streams.push(way.receiving)
    if (way.isHanging) {
      way.awaited++
      writing.unknown += way.receiving
    } else {
      writing.waiting++
      if (!this.#isLooking) this.#lookSoon()
    }
    this.#gathering.written(way)
  }

  #answer(handover: Handover, delivered: number, unknown: number): void {
    handover.delivered += delivered
    handover.unknown += unknown
    handover.waiting--
    if (handover.waiting > 0) return
    handover.receipt.settle(handover.delivered, handover.skipped, handover.unknown)
  }

  #way(worker: number): Way {
    const way = this.#ways[worker]
    if (way === undefined) throw new Error(`there is no worker ${worker}`)
    return way
  }
}

/** Has it frames to answer for, and is it to be seen whether it does? */
function owesAnswers(way: Way): boolean {
  return way.unanswered > 0 && !way.isHanging
}

/** Half of the way to being passed over: a publisher that can wait does. */
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
