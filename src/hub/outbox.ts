// What waits for one stream whose socket is full. The first frame is with the connection, which has
// taken it but not yet sent it; the others are not begun. Frames are shared, so they are not copied.

import { Queue } from '../core/queue.ts'
import type { Frame } from './frame.ts'

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
