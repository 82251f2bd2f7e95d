// The body of a request as its parts come, no slower than they may, and the end of it all when the
// client has gone.

import type { Clock } from '../core/clock.ts'
import { settledWithin } from '../core/deadline.ts'
import { messageLimits } from '../core/limits.ts'
import { isGone } from '../http/web.ts'
import type { ServerConfig } from '../hub/settings.ts'

const NEWLINE = 0x0a

type Reader = Pick<ReadableStreamDefaultReader<Uint8Array>, 'read'>

/** What is sent, as it comes: it may be late, and who sends it may be gone. */
export interface Body extends AsyncIterable<Uint8Array> {
  readonly isGone?: boolean
  readonly isLate?: boolean
}

export class Upload implements Body {
  /** The rest of the body came too slowly, and was not waited for. */
  isLate = false
  readonly #request: Request
  readonly #timeoutMs: number
  readonly #clock: Clock
  /** Bytes that the request says it has; null for a body that ends when it ends. */
  readonly declared: number | null
  #waitedMs = 0
  #received = 0

  /**
   * @param settings the milliseconds for the next bytes, beyond what they take at the slowest speed
   */
  constructor(
    request: Request,
    { bodyTimeoutMs }: Pick<ServerConfig, 'bodyTimeoutMs'>,
    clock: Clock,
  ) {
    this.#request = request
    this.#timeoutMs = bodyTimeoutMs
    this.#clock = clock
    const length = request.headers.get('content-length')
    this.declared = length === null ? null : Number(length)
  }

  /** Has the client gone? Then what has not been taken by now must not be. */
  get isGone(): boolean {
    return isGone(this.#request)
  }

  /**
   * All of a body that says how long it is, in one go; null if it is late. Hot path: once a
   * request.
   */
  async whole(): Promise<Uint8Array | null> {
    const ms = this.#timeoutMs + msFor(this.declared ?? 0)
    const bytes = await settledWithin(this.#request.bytes(), ms)
    this.isLate = bytes === undefined
    return bytes ?? null
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    const reader = this.#request.body?.getReader()
    if (reader === undefined) return
    while (!this.isGone) {
      const part = await this.#next(reader)
      if (part === null || this.isGone) return
      yield part
    }
  }

  async #next(reader: Reader): Promise<Uint8Array | null> {
    const leftMs = this.#timeoutMs + msFor(this.#received) - this.#waitedMs
    if (leftMs <= 0) {
      this.isLate = true
      return null
    }
    const startedMs = this.#clock.elapsedMs()
    const next = await settledWithin(reader.read(), Math.min(this.#timeoutMs, leftMs))
    if (next === undefined) {
      this.isLate = true
      return null
    }
    if (next.done) return null
    this.#waitedMs += this.#clock.elapsedMs() - startedMs
    this.#received += next.value.length
    // Lines without a declared end may go on without end, as long as each comes in time.
    if (this.declared === null && next.value.includes(NEWLINE)) {
      this.#waitedMs = 0
      this.#received = 0
    }
    return next.value
  }
}

/** Milliseconds that bytes take at the slowest speed that is waited for. */
function msFor(bytes: number): number {
  return (bytes / messageLimits.bodyBytesPerSecondMin) * 1_000
}
