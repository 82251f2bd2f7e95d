// What the store keeps of streams whose clients send, too: for a moment, when they open and end.

import type { StreamInput } from './stream.ts'

export class TwoWayStreams {
  /** Connections of such streams. */
  count = 0
  /** By slot, what a stream that opens begins with alone. */
  readonly #heads = new Map<number, Uint8Array>()
  /** Of streams that end, those whose clients are not to send anything more. */
  readonly #closing = new Set<number>()

  /** A stream has its connection. */
  connect(slot: number, head: Uint8Array | null): void {
    this.count++
    if (head !== null) this.#heads.set(slot, head)
  }

  /** What a stream begins with, once. */
  headed(slot: number, opening: Uint8Array): Uint8Array {
    const head = this.#heads.get(slot)
    this.#heads.delete(slot)
    return head === undefined ? opening : Buffer.concat([head, opening])
  }

  /** The client of the stream, which ends, is not to send anything more. */
  setClosing(slot: number): void {
    this.#closing.add(slot)
  }

  isClosing(slot: number): boolean {
    return this.#closing.has(slot)
  }

  onClose(slot: number, input: StreamInput): void {
    this.count--
    this.#heads.delete(slot)
    this.#closing.delete(slot)
    input.onClose(slot)
  }
}
