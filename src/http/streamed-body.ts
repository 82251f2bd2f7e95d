// The body of an answer whose length is not known: read from a stream of the web, and written no
// faster than the client takes it.

import type { ReadableStreamDefaultReader } from 'node:stream/web'
import { encodeChunk, LAST_CHUNK } from './response.ts'

/** Where the body goes. */
export interface BodyTarget {
  readonly isGone: boolean
  /** Settles when the socket has taken all, or the connection has ended. */
  writeBody(data: Uint8Array): Promise<void>
}

export class StreamedBody {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>
  readonly #target: BodyTarget

  constructor(body: ReadableStream<Uint8Array>, target: BodyTarget) {
    this.#reader = body.getReader()
    this.#target = target
  }

  /** Rejects with what the stream fails with. */
  async writeAll(isChunked: boolean): Promise<void> {
    const reader = this.#reader
    const target = this.#target
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      const data = part.value
      if (data.length > 0) await target.writeBody(isChunked ? encodeChunk(data) : data)
    }
    if (isChunked && !target.isGone) await target.writeBody(LAST_CHUNK)
  }

  cancel(): Promise<void> {
    return this.#reader.cancel()
  }
}
