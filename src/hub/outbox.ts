// What waits for one stream whose socket is full. The first frame is with the connection, which has
// taken it but not yet sent it; the others are not begun. Frames are shared, so they are not copied.

import type { Frame } from './frame.ts'

export class Outbox {
  /** Bytes of all frames that wait, the first counted whole. */
  bytes = 0
  #frames: Frame[] = []
  /** Where the first one is; moving the others down each time would cost more. */
  #at = 0

  /** How many frames wait. */
  get frames(): number {
    return this.#frames.length - this.#at
  }

  push(frame: Frame): void {
    this.#frames.push(frame)
    this.bytes += frame.bytes.length
  }

  first(): Frame | undefined {
    return this.#frames[this.#at]
  }

  /** The first has been sent. Answers its bytes. */
  shift(): number {
    const frame = this.#frames[this.#at]
    if (frame === undefined) return 0
    this.#at++
    if (this.#at > 64 && this.#at * 2 > this.#frames.length) {
      this.#frames = this.#frames.slice(this.#at)
      this.#at = 0
    }
    this.bytes -= frame.bytes.length
    return frame.bytes.length
  }
}
