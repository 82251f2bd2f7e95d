// Reads a response in pieces with the real reader, as a flood does: with the one that has read all
// responses before, each piece in memory that other pieces were in and will be in at once.

import type { CutFraming } from './framing.ts'
import type { Seen } from './naive.fixture.ts'
import {
  type ReadResult,
  type ResponseListener,
  ResponseReader,
  ResponseStates,
} from './response.ts'

/** What the reader reported, and what it kept at the end. */
export interface SeenInPieces {
  readonly seen: Seen
  readonly partialBytes: number | null
}

const reader = new ResponseReader()

/** What the last pieces may have left behind this one, to be taken for a part of it. */
const BEHIND = Buffer.from('\r\n\r\n3\r\n\n\ndata:x\n\n=0.0.0')

export function readInPieces(parts: readonly Uint8Array[], framing: CutFraming): SeenInPieces {
  const states = new ResponseStates(1)
  const statuses: number[] = []
  const found: string[] = []
  const pings: string[] = []
  let result: ReadResult = 'more'
  let isWhole = true
  for (const part of parts) {
    if (result !== 'more') break
    const buffer = new Uint8Array(Buffer.concat([part, BEHIND]))
    const listener: ResponseListener = {
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
    }
    reader.load(states, 0)
    result = reader.read(buffer, listener, part.length)
    reader.save(states, 0)
    buffer.fill(0x21)
  }
  // Without chunks around it, a body's pieces are what came together, wherever that was cut.
  const all = found.join('')
  const joined = all === '' ? [] : [all]
  const messages = isWhole ? found : joined
  return {
    seen: { statuses, messages, pings, result },
    partialBytes: states.partials.get(0)?.length ?? null,
  }
}

/** A response cut before each of the given places, in any order. */
export function cutAt(wire: Uint8Array, places: readonly number[]): Uint8Array[] {
  const sorted = [0, ...places.toSorted((a, b) => a - b), wire.length]
  return sorted.slice(1).map((end, at) => wire.subarray(sorted[at], end))
}
