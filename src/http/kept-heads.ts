// The heads that are likely to come again: a publisher sends the same one with each message of the
// same length, and comparing it takes a tenth of the time of reading it.

import { copyOf } from '../core/bytes.ts'
import { httpLimits } from '../core/http-limits.ts'
import { type CompleteHead, type HeadResult, readRequestHead } from './request-head.ts'

const { keptHeadsMax, keptHeadBytesMax, keptHeadMissesMax } = httpLimits

interface KeptHead {
  readonly bytes: Uint8Array
  readonly result: CompleteHead
}

/** The head that a piece of memory begins with is decided by its bytes alone, so it may be kept. */
export class KeptHeads {
  /** By the bytes that had arrived: mostly a head and its body, which it says the length of. */
  readonly #kept: (KeptHead | null)[] = new Array(keptHeadsMax).fill(null)
  /** Heads since the last one that had been kept. */
  #misses = 0

  /** Reads the head that begins at `start`. Hot path: once a request. */
  read(bytes: Uint8Array, start: number, end: number): HeadResult {
    const place = (end - start) & (keptHeadsMax - 1)
    const kept = this.#kept[place] ?? null
    if (kept !== null && isSame(kept.bytes, bytes, start, end)) {
      this.#misses = 0
      return kept.result
    }
    const result = readRequestHead(bytes, start, end)
    if (result.kind === 'complete' && result.length <= keptHeadBytesMax && this.#isLikelyAgain()) {
      const copy = copyOf(bytes, start, start + result.length)
      this.#kept[place] = { bytes: copy, result }
    }
    return result
  }

  /** Where each head is another, as with an id for tracing, few of them are copied. */
  #isLikelyAgain(): boolean {
    this.#misses++
    return this.#misses <= keptHeadMissesMax || this.#misses % keptHeadMissesMax === 0
  }
}

/**
 * The time that it takes says nothing of where heads differ, which may be in a token. Without a
 * call of the platform, for which a view of the bytes would be allocated.
 */
function isSame(kept: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  const { length } = kept
  if (length > end - start) return false
  let difference = 0
  for (let at = 0; at < length; at++) {
    difference |= (kept[at] as number) ^ (bytes[start + at] as number)
  }
  return difference === 0
}
