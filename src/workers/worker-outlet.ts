// The parent's outlet: sends a frame to the workers that hold its receivers, once each, and settles
// the receipt by what they acknowledge. When frames are sent is decided in gather.ts.

import { workerLimits } from '../core/limits.ts'
import { Queue } from '../core/queue.ts'
import { Waiter } from '../core/waiter.ts'
import { EVERYONE, type Frame } from '../hub/frame.ts'
import type { Checkpoints, Outlet } from '../hub/outlet.ts'
import type { DeliveryAck } from '../hub/receipt.ts'
import { Batch, type Gathering, type WorkerLink } from './gather.ts'
import type { Presence } from './presence.ts'
import { TO_WORKER, writeFrame } from './protocol.ts'

/** A frame on its way to one or more workers. */
interface PendingDelivery {
  readonly receipt: DeliveryAck
  /** The look during which it was sent. */
  readonly look: number
  /** Workers that are waited for. */
  waiting: number
  delivered: number
  skipped: number
  unknown: number
}

/** The parent's side of one worker. */
class WorkerChannel extends Batch {
  /** Frames that the worker has not answered for. */
  readonly deliveries = new Queue<PendingDelivery>()
  /** How many of its streams each of them is for. */
  readonly streams = new Queue<number>()
  /** The first so many of them were too long without an answer, and are no longer waited for. */
  givenUp = 0
  unackedBytes = 0
  /** Frames that it was ever sent. */
  sent = 0
  /** The look during which it last answered, or was sent a frame when it owed no answer. */
  answeredLook = 0
  /** It has not acknowledged for so long that deliveries no longer wait for it. */
  isHanging = false
  /** Users and subjects whose frames it did not get, being too far behind; it is told of them
   * before its next frame. Null for more than can be listed. */
  skipped: Set<number> | null = new Set()
  /** The frame that is being written to it, and its receivers so far. */
  writing: PendingDelivery | null = null
  readonly receivers: number[] = []
  /** How many of its streams they have. */
  receiving = 0

  get unacked(): number {
    return this.deliveries.length
  }

  /** Frames that it has answered for, or that were lost with the process before. */
  get over(): number {
    return this.sent - this.unacked
  }
}

export interface Presences {
  readonly users: Presence
  readonly subjects: Presence
}

export class WorkerOutlet implements Outlet, Checkpoints {
  /** Who has which users, */
  readonly #presence: Presence
  /** and streams that follow which subjects for themselves. */
  readonly #followed: Presence
  readonly #gathering: Gathering
  readonly #channels: readonly WorkerChannel[]
  /** Workers that get the frame which is being handed over. */
  readonly #touched: WorkerChannel[] = []
  /** Publishers that wait for workers to catch up. */
  readonly #waiter = new Waiter()
  /** Counts the looks for frames without an answer, which go on while there are any. */
  #look = 0
  #isLooking = false

  constructor({ users, subjects }: Presences, workers: number, gathering: Gathering) {
    this.#presence = users
    this.#followed = subjects
    this.#gathering = gathering
    this.#channels = Array.from({ length: workers }, () => new WorkerChannel())
  }

  /** A worker can be reached. */
  connect(worker: number, link: WorkerLink): void {
    this.#channel(worker).link = link
  }

  /** A worker is gone: how much it has passed on of what it has not answered for, is unknown. */
  disconnect(worker: number): void {
    const channel = this.#channel(worker)
    channel.link = null
    this.#giveUp(channel, channel.deliveries.length)
    channel.deliveries.clear()
    channel.streams.clear()
    channel.givenUp = 0
    channel.unackedBytes = 0
    channel.isBusy = false
    channel.isHanging = false
    channel.skipped = new Set()
    this.#waiter.wake()
  }

  /** Bytes that a worker was sent and has not answered for. */
  unackedBytes(worker: number): number {
    return this.#channel(worker).unackedBytes
  }

  /**
   * A worker reports a stream before it welcomes the client. So what a client's welcome has caused
   * comes after that report, but it may be read before it: Bun reads a new connection in the turn
   * in which it accepts it. One whole turn later everything has been read that was there now.
   */
  sync(): Promise<void> {
    return new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
  }

