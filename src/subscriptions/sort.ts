// Sorts pairs of user ids, and removes duplicates.

/** Bits of an id that one pass sorts by: 2,048 write positions, few enough for the caches. */
const BITS_PER_PASS = 11

/**
 * Sorts by subscriber, then subject: a radix sort from the lowest digit up (Knuth, volume 3, 5.2.5,
 * algorithm R). Writes to the given array and one of its size; returns one of the two.
 * `onPass` is called before each pass and after the last.
 */
export async function sortPairs(
  pairs: Uint32Array,
  onPass: (done: number, total: number) => Promise<void>,
): Promise<Uint32Array> {
  let most = 0
  for (const id of pairs) if (id > most) most = id
  const passes = Math.ceil((32 - Math.clz32(most)) / BITS_PER_PASS)
  let from = pairs
  let to: Uint32Array = new Uint32Array(pairs.length)
  for (let pass = 0; pass < 2 * passes; pass++) {
    await onPass(pass, 2 * passes)
    // First the subject, which is the lower half of the key.
    sortByDigit(from, to, pass < passes ? 1 : 0, (pass % passes) * BITS_PER_PASS)
    ;[from, to] = [to, from]
  }
  await onPass(2 * passes, 2 * passes)
  return from
}

function sortByDigit(from: Uint32Array, to: Uint32Array, half: 0 | 1, shift: number): void {
  const places = new Uint32Array(2 ** BITS_PER_PASS)
  const mask = places.length - 1
  for (let at = half; at < from.length; at += 2) {
    const digit = ((from[at] as number) >>> shift) & mask
    places[digit] = (places[digit] as number) + 2
  }
  let next = 0
  for (const [digit, count] of places.entries()) {
    places[digit] = next
    next += count
  }
  for (let at = 0; at < from.length; at += 2) {
    const digit = ((from[at + half] as number) >>> shift) & mask
    const place = places[digit] as number
    to[place] = from[at] as number
    to[place + 1] = from[at + 1] as number
    places[digit] = place + 2
  }
}

/** Removes duplicates from a sorted array, in place; returns the part that is left. */
export function unique(sorted: Uint32Array): Uint32Array {
  let length = 0
  for (let at = 0; at < sorted.length; at += 2) {
    const subscriber = sorted[at] as number
    const subject = sorted[at + 1] as number
    if (length > 0 && sorted[length - 2] === subscriber && sorted[length - 1] === subject) continue
    sorted[length++] = subscriber
    sorted[length++] = subject
  }
  return sorted.subarray(0, length)
}
