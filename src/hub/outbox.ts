// What waits for a stream whose socket is full: the rest of what was begun, and frames behind it.
// What the stream begins with is not counted, and may be much: its client was promised that.

import { Queue } from '../core/queue.ts'

export class Outbox {
  /** Bytes of all frames that wait, the first one counted whole. */
  bytes = 0
  /** Bytes of what the stream begins with, the same way. */
  beginningBytes = 0
  readonly #queue = new Queue<Uint8Array>()
  /** Bytes of the first one that the connection has taken. */
  #taken = 0
  /** How many of the first ones are what the stream begins with. */
  #beginning = 0
  /** Has the connection taken anything since it was last asked for? */
  #hasTaken = true

  /** How many frames wait. */
  get frames(): number {
    return this.#queue.length - this.#beginning
  }

  get isEmpty(): boolean {
    return this.#queue.length === 0
  }

  /**
   * Before all frames.
   *
   * @param bytes what is left of the bytes before all messages, or a message that was missed
   */
  pushBeginning(bytes: Uint8Array): void {
    this.#queue.push(bytes)
    this.#beginning++
    this.beginningBytes += bytes.length
  }

  /** @param frame encoded; shared, not copied */
  push(frame: Uint8Array): void {
    this.#queue.push(frame)
    this.bytes += frame.length
  }

  /**
   * The bytes that are next, of as many frames as fit into `buffer`, or of one that does not fit.
   * Valid until the buffer is used again.
   */
  next(buffer: Uint8Array): Uint8Array {
    const first = (this.#queue.at(0) ?? NOTHING).subarray(this.#taken)
    if (this.#queue.length < 2 || first.length > buffer.length) return first
    let length = 0
    let frame: Uint8Array | undefined = first
    for (let at = 1; frame !== undefined && length + frame.length <= buffer.length; at++) {
      buffer.set(frame, length)
      length += frame.length
      frame = this.#queue.at(at)
    }
    return buffer.subarray(0, length)
  }

  /** Has the connection taken nothing since the last call? A new one is given time. */
  isStalled(): boolean {
    const isStalled = !this.#hasTaken
    this.#hasTaken = false
    return isStalled
  }

  /** The connection has taken so many of the bytes that are {@link next}. */
  take(bytes: number): void {
    if (bytes > 0) this.#hasTaken = true
    this.#taken += bytes
    for (let first = this.#queue.at(0); first !== undefined; first = this.#queue.at(0)) {
      if (this.#taken < first.length) return
      this.#taken -= first.length
      this.#queue.shift()
      if (this.#beginning > 0) {
        this.#beginning--
        this.beginningBytes -= first.length
      } else this.bytes -= first.length
    }
  }
}

const NOTHING = new Uint8Array(0)
