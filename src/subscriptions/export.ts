// Writes all subscriptions as lines `A B`, A follows B, as `loadFriends` reads them. It changes
// nothing in the database, and must not know where the bytes go.

import type { Database } from 'bun:sqlite'

/** Pairs read at once, about 5 ms; no statement is open while they are written. */
const PAIRS_PER_READ = 10_000
/** Bytes of the longest line: two ids of ten digits, a space and the line's end. */
const LINE_BYTES_MAX = 22

const SPACE = 0x20
const NEWLINE = 0x0a
const ZERO = 0x30

/**
 * Writes all pairs in order of subscriber, then subject; answers how many. The bytes are a view of
 * memory that is used again once `write` has returned or its promise is settled. A change that
 * comes in between is in what is written only if its place was not yet passed.
 */
export async function exportFriends(
  database: Database,
  write: (bytes: Uint8Array) => void | Promise<void>,
): Promise<number> {
  const next = database.prepare<unknown, [number, number]>(
    `SELECT subscriber, subject FROM subscriptions WHERE (subscriber, subject) > (?, ?)
     ORDER BY subscriber, subject LIMIT ${PAIRS_PER_READ}`,
  )
  const buffer = new Uint8Array(PAIRS_PER_READ * LINE_BYTES_MAX)
  let count = 0
  try {
    for (let after: Pair = [0, 0]; ; ) {
      const pairs = next.values(...after) as Pair[]
      const last = pairs.at(-1)
      if (last === undefined) return count
      await write(buffer.subarray(0, putLines(buffer, pairs)))
      count += pairs.length
      after = last
    }
  } finally {
    next.finalize()
  }
}

type Pair = [subscriber: number, subject: number]

/** Writes one line a pair from the buffer's begin on; answers how many bytes they take. */
function putLines(buffer: Uint8Array, pairs: readonly Pair[]): number {
  let at = 0
  for (const [subscriber, subject] of pairs) {
    at = putDecimal(buffer, at, subscriber)
    buffer[at++] = SPACE
    at = putDecimal(buffer, at, subject)
    buffer[at++] = NEWLINE
  }
  return at
}

/** Writes a number without leading zeros; answers where it ends. */
function putDecimal(buffer: Uint8Array, at: number, value: number): number {
  let end = at + 1
  for (let power = 10; power <= value; power *= 10) end++
  let rest = value
  for (let place = end - 1; place >= at; place--) {
    // Not cut to 32 bits: an id may need all of them.
    const tens = Math.floor(rest / 10)
    buffer[place] = ZERO + rest - tens * 10
    rest = tens
  }
  return end
}
