// The outboxes of the few streams whose sockets are full, and what waits in all of them together.

import type { Outbox } from './outbox.ts'
import type { Wire } from './stream.ts'

export class Outboxes {
  /** Bytes that wait for open streams. */
  queuedBytes = 0
  /** Bytes of what streams begin with, that wait. */
  beginningBytes = 0
  /** Frames that still waited when their stream ended, and were lost. */
  undelivered = 0
  readonly #bySlot = new Map<number, Outbox>()

  get(slot: number): Outbox | undefined {
    return this.#bySlot.get(slot)
  }

  has(slot: number): boolean {
    return this.#bySlot.has(slot)
  }

  /** The outbox of a stream that is full. */
  of(slot: number): Outbox {
    const outbox = this.#bySlot.get(slot)
    if (outbox === undefined) throw new Error('a full stream has no outbox')
    return outbox
  }

  /** What a stream begins with waits, before anything else. */
  pushBeginning(outbox: Outbox, bytes: Uint8Array): void {
    outbox.pushBeginning(bytes)
    this.beginningBytes += bytes.length
  }

  set(slot: number, outbox: Outbox): void {
    this.#bySlot.set(slot, outbox)
  }

  delete(slot: number): void {
    this.beginningBytes -= this.#bySlot.get(slot)?.beginningBytes ?? 0
    this.#bySlot.delete(slot)
  }

  /** Slots of the streams that have taken nothing of what they begin with since the last call. */
  stalled(): number[] {
    const slots: number[] = []
    for (const [slot, outbox] of this.#bySlot) {
      if (outbox.beginningBytes > 0 && outbox.isStalled()) slots.push(slot)
    }
    return slots
  }

  /** A frame waits for an open stream. */
  push(outbox: Outbox, bytes: Uint8Array): void {
    outbox.push(bytes)
    this.queuedBytes += bytes.length
  }

  /**
   * Writes what waits for a stream, as far as its socket takes it.
   *
   * @param buffer for several frames at a time
   * @param isOpen is the stream open, and not ending?
   * @returns false when the client has gone
   */
  write(slot: number, wire: Wire, buffer: Uint8Array, isOpen: boolean): boolean {
    const outbox = this.of(slot)
    while (!outbox.isEmpty) {
      const bytes = outbox.next(buffer)
      const taken = wire.write(slot, bytes, bytes.length)
      if (taken < 0) return false
      const { bytes: queued, beginningBytes } = outbox
      outbox.take(taken)
      this.beginningBytes -= beginningBytes - outbox.beginningBytes
      if (isOpen) this.queuedBytes -= queued - outbox.bytes
      if (taken < bytes.length) return true
    }
    this.#bySlot.delete(slot)
    return true
  }

  /** An open stream ends: properly, and then what waits is still sent, or not, and it is lost. */
  end(slot: number, isProper: boolean): void {
    const outbox = this.#bySlot.get(slot)
    if (outbox === undefined) return
    this.queuedBytes -= outbox.bytes
    if (isProper) return
    this.undelivered += outbox.frames
    this.delete(slot)
  }
}
