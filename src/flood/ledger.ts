// What each stream has seen of each generator: enough to tell a message that came twice or out of
// order from a good one. Typed arrays, because there may be millions of pairs.

import { floodLimits } from '../core/limits.ts'

/** `new` and in order, `duplicate`, `reordered`, or `untracked` when the ledger is full. */
export type Verdict = 'new' | 'duplicate' | 'reordered' | 'untracked'

/**
 * Sequence numbers remembered of a pair. A number that is neither higher than the last nor among
 * these counts as reordered, so a repetition from longer ago is still an error, just another one.
 */
const REMEMBERED = 2

/** An open-addressing hash table from (stream, generator) to the last sequence numbers. */
export class Ledger {
  #capacity: number
  /** The stream of each place, plus one; 0 is a free place. */
  #streams: Uint32Array
  /** The generator of each place, by its index. */
  #sources: Uint16Array
  /** The last numbers of each place, the highest first. */
  #seen: Uint32Array
  #pairs = 0
  readonly #pairsMax: number
  /** Generators are numbered at random; here they get small indexes in order of appearance. */
  readonly #generators = new Map<number, number>()

  constructor(pairsMax: number = floodLimits.ledgerPairsMax, capacity = 1024) {
    this.#pairsMax = pairsMax
    this.#capacity = capacity
    this.#streams = new Uint32Array(capacity)
    this.#sources = new Uint16Array(capacity)
    this.#seen = new Uint32Array(capacity * REMEMBERED)
  }

  /** Notes one message of a stream. Hot path: once a message received. */
  note(stream: number, generator: number, sequence: number): Verdict {
    const index = this.#indexOf(generator)
    if (index < 0) return 'untracked'
    const place = this.#placeOf(stream + 1, index)
    if (this.#streams[place] === 0) {
      if (this.#pairs >= this.#pairsMax) return 'untracked'
      this.#streams[place] = stream + 1
      this.#sources[place] = index
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

  /** Where a pair is, or the free place where it belongs. */
  #placeOf(stream: number, source: number): number {
    const streams = this.#streams
    const sources = this.#sources
    const mask = this.#capacity - 1
    // Odd factors near 2^32 over the golden ratio, whose high bits spread neighbours apart.
    let place = (Math.imul(stream, 0x9e3779b1) + Math.imul(source, 0x85ebca6b)) >>> 0
    place = (place ^ (place >>> 15)) & mask
    while (streams[place] !== 0 && (streams[place] !== stream || sources[place] !== source)) {
      place = (place + 1) & mask
    }
    return place
  }

  #grow(): void {
    const streams = this.#streams
    const sources = this.#sources
    const seen = this.#seen
    this.#capacity *= 2
    this.#streams = new Uint32Array(this.#capacity)
    this.#sources = new Uint16Array(this.#capacity)
    this.#seen = new Uint32Array(this.#capacity * REMEMBERED)
    for (let old = 0; old < streams.length; old++) {
      const stream = streams[old] as number
      if (stream === 0) continue
      const source = sources[old] as number
      const place = this.#placeOf(stream, source)
      this.#streams[place] = stream
      this.#sources[place] = source
      this.#seen.set(seen.subarray(old * REMEMBERED, (old + 1) * REMEMBERED), place * REMEMBERED)
    }
  }
}
