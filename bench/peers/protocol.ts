// What the client of a peer with a protocol of its own must know: what it says to have a stream
// opened, and how what it receives is cut into messages.

import { ByteBuffer } from '../../src/core/bytes.ts'

/** What one piece of a stream means. The bytes are valid during the call only. */
export interface ProtocolListener {
  /** Is to be sent. */
  onReply(bytes: Uint8Array): void
  /** The stream is open, and gets what is published from now on. */
  onOpen(): void
  onMessage(bytes: Uint8Array, start: number, end: number): void
}

/** Why a stream cannot be read. */
export type ProtocolFault = string

/** One stream. */
export abstract class ProtocolReader {
  /** The start of what has not come whole; null most of the time. */
  #partial: ByteBuffer | null = null

  /** Is sent as soon as the connection is made. */
  abstract greeting(): Uint8Array

  /**
   * Takes the unit that begins at `start`, if it has come whole.
   *
   * @returns how many bytes it had, 0 while it is incomplete
   */
  protected abstract take(
    bytes: Uint8Array,
    start: number,
    to: ProtocolListener,
  ): number | ProtocolFault

  /** Hot path: once a read, which is about once a message. */
  read(piece: Uint8Array, to: ProtocolListener): ProtocolFault | null {
    const bytes = this.#partial === null ? piece : this.#partial.append(piece).view()
    let at = 0
    while (at < bytes.length) {
      const taken = this.take(bytes, at, to)
      if (typeof taken === 'string') return taken
      if (taken === 0) break
      at += taken
    }
    if (at === bytes.length) this.#partial = null
    else if (at > 0 || this.#partial === null) {
      this.#partial = new ByteBuffer(0).append(bytes.subarray(at))
    }
    return null
  }
}

/** A number of two bytes, in the order of the network. */
export function uint16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number)
}