  /** Null if all workers keep up; else settles when one has answered, or those that do not hang. */
  ready(): Promise<void> | null {
    const isFull = this.#channels.some((channel) => !channel.isHanging && isFilling(channel))
    return isFull ? this.#waiter.wait() : null
  }

  /** A worker answers for its frames in their order. */
  checkpoint(): () => boolean {
    const sent = this.#channels.map((channel) => channel.sent)
    return () => this.#channels.every(({ over }, at) => over >= (sent[at] as number))
  }

  /** Hot path: once a message. */
  deliver(user: number, followers: Uint32Array, frame: Frame, receipt: DeliveryAck): void {
    const delivery = this.#pendingOf(receipt)
    this.#address(user, delivery)
    for (const follower of followers) this.#address(follower, delivery)
    if (frame.isAbout && this.#followed.users > 0) this.#addressAbout(frame.target, delivery)
    for (const channel of this.#touched) this.#send(channel, frame)
    this.#touched.length = 0
    if (delivery.waiting === 0) receipt.settle(0, delivery.skipped, delivery.unknown)
  }

  broadcast(frame: Frame, receipt: DeliveryAck): void {
    const delivery = this.#pendingOf(receipt)
    for (const [worker, channel] of this.#channels.entries()) {
      const streams = this.#presence.open[worker] as number
      if (streams === 0) continue
      if (isBehind(channel)) {
        delivery.skipped += streams
        channel.skipped = null
        continue
      }
      channel.writing = delivery
      channel.receivers.length = 0
      channel.receiving = streams
      this.#send(channel, frame)
    }
    if (delivery.waiting === 0) receipt.settle(0, delivery.skipped, delivery.unknown)
  }

  #pendingOf(receipt: DeliveryAck): PendingDelivery {
    const look = this.#look
    return { receipt, look, waiting: 0, delivered: 0, skipped: 0, unknown: 0 }
  }

  /**
   * A worker answers for its oldest frames. Hot path: once a frame.
   *
   * @param answer the bytes of their records, then one count a frame
   */
  ack(worker: number, answer: DataView): void {
    const channel = this.#channel(worker)
    channel.unackedBytes -= answer.getUint32(0, true)
    for (let at = 4; at < answer.byteLength; at += 4) {
      const delivery = channel.deliveries.shift()
      if (delivery === undefined) throw new Error(`worker ${worker} answered for too many frames`)
      channel.streams.shift()
      const delivered = answer.getUint32(at, true)
      if (channel.givenUp === 0) {
        this.#answer(delivery, delivered, 0)
      } else {
        channel.givenUp--
        delivery.receipt.late(delivered)
      }
    }
    if (channel.skipped?.size !== 0 && !isBehind(channel)) this.#tellSkipped(channel)
    this.#gathering.answered(channel)
    channel.isHanging = false
    channel.answeredLook = this.#look
    if (owesAnswers(channel) && !this.#isLooking) this.#lookSoon()
    if (!isFilling(channel)) this.#waiter.wake()
  }

  /** In the place of the frames that the worker did not get. */
  #tellSkipped(channel: WorkerChannel): void {
    const { link, skipped } = channel
    channel.skipped = new Set()
    if (link === null) return
    link.out.begin(TO_WORKER.skipped)
    for (const id of skipped ?? []) link.out.number(id)
    link.out.end()
    link.flushSoon()
  }

  #lookSoon(): void {
    this.#isLooking = true
    setTimeout(() => {
      this.#look++
      for (const channel of this.#channels) this.#lookAt(channel)
      this.#isLooking = false
      if (this.#channels.some(owesAnswers)) this.#lookSoon()
    }, workerLimits.ackCheckEveryMs)
  }

  /**
   * Gives up what a worker has had for too long; and all, if it has not answered at all meanwhile.
   */
  #lookAt(channel: WorkerChannel): void {
    if (!owesAnswers(channel)) return
    const last = this.#look - workerLimits.ackChecksMax
    if (channel.answeredLook <= last) {
      channel.isHanging = true
      this.#giveUp(channel, channel.deliveries.length)
      this.#waiter.wake()
      return
    }
    let end = channel.givenUp
    while ((channel.deliveries.at(end)?.look ?? Number.POSITIVE_INFINITY) <= last) end++
    this.#giveUp(channel, end)
  }

  /** Answers to the first `end` frames are no longer waited for. */
  #giveUp(channel: WorkerChannel, end: number): void {
    while (channel.givenUp < end) {
      const at = channel.givenUp++
      const delivery = channel.deliveries.at(at) as PendingDelivery
      this.#answer(delivery, 0, channel.streams.at(at) as number)
    }
  }

