// What each stream has seen of each generator: enough to tell a message that came twice or out of
// order from a good one. Typed arrays, because there may be millions of pairs.

import { floodLimits } from '../core/tool-limits.ts'

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
  /** The stream of each place, plus one; 0 is a free place. */
  #streams: Uint32Array
  /** The generator of each place, by its index. */
  #sources: Uint16Array
  /** The last numbers of each place, the highest first. */
  #seen: Uint32Array
  #pairs = 0
  readonly #pairsMax: number
  /** Generators are numbered at random; here they get small indexes. */
  readonly #generators = new Map<number, number>()
  /** When each index was last heard of. */
  readonly #heardMs: number[] = []
  /** Indexes of generators that were forgotten. */
  readonly #freeIndexes: number[] = []

  constructor(pairsMax: number = floodLimits.ledgerPairsMax, capacity = 1024) {
    this.#pairsMax = pairsMax
    this.#capacity = capacity
    this.#streams = new Uint32Array(capacity)
    this.#sources = new Uint16Array(capacity)
    this.#seen = new Uint32Array(capacity * REMEMBERED)
  }

  /** Notes one message of a stream. Hot path: once a message received. */
  note(stream: number, generator: number, sequence: number, nowMs: number): Verdict {
    const index = this.#indexOf(generator)
    if (index < 0) return 'untracked'
    this.#heardMs[index] = nowMs
    const place = this.#placeOf(stream + 1, index)
    if (this.#streams[place] === 0) {
      if (this.#pairs >= this.#pairsMax) return 'untracked'
      this.#streams[place] = stream + 1
      this.#sources[place] = index
      this.#seen[place * REMEMBERED] = sequence
      this.#pairs++
      // At most seven eighths full: a search stays a few steps, and a million streams' tables small.
      if (this.#pairs * 8 > this.#capacity * 7) this.#makeRoom(nowMs)
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
    if (this.#generators.size >= floodLimits.generatorsMax) return -1
    const index = this.#freeIndexes.pop() ?? this.#generators.size
    this.#generators.set(generator, index)
    return index
  }

  /** Forgets generators that have ended, and takes a larger table if that is not enough. */
  #makeRoom(nowMs: number): void {
    const stale = new Set<number>()
    for (const [generator, index] of this.#generators) {
      if (nowMs - (this.#heardMs[index] ?? nowMs) <= floodLimits.ledgerForgetMs) continue
      stale.add(index)
      this.#generators.delete(generator)
      this.#freeIndexes.push(index)
    }
    const kept = this.#sources.reduce(
      (count, index, place) => count + Number(this.#streams[place] !== 0 && !stale.has(index)),
      0,
    )
    // At most half full afterwards, so that the next time is far away.
    this.#rebuild(kept * 2 > this.#capacity ? this.#capacity * 2 : this.#capacity, stale)
    this.#pairs = kept
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

  #rebuild(capacity: number, without: ReadonlySet<number>): void {
    const streams = this.#streams
    const sources = this.#sources
    const seen = this.#seen
    this.#capacity = capacity
    this.#streams = new Uint32Array(this.#capacity)
    this.#sources = new Uint16Array(this.#capacity)
    this.#seen = new Uint32Array(this.#capacity * REMEMBERED)
    for (let old = 0; old < streams.length; old++) {
      const stream = streams[old] as number
      if (stream === 0) continue
      const source = sources[old] as number
      if (without.has(source)) continue
      const place = this.#placeOf(stream, source)
      this.#streams[place] = stream
      this.#sources[place] = source
      this.#seen.set(seen.subarray(old * REMEMBERED, (old + 1) * REMEMBERED), place * REMEMBERED)
    }
  }
}
