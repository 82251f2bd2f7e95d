// The bytes that a connection writes: what the socket takes goes out at once, the rest waits for
// room.

import type { Socket } from './exchange.ts'

const EMPTY = new Uint8Array(0)

/** The types of Bun 1.4.5 lack the encoding. */
interface TextSocket {
  write(text: string, encoding: 'latin1'): number
}

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
   * Bytes that the socket does not take are kept as they are, not copied. Hot path: once a request.
   *
   * @param data bytes, or a text of Latin-1
   */
  write(data: Uint8Array | string): void {
    if (this.#unsent.length > 0) {
      this.#unsent = Buffer.concat([this.#unsent, bytesOf(data)])
      return
    }
    const taken =
      typeof data === 'string'
        ? (this.#socket as unknown as TextSocket).write(data, 'latin1')
        : this.#socket.write(data)
    // Negative once the connection has ended.
    if (taken >= 0 && taken < data.length) this.#unsent = bytesOf(data).subarray(taken)
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

function bytesOf(data: Uint8Array | string): Uint8Array {
  return typeof data === 'string' ? Buffer.from(data, 'latin1') : data
}
