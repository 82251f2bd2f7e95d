// One open stream of one user: what the store keeps of it, and what writes its bytes. They are one
// object, since each further object is one more place in memory that a delivery has to visit.

import { Queue } from '../core/queue.ts'
import type { Frame } from './frame.ts'
import type { CloseReason } from './refusals.ts'

/**
 * What became of a frame: `sent` to the kernel; `queued`, all or in part, because the socket is
 * full; or `gone`, because the client is.
 */
export type WriteResult = 'sent' | 'queued' | 'gone'

/**
 * What waits for a stream whose socket is full. The first frame is with the connection, which has
 * taken it but not yet sent it; the others are not begun. Frames are shared, not copied.
 */
export class Outbox {
  /** Bytes of all frames that wait, the first counted whole. */
  bytes = 0
  readonly #queue = new Queue<Frame>()

  /** How many frames wait. */
  get frames(): number {
    return this.#queue.length
  }

  push(frame: Frame): void {
    this.#queue.push(frame)
    this.bytes += frame.bytes.length
  }

  first(): Frame | undefined {
    return this.#queue.at(0)
  }

  /** The first has been sent. Returns its bytes. */
  shift(): number {
    const bytes = this.#queue.shift()?.bytes.length ?? 0
    this.bytes -= bytes
    return bytes
  }
}

/**
 * The fields are the store's: it alone changes them, from `add` on. A million must be affordable.
 */
export abstract class Stream {
  user = 0
  openedAtMs = 0
  state: 'opening' | 'open' | CloseReason = 'opening'
  /** What waits because the socket is full; null as long as everything is sent at once. */
  outbox: Outbox | null = null
  /** The same user's other streams, as a chain that begins in the store's table. */
  next: Stream | null = null
  previous: Stream | null = null

  /** Sends what a stream begins with, once, when the router knows of it. */
  abstract welcome(): void

  /**
   * Takes one frame, as one message of its own. Hot path: once a delivery. After it answered
   * `queued`, it calls `onFlushed` of the registry once the frame is out, and until then gets no
   * other, except what waits when the stream is drained.
   */
  abstract write(frame: Frame): WriteResult

  /** Ends the connection: a `slow` one at once, any other after what it took, with a proper end. */
  abstract close(reason: CloseReason): void
}

/**
 * Where the public port brings its streams. The store is one, when the router is in the same
 * process; in a worker a stream waits first until the router knows of it.
 */
export interface StreamRegistry {
  /**
   * Takes a new stream of a user. It is welcomed once the router knows of it, now or a moment
   * later; so a client that has read its welcome gets everything that is published from then on.
   */
  register(user: number, stream: Stream): void
  /** The stream has sent the frame that it had queued. */
  onFlushed(stream: Stream): void
  /** The client has gone, before or after it was welcomed. */
  onClose(stream: Stream): void
}
