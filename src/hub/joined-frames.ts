// The frames that a stream gets in one write, joined in one buffer. Streams that get the same
// messages, as in a broadcast, share what was joined for the first of them.

import { deliveryLimits } from '../core/limits.ts'
import type { StreamKind } from './stream.ts'
import type { Turn } from './turn.ts'

const { bytesPerWriteMax, messagesPerTurnMax } = deliveryLimits

export class JoinedFrames {
  readonly bytes = new Uint8Array(bytesPerWriteMax)
  /** Of the frames in {@link bytes}. */
  length = 0
  /** Their messages, in order. */
  readonly #messages = new Uint32Array(messagesPerTurnMax)
  #count = 0
  #kind: StreamKind | null = null
  /** Did the frames of that stream not end with them? */
  #isPart = false

  /**
   * Joins the frames of a stream from the entry `first` on, as many as there is room for. Hot path:
   * once a stream that gets several.
   *
   * @returns the entry behind them; `first` itself if there is no room for its frame
   */
  join(turn: Turn, kind: StreamKind, first: number): number {
    const end = this.#kind === kind ? this.#shared(turn, first) : -1
    if (end >= 0) return end
    this.#kind = kind
    this.#count = 0
    this.length = 0
    let entry = first
    for (; entry !== 0; entry = turn.after(entry)) {
      const frame = kind.encode(turn.frameOf(entry))
      if (this.length + frame.length > bytesPerWriteMax) break
      this.bytes.set(frame, this.length)
      this.length += frame.length
      this.#messages[this.#count++] = turn.messageOf(entry)
    }
    this.#isPart = entry !== 0
    return entry
  }

  /** The entry behind those of the same messages; −1 if there are others. */
  #shared(turn: Turn, first: number): number {
    let entry = first
    for (let at = 0; at < this.#count; at++) {
      if (entry === 0 || turn.messageOf(entry) !== this.#messages[at]) return -1
      entry = turn.after(entry)
    }
    return this.#count > 0 && (entry === 0 || this.#isPart) ? entry : -1
  }

  /** The messages of the turn are over, and their numbers mean others. */
  clear(): void {
    this.#count = 0
    this.#kind = null
  }
}
