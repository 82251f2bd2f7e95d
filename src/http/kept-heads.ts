// The heads that are likely to come again: a publisher sends the same one with each message of the
// same length, and comparing it takes a twentieth of the time of reading it.

import { httpLimits } from '../core/limits.ts'
import { type CompleteHead, type HeadResult, readRequestHead } from './request-head.ts'

interface KeptHead {
  readonly bytes: Buffer
  readonly result: CompleteHead
  /** Has it a secret, of which the time of a comparison must say nothing? */
  readonly isSecret: boolean
}

/** The head that a piece of memory begins with is decided by its bytes alone, so it may be kept. */
export class KeptHeads {
  /** By the bytes that had arrived: mostly a head and its body, which it says the length of. */
  readonly #kept: (KeptHead | null)[] = new Array(httpLimits.keptHeadsMax).fill(null)

  /** Reads the head that begins at `start`. Hot path: once a request. */
  read(bytes: Uint8Array, start: number, end: number): HeadResult {
    const place = (end - start) & (httpLimits.keptHeadsMax - 1)
    const kept = this.#kept[place] ?? null
    if (kept !== null && isSame(kept, bytes, start, end)) return kept.result
    const result = readRequestHead(bytes, start, end)
    if (result.kind === 'complete' && result.length <= httpLimits.keptHeadBytesMax) {
      const copy = Buffer.from(bytes.subarray(start, start + result.length))
      const isSecret = result.head.header('authorization') !== null
      this.#kept[place] = { bytes: copy, result, isSecret }
    }
    return result
  }
}

function isSame(kept: KeptHead, bytes: Uint8Array, start: number, end: number): boolean {
  const { length } = kept.bytes
  const keptEnd = start + length
  if (keptEnd > end) return false
  // Bun's own, since `node:crypto` takes 1.4 MB of every worker.
  if (kept.isSecret) return crypto.timingSafeEqual(kept.bytes, bytes.subarray(start, keptEnd))
  return kept.bytes.compare(bytes, start, keptEnd, 0, length) === 0
}