  /** Adds one receiver to the records of the workers that hold it. */
  #address(user: number, delivery: PendingDelivery): void {
    const count = this.#presence.find(user)
    const { workers, streams } = this.#presence.found
    for (let at = 0; at < count; at++) {
      const channel = this.#channel(workers[at] as number)
      if (this.#touch(channel, delivery, user, streams[at] as number)) channel.receivers.push(user)
    }
  }

  /**
   * The frame goes to workers with streams that follow its subject for themselves, too. They know
   * which those are. One that also has it for its user is counted twice here, if its worker is too
   * far behind or does not answer.
   */
  #addressAbout(subject: number, delivery: PendingDelivery): void {
    const count = this.#followed.find(subject)
    const { workers, streams } = this.#followed.found
    for (let at = 0; at < count; at++) {
      this.#touch(this.#channel(workers[at] as number), delivery, subject, streams[at] as number)
    }
  }

  /**
   * The frame is for so many streams of a worker, of a user or that follow a subject. False for a
   * worker that is too far behind.
   */
  #touch(channel: WorkerChannel, delivery: PendingDelivery, id: number, streams: number): boolean {
    if (channel.writing !== delivery) {
      if (isBehind(channel)) {
        delivery.skipped += streams
        skip(channel, id)
        return false
      }
      channel.writing = delivery
      channel.receivers.length = 0
      channel.receiving = 0
      this.#touched.push(channel)
    }
    channel.receiving += streams
    return true
  }

  #send(channel: WorkerChannel, frame: Frame): void {
    const { link, writing, receivers } = channel
    channel.writing = null
    if (link === null || writing === null) return
    const { out } = link
    if (frame.target === EVERYONE) out.begin(TO_WORKER.broadcast)
    else {
      out.begin(TO_WORKER.deliver)
      out.number(receivers.length)
      for (const receiver of receivers) out.number(receiver)
    }
    writeFrame(out, frame)
    channel.unackedBytes += out.end()
    if (channel.unacked === 0) channel.answeredLook = this.#look
    channel.sent++
    channel.deliveries.push(writing)
    channel.streams.push(channel.receiving)
    if (channel.isHanging) {
      channel.givenUp++
      writing.unknown += channel.receiving
    } else {
      writing.waiting++
      if (!this.#isLooking) this.#lookSoon()
    }
    this.#gathering.written(channel)
  }

  #answer(delivery: PendingDelivery, delivered: number, unknown: number): void {
    delivery.delivered += delivered
    delivery.unknown += unknown
    delivery.waiting--
    if (delivery.waiting > 0) return
    delivery.receipt.settle(delivery.delivered, delivery.skipped, delivery.unknown)
  }

  #channel(worker: number): WorkerChannel {
    const channel = this.#channels[worker]
    if (channel === undefined) throw new Error(`there is no worker ${worker}`)
    return channel
  }
}

/** Has it frames to answer for, and is it to be seen whether it does? */
function owesAnswers(channel: WorkerChannel): boolean {
  return channel.unacked > 0 && !channel.isHanging
}

/** Half of the way to being passed over: a publisher that can wait does. */
function isFilling(channel: WorkerChannel): boolean {
  return (
    channel.unackedBytes >= workerLimits.unackedBytesMax / 2 ||
    channel.unacked >= workerLimits.unackedFramesMax / 2
  )
}

/** Of very many, all are told. */
function skip(channel: WorkerChannel, id: number): void {
  channel.skipped?.add(id)
  if ((channel.skipped?.size ?? 0) > workerLimits.skippedMax) channel.skipped = null
}

/** Only so much may be under way to a worker: one that hangs must not fill the parent's memory. */
function isBehind(channel: WorkerChannel): boolean {
  return (
    channel.unackedBytes >= workerLimits.unackedBytesMax ||
    channel.unacked >= workerLimits.unackedFramesMax
  )
}
