// Where the router's frames go out: to the streams of this process, or through workers to theirs.
// The interface, and its implementation for one process; the other is in workers/.

import { Broadcasts } from './broadcast.ts'
import type { Frame } from './frame.ts'
import type { DeliveryAck } from './receipt.ts'
import type { StreamStore } from './store.ts'
import type { StreamBeginning } from './stream.ts'

export interface Outlet {
  /**
   * Settles when every stream is known whose client was welcomed before now; null if that is so at
   * once. Asked before what has just been read is delivered.
   */
  sync(): Promise<void> | null
  /** Settles when streams keep up with those who publish; null if they do. */
  ready(): Promise<void> | null
  /**
   * Hands a frame to every open stream of one user and of the users who follow, in the order of the
   * calls, and settles the receipt once with how many connections took it: when it was sent, at the
   * end of this turn of the loop, or when the workers have acknowledged it or have timed out. Hot
   * path: once a message.
   *
   * @param followers each at most once, and never the user; read before this returns
   */
  deliver(user: number, followers: Uint32Array, frame: Frame, receipt: DeliveryAck): void
  /** The same to every open stream, in as many turns of the loop as it takes. */
  broadcast(frame: Frame, receipt: DeliveryAck): void
}

/** Says when what was handed over is no longer under way. */
export interface Checkpoints {
  /** Answers whether all frames that were handed over before this call have been sent, or lost. */
  checkpoint(): () => boolean
}

/** The streams of this process. */
export class LocalOutlet implements Outlet, Checkpoints {
  readonly #streams: StreamStore
  readonly #broadcasts: Broadcasts

  constructor(streams: StreamStore) {
    this.#streams = streams
    this.#broadcasts = new Broadcasts(streams)
  }

  sync(): null {
    return null
  }

  ready(): Promise<void> | null {
    return this.#broadcasts.ready()
  }

  /** What does not wait for a broadcast is sent to streams in the same turn. */
  checkpoint(): () => boolean {
    return this.#broadcasts.checkpoint()
  }

  /** Opens a stream that was to begin after the last message that was handed over. */
  register(slot: number, beginning: StreamBeginning): void {
    this.#broadcasts.register(slot, beginning)
  }

  /** Does something between the messages that were handed over before and those that come later. */
  inOrder(run: () => void): void {
    this.#broadcasts.inOrder(run)
  }

  broadcast(frame: Frame, receipt: DeliveryAck): void {
    this.#broadcasts.send(frame, receipt)
  }

  deliver(user: number, followers: Uint32Array, frame: Frame, receipt: DeliveryAck): void {
    if (this.#broadcasts.isBusy) {
      this.#broadcasts.wait(Uint32Array.of(user, ...followers), frame, receipt)
      return
    }
    const streams = this.#streams
    streams.begin(frame, receipt)
    streams.deliver(user)
    for (const follower of followers) streams.deliver(follower)
  }
}
