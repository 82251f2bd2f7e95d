// Subscriptions as text: lines `A B`, A follows B, numbers in decimal and names, as `comet friends
// load` reads them.

import type { Database } from 'bun:sqlite'
import { identityLimits } from '../core/identity-limits.ts'
import { isHandle, type NameTable } from '../subscriptions/name-table.ts'

/** Bytes of the longest line: two names, which are longer than any number, a space, a newline. */
const LINE_BYTES_MAX = 2 * identityLimits.nameLengthMax + 2
/** Pairs read or written at once: 5 ms to read them, and few system calls to write them. */
const PAIRS_AT_ONCE = 10_000

const SPACE = 0x20
const NEWLINE = 0x0a
const ZERO = 0x30

/** Takes bytes that are reused once it has returned or its promise has settled. */
export type WriteBytes = (bytes: Uint8Array) => void | Promise<void>

/**
 * Writes pairs `subscriber, subject, subscriber, subject, …`, one line each.
 *
 * @param names of the handles in them, if there are any
 */
export async function writePairs(
  pairs: Uint32Array,
  write: WriteBytes,
  names?: Pick<NameTable, 'nameOf'>,
): Promise<void> {
  const buffer = new Uint8Array(LINE_BYTES_MAX * Math.min(PAIRS_AT_ONCE, pairs.length / 2))
  const texts = Buffer.from(buffer.buffer)
  const put = (at: number, id: number): number => {
    if (names === undefined || !isHandle(id)) return putDecimal(buffer, at, id)
    return at + texts.write(names.nameOf(id), at, 'latin1')
  }
  for (let from = 0; from < pairs.length; from += 2 * PAIRS_AT_ONCE) {
    const to = Math.min(pairs.length, from + 2 * PAIRS_AT_ONCE)
    let end = 0
    for (let at = from; at < to; at += 2) {
      end = put(end, pairs[at] as number)
      buffer[end++] = SPACE
      end = put(end, pairs[at + 1] as number)
      buffer[end++] = NEWLINE
    }
    await write(buffer.subarray(0, end))
  }
}

/** Writes a number without leading zeros and returns where it ends. Hot: twice a subscription. */
function putDecimal(buffer: Uint8Array, at: number, value: number): number {
  let end = at + 1
  for (let power = 10; power <= value; power *= 10) end++
  let rest = value
  for (let place = end - 1; place >= at; place--) {
    const tens = Math.floor(rest / 10)
    buffer[place] = ZERO + rest - tens * 10
    rest = tens
  }
  return end
}

/**
 * Writes all pairs of a database in order of subscriber, then subject; returns how many. No
 * statement is open while they are written; a concurrent change is included only if its place is
 * still ahead.
 *
 * @param names those of the database
 */
export async function exportFriends(
  database: Database,
  names: Pick<NameTable, 'nameOf'>,
  write: WriteBytes,
): Promise<number> {
  const next = database.prepare<unknown, [number, number]>(
    `SELECT subscriber, subject FROM subscriptions WHERE (subscriber, subject) > (?, ?)
     ORDER BY subscriber, subject LIMIT ${PAIRS_AT_ONCE}`,
  )
  let count = 0
  try {
    for (let after: [number, number] = [0, 0]; ; ) {
      const rows = next.values(...after) as [number, number][]
      const last = rows.at(-1)
      if (last === undefined) return count
      const pairs = new Uint32Array(2 * rows.length)
      let end = 0
      for (const [subscriber, subject] of rows) {
        pairs[end++] = subscriber
        pairs[end++] = subject
      }
      await writePairs(pairs, write, names)
      count += rows.length
      after = last
    }
  } finally {
    next.finalize()
  }
}
