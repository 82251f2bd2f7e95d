// Packets between connected nodes: each has four bytes of length in front, and an empty one is a
// tick.

import { ByteBuffer } from '../core/bytes.ts'
import { erlangLimits } from '../core/limits.ts'
import { Waiter } from '../core/waiter.ts'
import type { NodeSocket } from './socket.ts'
import { uint32At } from './term-scanner.ts'
import { TermWriter } from './term-writer.ts'

const LENGTH_BYTES = 4

const TICK = new Uint8Array(LENGTH_BYTES)

/** Splits the bytes of a connection into packets. */
export class PacketReader {
  /** The packet that {@link next} found: from `at` to `end` in `bytes`. */
  bytes: Uint8Array = new Uint8Array(0)
  at = 0
  end = 0
  /** Why no more packets can be read; null while they can. */
  failure: string | null = null

  /** The beginning of a packet that arrives in several parts. */
  readonly #partial = new ByteBuffer()

  /** Adds received bytes. Invalidates the packet found last. */
  push(part: Uint8Array): void {
    if (this.end === this.bytes.length) {
      if (this.#partial.length > 0) this.#partial.clear()
      this.#readFrom(part)
      return
    }
    // If nothing was read since the last part, the rest is in the buffer already. So a long packet
    // in many parts is not copied for each of them.
    if (this.#partial.length === 0 || this.end > 0) {
      const rest = this.bytes.slice(this.end)
      this.#partial.clear()
      this.#partial.append(rest)
    }
    this.#readFrom(this.#partial.append(part).view())
  }

  /** Finds the next complete packet and skips ticks. Hot path: once per message. */
  next(): boolean {
    for (;;) {
      const begin = this.end
      const received = this.bytes.length - begin
      if (received < LENGTH_BYTES) return false
      const length = uint32At(this.bytes, begin)
      if (length > erlangLimits.packetBytesMax) {
        const { packetBytesMax } = erlangLimits
        this.failure = `a packet has ${length} bytes; at most ${packetBytesMax} are allowed`
        return false
      }
      if (received < LENGTH_BYTES + length) return false
      this.at = begin + LENGTH_BYTES
      this.end = this.at + length
      if (length > 0) return true
    }
  }

  #readFrom(bytes: Uint8Array): void {
    this.bytes = bytes
    this.at = 0
    this.end = 0
  }
}

/** Collects packets and passes them to the socket together. */
export class PacketWriter {
  readonly writer = new TermWriter()
  /** Set when anything is sent; the owner resets it. */
  isActive = false

  readonly #socket: NodeSocket
  /** Bytes that the socket did not take. */
  #rest: Uint8Array | null = null
  readonly #waiter = new Waiter()
  #isFlushing = false

  constructor(socket: NodeSocket) {
    this.#socket = socket
  }

  /** Sends what was written, together with everything written in the same task. */
  flushSoon(): void {
    if (this.#isFlushing) return
    this.#isFlushing = true
    queueMicrotask(() => {
      this.#isFlushing = false
      this.flush()
    })
  }

  flush(): void {
    if (this.#rest !== null || this.writer.length === 0) return
    this.#send(this.writer.take())
  }

  /** Shows that this side is alive, which pending bytes show too. */
  tick(): void {
    if (this.#rest === null) this.#send(TICK)
  }

  /** Settles when few enough bytes are pending; null if so. */
  room(): Promise<void> | null {
    return this.#pendingBelow(erlangLimits.outBytesMax)
  }

  /** Settles when the socket has taken everything; null if so. */
  empty(): Promise<void> | null {
    return this.#pendingBelow(0)
  }

  #pendingBelow(bytes: number): Promise<void> | null {
    if (this.#pending <= bytes) return null
    // The socket reports only about bytes that it did not take.
    this.flush()
    return this.#pending <= bytes ? null : this.#waiter.wait(bytes)
  }

  /** The socket takes bytes again. */
  drained(): void {
    const rest = this.#rest
    this.#rest = null
    if (rest !== null) this.#send(rest)
    this.flush()
    this.#waiter.update(this.#pending)
  }

  get #pending(): number {
    return this.writer.length + (this.#rest?.length ?? 0)
  }

  #send(bytes: Uint8Array): void {
    this.isActive = true
    const sent = Math.max(0, this.#socket.write(bytes))
    if (sent < bytes.length) this.#rest = bytes.slice(sent)
  }
}
