// The bytes that a connection writes: what the socket takes goes out at once, the rest waits for
// room.

import { copyOf } from '../core/bytes.ts'
import type { Socket } from './exchange.ts'

const EMPTY = new Uint8Array(0)

export class SocketOutput {
  readonly #socket: Socket
  #unsent: Uint8Array = EMPTY
  #onSent: (() => void) | null = null

  constructor(socket: Socket) {
    this.#socket = socket
  }

  /** Bytes that the socket has not taken. */
  get unsentBytes(): number {
    return this.#unsent.length
  }

  /** Has the socket taken all bytes? */
  get isSent(): boolean {
    return this.#unsent.length === 0
  }

  /**
   * Bytes that the socket does not take are kept: of a whole array as they are, of the beginning of
   * one as a copy, since its owner writes over it. Hot path: once a request.
   */
  write(bytes: Uint8Array, length = bytes.length): void {
    if (this.#unsent.length > 0) {
      this.#unsent = Buffer.concat([this.#unsent, bytes.subarray(0, length)])
      return
    }
    const taken = this.#socket.write(bytes, 0, length)
    // Negative once the connection has ended.
    if (taken < 0 || taken >= length) return
    this.#unsent = length === bytes.length ? bytes.subarray(taken) : copyOf(bytes, taken, length)
  }

  /** Writes what waits; answers whether the socket has taken some of it. */
  drain(): boolean {
    const taken = this.#socket.write(this.#unsent)
    if (taken <= 0) return false
    this.#unsent = this.#unsent.subarray(taken)
    if (this.#unsent.length === 0) this.#settle()
    return true
  }

  /** Settles when the socket has taken all bytes, or the connection has ended. */
  async sent(): Promise<void> {
    if (this.#unsent.length === 0) return
    await new Promise<void>((resolve) => {
      this.#onSent = resolve
    })
  }

  /** The connection has ended; what waits is dropped. */
  end(): void {
    this.#settle()
  }

  #settle(): void {
    this.#unsent = EMPTY
    const onSent = this.#onSent
    this.#onSent = null
    onSent?.()
  }
}
