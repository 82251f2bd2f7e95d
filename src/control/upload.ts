// The body of a request as its parts come, no slower than they may, and the end of it all when the
// client has gone.

import type { Clock } from '../core/clock.ts'
import { settledWithin } from '../core/deadline.ts'
import { messageLimits } from '../core/limits.ts'
import type { Exchange } from '../http/exchange.ts'
import { isGone } from '../http/web.ts'
import type { ServerConfig } from '../hub/settings.ts'

const NEWLINE = 0x0a

/** Where the body of a request is read from. */
export interface UploadSource {
  /** Has the client gone? */
  readonly isGone: boolean
  /** Bytes that the request says it has; null for a body that ends when it ends. */
  readonly declared: number | null
  /** The next part; null at the end. */
  next(): Promise<Uint8Array | null>
}

type Reader = Pick<ReadableStreamDefaultReader<Uint8Array>, 'read'>

export function requestSource(request: Request): UploadSource {
  let reader: Reader | null = null
  return {
    get isGone() {
      return isGone(request)
    },
    declared: lengthOf(request.headers.get('content-length')),
    async next() {
      if (request.body === null) return null
      reader ??= request.body.getReader() as Reader
      const part = await reader.read()
      return part.done ? null : part.value
    },
  }
}

/** Without the streams of the web, which take a quarter of the time of a batch. */
export function exchangeSource(exchange: Exchange): UploadSource {
  return {
    get isGone() {
      return exchange.isGone
    },
    declared: lengthOf(exchange.header('content-length')),
    next: () => exchange.readBody(),
  }
}

function lengthOf(header: string | null): number | null {
  return header === null ? null : Number(header)
}

/** What is sent, as it comes: it may be late, and who sends it may be gone. */
export interface Body extends AsyncIterable<Uint8Array> {
  readonly isGone?: boolean
  readonly isLate?: boolean
}

export class Upload implements Body {
  /** The rest of the body came too slowly, and was not waited for. */
  isLate = false
  readonly #source: UploadSource
  readonly #timeoutMs: number
  readonly #clock: Clock
  #waitedMs = 0
  #received = 0

  /**
   * @param settings the milliseconds for the next bytes, beyond what they take at the slowest speed
   */
  constructor(
    source: UploadSource,
    { bodyTimeoutMs }: Pick<ServerConfig, 'bodyTimeoutMs'>,
    clock: Clock,
  ) {
    this.#source = source
    this.#timeoutMs = bodyTimeoutMs
    this.#clock = clock
  }

  get declared(): number | null {
    return this.#source.declared
  }

  /** Has the client gone? Then what has not been taken by now must not be. */
  get isGone(): boolean {
    return this.#source.isGone
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    while (!this.isGone) {
      const part = await this.#next()
      if (part === null || this.isGone) return
      yield part
    }
  }

  async #next(): Promise<Uint8Array | null> {
    const leftMs = this.#timeoutMs + msFor(this.#received) - this.#waitedMs
    if (leftMs <= 0) {
      this.isLate = true
      return null
    }
    const startedMs = this.#clock.elapsedMs()
    const next = await settledWithin(this.#source.next(), Math.min(this.#timeoutMs, leftMs))
    if (next === undefined) {
      this.isLate = true
      return null
    }
    if (next === null) return null
    this.#waitedMs += this.#clock.elapsedMs() - startedMs
    this.#received += next.length
    // Lines without a declared end may go on without end, as long as each comes in time.
    if (this.declared === null && next.includes(NEWLINE)) {
      this.#waitedMs = 0
      this.#received = 0
    }
    return next
  }
}

/** Milliseconds that bytes take at the slowest speed that is waited for. */
function msFor(bytes: number): number {
  return (bytes / messageLimits.bodyBytesPerSecondMin) * 1_000
}
