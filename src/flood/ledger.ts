// What each stream has seen of each generator: enough to tell a message that came twice or out of
// order from a good one. Typed arrays, because there may be millions of pairs.

import { floodLimits } from '../core/limits.ts'

/** `new` and in order, `duplicate`, `reordered`, or `untracked` when the ledger is full. */
export type Verdict = 'new' | 'duplicate' | 'reordered' | 'untracked'

/**
 * Sequence numbers remembered of a pair. A number that is neither higher than the last nor among
 * these counts as reordered, so a repetition from longer ago is still an error, just another one.
 */
const REMEMBERED = 4

/** An open-addressing hash table from (stream, generator) to the last sequence numbers. */
export class Ledger {
  #capacity: number
  /** stream × 65,536 + generator's index + 1; 0 is a free place. */
  #keys: Float64Array
  /** The last numbers of each place, the highest first. */
  #seen: Uint32Array
  #pairs = 0
  readonly #pairsMax: number
  /** Generators are numbered at random; here they get small indexes in order of appearance. */
  readonly #generators = new Map<number, number>()

  constructor(pairsMax: number = floodLimits.ledgerPairsMax, capacity = 1024) {
    this.#pairsMax = pairsMax
    this.#capacity = capacity
    this.#keys = new Float64Array(capacity)
    this.#seen = new Uint32Array(capacity * REMEMBERED)
  }

  /** Notes one message of a stream. Hot path: once a message received. */
  note(stream: number, generator: number, sequence: number): Verdict {
    const index = this.#indexOf(generator)
    if (index < 0) return 'untracked'
    const key = stream * floodLimits.generatorsMax + index + 1
    const place = this.#placeOf(key)
    if (this.#keys[place] !== key) {
      if (this.#pairs >= this.#pairsMax) return 'untracked'
      this.#keys[place] = key
      this.#seen[place * REMEMBERED] = sequence
      this.#pairs++
      // At most three quarters full: a search stays a few steps, and a million streams' tables small.
      if (this.#pairs * 4 > this.#capacity * 3) this.#grow()
      return 'new'
    }
    return this.#compare(place * REMEMBERED, sequence)
  }

  #compare(at: number, sequence: number): Verdict {
    const seen = this.#seen
    let before = REMEMBERED
    for (let back = 0; back < REMEMBERED; back++) {
      const number = seen[at + back] as number
      if (number === sequence) return 'duplicate'
      if (number < sequence) {
        before = back
        break
      }
    }
    if (before < REMEMBERED) {
      seen.copyWithin(at + before + 1, at + before, at + REMEMBERED - 1)
      seen[at + before] = sequence
    }
    return before === 0 ? 'new' : 'reordered'
  }

  #indexOf(generator: number): number {
    const known = this.#generators.get(generator)
    if (known !== undefined) return known
    const index = this.#generators.size
    if (index >= floodLimits.generatorsMax) return -1
    this.#generators.set(generator, index)
    return index
  }

  #placeOf(key: number): number {
    const mask = this.#capacity - 1
    // Multiplied by 2^32 over the golden ratio, whose high bits spread neighbours apart.
    let place = Math.imul((key ^ (key / 2 ** 32)) | 0, 0x9e3779b1) >>> 0
    place = (place ^ (place >>> 15)) & mask
    while (this.#keys[place] !== 0 && this.#keys[place] !== key) place = (place + 1) & mask
    return place
  }

  #grow(): void {
    const keys = this.#keys
    const seen = this.#seen
    this.#capacity *= 2
    this.#keys = new Float64Array(this.#capacity)
    this.#seen = new Uint32Array(this.#capacity * REMEMBERED)
    for (let old = 0; old < keys.length; old++) {
      const key = keys[old] as number
      if (key === 0) continue
      const place = this.#placeOf(key)
      this.#keys[place] = key
      this.#seen.set(seen.subarray(old * REMEMBERED, (old + 1) * REMEMBERED), place * REMEMBERED)
    }
  }
}
