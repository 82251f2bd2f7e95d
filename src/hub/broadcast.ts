// Messages for every open stream: sent in several turns of the event loop, so that all others have
// theirs, and before every message that is published later, which waits as long.

import { deliveryLimits } from '../core/limits.ts'
import { Queue } from '../core/queue.ts'
import { Waiter } from '../core/waiter.ts'
import type { Frame } from './frame.ts'
import type { DeliveryAck } from './receipt.ts'
import type { StreamStore } from './store.ts'
import type { StreamBeginning } from './stream.ts'

/** A message that waits until a broadcast is over, */
interface WaitingDelivery {
  readonly frame: Frame
  readonly ack: DeliveryAck
  /** Null for all streams. */
  readonly receivers: Uint32Array | null
}

/** a stream, which has all messages before it already, or is not to have them, */
interface WaitingStream {
  readonly slot: number
  readonly beginning: StreamBeginning
}

/** and what is to be done between them. */
interface WaitingAction {
  readonly run: () => void
}

export class Broadcasts {
  readonly #store: StreamStore
  /** Bounded by publishers, who await {@link ready} between their messages; in a worker by its
   * parent, which leaves out a worker that is behind. */
  readonly #waiting = new Queue<WaitingDelivery | WaitingStream | WaitingAction>()
  readonly #waiter = new Waiter()
  #isBusy = false
  /** Deliveries that ever waited. */
  #waited = 0

  readonly #onGone: (slot: number) => void

  /** @param onGone is told of a stream whose client left while it waited */
  constructor(store: StreamStore, onGone: (slot: number) => void = (slot) => store.forget(slot)) {
    this.#store = store
    this.#onGone = onGone
  }

  /** Does a broadcast go on, so that a delivery must {@link wait}? Hot path: once a message. */
  get isBusy(): boolean {
    return this.#isBusy
  }

  /** Settles once no broadcast goes on; null if none does. */
  ready(): Promise<void> | null {
    return this.#isBusy ? this.#waiter.wait() : null
  }

  /** A delivery that comes while a broadcast goes on. */
  wait(receivers: Uint32Array, frame: Frame, ack: DeliveryAck): void {
    this.#push({ receivers, frame, ack })
  }

  #push(waiting: WaitingDelivery | WaitingStream | WaitingAction): void {
    this.#waited++
    this.#waiting.push(waiting)
  }

  /** Opens a stream between the messages that it has had and those that it is to get. */
  register(slot: number, beginning: StreamBeginning): void {
    if (this.#isBusy) this.#push({ slot, beginning })
    else this.#register({ slot, beginning })
  }

  /** Does something between the messages of before and those that come later. */
  inOrder(run: () => void): void {
    if (this.#isBusy) this.#push({ run })
    else run()
  }

  #register({ slot, beginning }: WaitingStream): void {
    // Its client may have left meanwhile.
    if (this.#store.isOpening(slot)) this.#store.register(slot, beginning)
    else this.#onGone(slot)
  }

  /** Answers whether all that waits now has had its turn. */
  checkpoint(): () => boolean {
    const waited = this.#waited
    return () => this.#waited - this.#waiting.length >= waited
  }

  /** @param ack is settled once with how many streams took it, after the last turn of it */
  send(frame: Frame, ack: DeliveryAck): void {
    if (this.#isBusy) this.#push({ receivers: null, frame, ack })
    else this.#begin(frame, ack)
  }

  #begin(frame: Frame, ack: DeliveryAck): void {
    this.#isBusy = true
    if (frame.gapAfter !== null) this.#store.delivery.endUntold()
    this.#step(frame, new Parts(ack), 0)
  }

  #step(frame: Frame, parts: Parts, from: number): void {
    const store = this.#store
    store.begin(frame, parts)
    parts.begun++
    const isGap = frame.gapAfter !== null
    let last = store.delivery.deliverBehind(from, isGap)
    for (let left = deliveryLimits.broadcastPerTurn - 1; left > 0 && last !== 0; left--) {
      last = store.delivery.deliverBehind(last, isGap)
    }
    if (last !== 0) {
      setImmediate(() => this.#step(frame, parts, last))
      return
    }
    parts.isLast = true
    this.#end()
  }

  /** What has waited comes behind it, in order, and in this turn already. */
  #end(): void {
    this.#isBusy = false
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      if ('slot' in next) {
        this.#register(next)
        continue
      }
      if ('run' in next) {
        next.run()
        continue
      }
      if (next.receivers === null) {
        this.#begin(next.frame, next.ack)
        if (this.#isBusy) return
        continue
      }
      this.#store.begin(next.frame, next.ack)
      for (const receiver of next.receivers) this.#store.deliver(receiver)
    }
    this.#waiter.wake()
  }
}

/** Adds up the parts of one broadcast, which settle in their order. */
class Parts implements DeliveryAck {
  begun = 0
  isLast = false
  readonly #ack: DeliveryAck
  #settled = 0
  #delivered = 0

  constructor(ack: DeliveryAck) {
    this.#ack = ack
  }

  settle(delivered: number): void {
    this.#settled++
    this.#delivered += delivered
    if (this.isLast && this.#settled === this.begun) this.#ack.settle(this.#delivered, 0)
  }

  /** Never called: the store of this process answers in time. */
  late(): void {
    // Empty.
  }
}
