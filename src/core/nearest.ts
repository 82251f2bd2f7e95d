// The known word that is most similar to an unknown one, for "did you mean". Unlike plain
// Levenshtein distance, it counts two swapped letters as one edit, the most common typing error.

/** Edits for each letter that make a typing error rather than another word. */
const EDITS_PER_LETTERS = 1 / 3

/** The word with the fewest edits; undefined if none is similar enough. */
export function nearestTo(word: string, words: readonly string[]): string | undefined {
  let nearest: string | undefined
  let fewest = Math.max(1, Math.floor(word.length * EDITS_PER_LETTERS)) + 1
  for (const candidate of words) {
    const edits = editsBetween(word, candidate)
    if (edits >= fewest) continue
    fewest = edits
    nearest = candidate
  }
  return nearest
}

/**
 * Letters to insert, delete, replace, or swap with their neighbour: the optimal string alignment
 * distance (after F. J. Damerau, 1964).
 */
export function editsBetween(one: string, other: string): number {
  let before: number[] = []
  let row = Array.from({ length: other.length + 1 }, (_, at) => at)
  for (let at = 1; at <= one.length; at++) {
    const next = [at]
    for (let to = 1; to <= other.length; to++) {
      const [above = 0, aside = 0, across = 0] = [row[to], next[to - 1], row[to - 1]]
      const exchanged = across + (one[at - 1] === other[to - 1] ? 0 : 1)
      const isSwapped = at > 1 && one[at - 1] === other[to - 2] && one[at - 2] === other[to - 1]
      const swapped = isSwapped ? (before[to - 2] ?? 0) + 1 : exchanged
      next.push(Math.min(above + 1, aside + 1, exchanged, swapped))
    }
    before = row
    row = next
  }
  return row.at(-1) ?? 0
}
