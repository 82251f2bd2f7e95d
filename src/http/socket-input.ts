// The bytes of a connection that have arrived and are not read yet. While there are too many of
// them, its client has to wait.

import type { ByteRange } from '../core/bytes.ts'
import { httpLimits } from '../core/http-limits.ts'
import type { Socket } from './exchange.ts'
import type { KeptHeads } from './kept-heads.ts'
import type { BodyReader, BodyResult } from './request-body.ts'
import { type HeadResult, readRequestHead } from './request-head.ts'

const EMPTY = new Uint8Array(0)

export class SocketInput {
  readonly #socket: Socket
  /** What is not read is from `#at` on. */
  #bytes: Uint8Array = EMPTY
  #at = 0
  /** May the socket use this memory again? */
  #isBorrowed = false
  /** Bytes of an incomplete head that were searched already. */
  #searched = 0
  #isPaused = false

  constructor(socket: Socket) {
    this.#socket = socket
  }

  get length(): number {
    return this.#bytes.length - this.#at
  }

  /** Has a part of a head been read? */
  get hasHeadBegun(): boolean {
    return this.#searched > 0
  }

  /** Adds bytes of the socket's memory, to be read before {@link keep} is called. */
  add(bytes: Uint8Array): void {
    const isEmpty = this.length === 0
    this.#bytes = isEmpty ? bytes : Buffer.concat([this.#bytes.subarray(this.#at), bytes])
    this.#at = 0
    this.#isBorrowed = isEmpty
  }

  /** Keeps what was not read. */
  keep(): void {
    const left = this.length
    if (left === 0) this.#bytes = EMPTY
    // A copy of them alone, so that a few bytes hold no large piece of memory.
    else if (this.#isBorrowed || this.#at > 0) {
      this.#bytes = new Uint8Array(this.#bytes.subarray(this.#at))
    }
    this.#at = 0
    this.#isBorrowed = false
    if (left > httpLimits.inputBytesMax) this.pause()
  }

  /** @param heads where the head may be kept, as the next one is likely to be the same; or null */
  readHead(heads: KeptHeads | null): HeadResult {
    const { length } = this.#bytes
    const result =
      heads !== null && this.#searched === 0
        ? heads.read(this.#bytes, this.#at, length)
        : readRequestHead(this.#bytes, this.#at, length, this.#at + this.#searched)
    this.#searched = result.kind === 'incomplete' ? length - this.#at : 0
    if (result.kind === 'complete') this.#at += result.length
    return result
  }

  /** Lets a reader have what has arrived; null if that is nothing. */
  feed(reader: BodyReader): BodyResult | null {
    const { length } = this.#bytes
    if (this.#at === length) return null
    const result = reader.read(this.#bytes, this.#at, length)
    if (result.kind === 'rejected') return result
    this.#at = result.kind === 'complete' ? this.#at + result.length : length
    this.resume()
    return result
  }

  /** All of the next bytes, valid now; null if not all have arrived. */
  take(length: number): ByteRange | null {
    if (this.length < length) return null
    const start = this.#at
    this.#at += length
    return { bytes: this.#bytes, start, end: this.#at }
  }

  /** Drops what has arrived, and goes on. */
  clear(): void {
    this.#bytes = EMPTY
    this.#at = 0
    this.#searched = 0
    this.resume()
  }

  pause(): void {
    if (this.#isPaused) return
    this.#isPaused = true
    this.#socket.pause()
  }

  /** Goes on if there is room for more. */
  resume(): void {
    if (!this.#isPaused || this.length > httpLimits.inputBytesMax) return
    this.#isPaused = false
    this.#socket.resume()
  }
}
