// Heartbeats: which streams have been silent for so long that they are to get a sign of life, so
// that no proxy takes them for dead and clients notice a connection that is. One byte a stream.

import { grown } from '../core/typed-array.ts'

/** A silence is measured in so many parts, of which the last may be missing. */
const PARTS = 8
/** Parts are counted by the numbers of a byte. */
const NUMBERS = 256
/** 2³² divided by the golden ratio: multiples of it are spread evenly (Knuth, TAOCP 6.4). */
const GOLDEN = 0x9e3779b1

export class Heartbeats {
  /** Open streams that get some. */
  streams = 0
  /** Sent since the start. */
  sentTotal = 0
  /** By slot: the part of time during which it was last sent something. */
  #sentAt = new Uint8Array(0)
  /** The part of time that it is now. */
  #part = 0
  /** The last slot that was looked at in this part, and how much of the part was over then. */
  #looked = 0
  #share = 0
  readonly #onBegin: () => void

  /** @param onBegin is called when a stream has opened that gets some */
  constructor(onBegin: () => void = () => undefined) {
    this.#onBegin = onBegin
  }

  /**
   * A stream has opened: its first heartbeat comes sooner than others, so that those of streams
   * that open together are spread.
   *
   * @param heartbeat its bytes; empty for a stream that gets none
   */
  begin(slot: number, heartbeat: Uint8Array): void {
    if (slot >= this.#sentAt.length) {
      this.#sentAt = grown(this.#sentAt, Math.max(slot + 1, 2 * this.#sentAt.length))
    }
    const sooner = (Math.imul(slot, GOLDEN) >>> 16) % (PARTS - 1)
    this.#sentAt[slot] = (this.#part + NUMBERS - sooner) % NUMBERS
    if (heartbeat.length === 0) return
    this.streams++
    this.#onBegin()
  }

  /** The same stream has ended. */
  end(heartbeat: Uint8Array): void {
    if (heartbeat.length > 0) this.streams--
  }

  /** Something was sent. Hot path: once a delivery. */
  sent(slot: number): void {
    this.#sentAt[slot] = this.#part
  }

  /**
   * Goes on over the slots, at an even pace.
   *
   * @param share of the longest silence that has gone by since the last call
   * @param slots the highest slot in use
   * @param beat is called for each slot that was silent for long enough
   */
  look(share: number, slots: number, beat: (slot: number) => void): void {
    this.#share += share * PARTS
    const end = Math.min(slots, Math.ceil(this.#share * slots))
    for (let slot = this.#looked + 1; slot <= end; slot++) {
      const silence = (this.#part + NUMBERS - (this.#sentAt[slot] ?? this.#part)) % NUMBERS
      if (silence < PARTS - 1) continue
      this.#sentAt[slot] = this.#part
      beat(slot)
    }
    this.#looked = Math.max(this.#looked, end)
    if (this.#share < 1) return
    // After a pause of the process there is no hurry: what was missed is not made up for.
    this.#share = 0
    this.#looked = 0
    this.#part = (this.#part + 1) % NUMBERS
  }
}
