// The text form of a subscription as it is written: a line `A B`, A follows B. How it is read,
// pairs.ts knows.

/** Bytes of the longest line: two ids of ten digits, a space and the line's end. */
export const PAIR_LINE_BYTES = 22

const SPACE = 0x20
const NEWLINE = 0x0a
const ZERO = 0x30

/** Writes one line from `at` on; answers where it ends. Hot loop: once a subscription. */
export function putPair(
  buffer: Uint8Array,
  at: number,
  subscriber: number,
  subject: number,
): number {
  const between = putDecimal(buffer, at, subscriber)
  buffer[between] = SPACE
  const end = putDecimal(buffer, between + 1, subject)
  buffer[end] = NEWLINE
  return end + 1
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
