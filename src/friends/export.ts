// Writes all subscriptions as lines `A B`, A follows B, as `loadFriends` reads them. It changes
// nothing in the database, and must not know where the bytes go.

import type { Database } from 'bun:sqlite'
import { PAIR_LINE_BYTES, putPair } from './text.ts'

/** Pairs read at once, about 5 ms; no statement is open while they are written. */
const PAIRS_PER_READ = 10_000

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
  const buffer = new Uint8Array(PAIRS_PER_READ * PAIR_LINE_BYTES)
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
  for (const [subscriber, subject] of pairs) at = putPair(buffer, at, subscriber, subject)
  return at
}
