// What waits to be sent to a node: packets are written one after the other and handed to the socket
// together. What is in them it does not know.

import { erlangLimits } from '../core/limits.ts'
import type { OwnedSocket } from './socket.ts'
import { TermWriter } from './term-writer.ts'

/** A packet without bytes. */
const TICK = new Uint8Array(4)

export class Outbound {
  readonly writer = new TermWriter()
  /** Has anything been sent since this was last set to false? */
  isActive = false

  readonly #socket: OwnedSocket
  /** What the socket had no room for. */
  #rest: Uint8Array | null = null
  /** Wakes the one who waits for few enough bytes. */
  #wake: { readonly resolve: () => void; readonly bytes: number } | null = null
  #isFlushing = false

  constructor(socket: OwnedSocket) {
    this.#socket = socket
  }

  /** Hands over what was written, together with what is written until then. */
  flushSoon(): void {
    if (this.#isFlushing) return
    this.#isFlushing = true
    queueMicrotask(() => {
      this.#isFlushing = false
      this.flush()
    })
  }

  /** Hands over what was written, as far as the socket has room. */
  flush(): void {
    if (this.#rest !== null || this.writer.length === 0) return
    this.#send(this.writer.take())
  }

  /** Shows that this side is alive; what waits to be sent shows it too. */
  tick(): void {
    if (this.#rest === null) this.#send(TICK)
  }

  /** Settles when few enough bytes wait; null if so. */
  room(): Promise<void> | null {
    return this.#pendingBelow(erlangLimits.outBytesMax)
  }

  /** Settles when the socket has taken everything; null if so. */
  empty(): Promise<void> | null {
    return this.#pendingBelow(0)
  }

  /** One at a time may wait. */
  #pendingBelow(bytes: number): Promise<void> | null {
    if (this.#waiting <= bytes) return null
    // Only what the socket has no room for will be told of by the socket.
    this.flush()
    if (this.#waiting <= bytes) return null
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wake = { resolve, bytes }
    return promise
  }

  /** The socket has room again. */
  drained(): void {
    const rest = this.#rest
    this.#rest = null
    if (rest !== null) this.#send(rest)
    this.flush()
    if (this.#wake === null || this.#waiting > this.#wake.bytes) return
    this.#wake.resolve()
    this.#wake = null
  }

  get #waiting(): number {
    return this.writer.length + (this.#rest?.length ?? 0)
  }

  #send(bytes: Uint8Array): void {
    this.isActive = true
    const sent = Math.max(0, this.#socket.write(bytes))
    if (sent < bytes.length) this.#rest = bytes.slice(sent)
  }
}
