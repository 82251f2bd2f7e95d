// Reads a response in pieces with the real reader, each in a buffer that is overwritten at once, as
// those of sockets are.

import type { Framing } from './framing.ts'
import type { Seen } from './naive.fixture.ts'
import { type ReadResult, ResponseReader } from './response.ts'

/** What the reader reported, and what it kept at the end. */
export interface SeenInPieces {
  readonly seen: Seen
  readonly partialBytes: number | null
}

export function readInPieces(parts: readonly Uint8Array[], framing: Framing): SeenInPieces {
  const reader = new ResponseReader()
  const statuses: number[] = []
  const found: string[] = []
  const pings: string[] = []
  let result: ReadResult = 'more'
  let isWhole = true
  for (const part of parts) {
    if (result !== 'more') break
    const buffer = new Uint8Array(part)
    result = reader.read(buffer, {
      onHead: ({ status, transfer }) => {
        statuses.push(status)
        isWhole = framing !== 'chunk' || transfer === 'chunked'
        return framing
      },
      onMessage: (bytes, start, end) => {
        found.push(Buffer.from(bytes.subarray(start, end)).toString('latin1'))
      },
      onPing: (bytes) => {
        pings.push(Buffer.from(bytes).toString('latin1'))
      },
    })
    buffer.fill(0x21)
  }
  // Without chunks around it, a body's pieces are what came together, wherever that was cut.
  const all = found.join('')
  const joined = all === '' ? [] : [all]
  const messages = isWhole ? found : joined
  return {
    seen: { statuses, messages, pings, result },
    partialBytes: reader.partial?.length ?? null,
  }
}

/** A response cut before each of the given places, in any order. */
export function cutAt(wire: Uint8Array, places: readonly number[]): Uint8Array[] {
  const sorted = [0, ...places.toSorted((a, b) => a - b), wire.length]
  return sorted.slice(1).map((end, at) => wire.subarray(sorted[at], end))
}
