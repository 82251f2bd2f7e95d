// Which messages came: per stream and generator, to find those that came twice or out of order; and,
// for a run that is compared, per generator on any stream, to name those that no stream received.

import { floodLimits } from '../core/tool-limits.ts'

/** `new` and in order, `duplicate`, `reordered`, or `untracked` when the tracker is full. */
export type Verdict = 'new' | 'duplicate' | 'reordered' | 'untracked'

/**
 * Sequence numbers remembered of a pair. A number that is neither higher than the last nor among
 * these counts as reordered, so an older repetition is still an error, only under another name.
 */
const REMEMBERED = 4

/**
 * An open-addressing hash table from (stream, generator) to the last sequence numbers. Typed arrays,
 * since there may be millions of pairs.
 */
export class SequenceTracker {
  #capacity: number
  /** The stream of each slot, plus one; 0 is a free slot. */
  #streams: Uint32Array
  /** The generator of each slot, by its index. */
  #sources: Uint16Array
  /** The last numbers of each slot, the highest first. */
  #seen: Uint32Array
  #pairs = 0
  readonly #pairsMax: number
  /** Generators have random numbers; here they get small indexes. */
  readonly #generators = new Map<number, number>()
  /** When the last message of each index came. */
  readonly #lastMs: number[] = []
  /** Indexes of generators that were forgotten. */
  readonly #freeIndexes: number[] = []

  constructor(pairsMax: number = floodLimits.trackedPairsMax, capacity = 1024) {
    this.#pairsMax = pairsMax
    this.#capacity = capacity
    this.#streams = new Uint32Array(capacity)
    this.#sources = new Uint16Array(capacity)
    this.#seen = new Uint32Array(capacity * REMEMBERED)
  }

  /** Records one message of a stream. Hot path: once a message. */
  record(stream: number, generator: number, sequence: number, nowMs: number): Verdict {
    const index = this.#indexOf(generator)
    if (index < 0) return 'untracked'
    this.#lastMs[index] = nowMs
    const slot = this.#slotOf(stream + 1, index)
    if (this.#streams[slot] === 0) {
      if (this.#pairs >= this.#pairsMax) return 'untracked'
      this.#streams[slot] = stream + 1
      this.#sources[slot] = index
      this.#seen[slot * REMEMBERED] = sequence
      this.#pairs++
      // At most seven eighths full: a search stays a few steps, and a million streams' tables small.
      if (this.#pairs * 8 > this.#capacity * 7) this.#makeRoom(nowMs)
      return 'new'
    }
    return this.#compare(slot * REMEMBERED, sequence)
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

  /** Forgets generators that have ended, and doubles the table if that is not enough. */
  #makeRoom(nowMs: number): void {
    const stale = new Set<number>()
    for (const [generator, index] of this.#generators) {
      if (nowMs - (this.#lastMs[index] ?? nowMs) <= floodLimits.generatorForgetMs) continue
      stale.add(index)
      this.#generators.delete(generator)
      this.#freeIndexes.push(index)
    }
    const kept = this.#sources.reduce(
      (count, index, slot) => count + Number(this.#streams[slot] !== 0 && !stale.has(index)),
      0,
    )
    // At most half full afterwards, so that the next time is far away.
    this.#rebuild(kept * 2 > this.#capacity ? this.#capacity * 2 : this.#capacity, stale)
    this.#pairs = kept
  }

  /** The slot of a pair, or the free slot where it belongs. */
  #slotOf(stream: number, source: number): number {
    const streams = this.#streams
    const sources = this.#sources
    const mask = this.#capacity - 1
    // Odd factors near 2^32 over the golden ratio, whose high bits spread neighbours apart.
    let slot = (Math.imul(stream, 0x9e3779b1) + Math.imul(source, 0x85ebca6b)) >>> 0
    slot = (slot ^ (slot >>> 15)) & mask
    while (streams[slot] !== 0 && (streams[slot] !== stream || sources[slot] !== source)) {
      slot = (slot + 1) & mask
    }
    return slot
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
      const slot = this.#slotOf(stream, source)
      this.#streams[slot] = stream
      this.#sources[slot] = source
      this.#seen.set(seen.subarray(old * REMEMBERED, (old + 1) * REMEMBERED), slot * REMEMBERED)
    }
  }
}

/** A generator, and a bit for each of its messages; the first bit is of sequence number 0. */
export type GeneratorArrivals = readonly [generator: number, bits: Uint8Array]

export interface SentMessage {
  readonly generator: number
  readonly sequence: number
}

/** Bytes of a generator's bits at first. */
const BYTES_AT_FIRST = 64

/** Which messages of each generator came on any stream. */
export class Arrivals {
  readonly #bits = new Map<number, Uint8Array>()
  readonly #bytesMax: number
  #bytes = 0

  constructor(bytesMax: number = floodLimits.arrivalsBytesMax) {
    this.#bytesMax = bytesMax
  }

  /** Ignored where there is no room. Hot path of a run that is compared: once a message. */
  record(generator: number, sequence: number): void {
    const place = Math.floor(sequence / 8)
    const known = this.#bits.get(generator)
    const hasRoom = known !== undefined && place < known.length
    const bits = hasRoom ? known : this.#grow(generator, known, place)
    if (bits === null) return
    bits[place] = (bits[place] as number) | (1 << (sequence & 7))
  }

  /** Adds the arrivals of another process. */
  add([generator, more]: GeneratorArrivals): void {
    const known = this.#bits.get(generator)
    const hasRoom = known !== undefined && known.length >= more.length
    const bits = hasRoom ? known : this.#grow(generator, known, more.length - 1)
    if (bits === null) return
    for (let place = 0; place < more.length; place++) {
      bits[place] = (bits[place] as number) | (more[place] as number)
    }
  }

  all(): GeneratorArrivals[] {
    return [...this.#bits]
  }

  /** The first `most` messages that never came though a later one of the same generator did. */
  missing(most: number): SentMessage[] {
    const found: SentMessage[] = []
    for (const [generator, bits] of this.#bits) {
      const last = lastSequence(bits)
      // Generators count from 1.
      for (let sequence = 1; sequence < last && found.length < most; sequence++) {
        const isHere = ((bits[sequence >> 3] ?? 0) & (1 << (sequence & 7))) !== 0
        if (!isHere) found.push({ generator, sequence })
      }
    }
    return found
  }

  #grow(generator: number, bits: Uint8Array | undefined, place: number): Uint8Array | null {
    const length = Math.max(BYTES_AT_FIRST, 2 ** Math.ceil(Math.log2(place + 1)))
    const before = bits?.length ?? 0
    if (this.#bytes + length - before > this.#bytesMax) return null
    const larger = new Uint8Array(length)
    if (bits !== undefined) larger.set(bits)
    this.#bits.set(generator, larger)
    this.#bytes += length - before
    return larger
  }
}

function lastSequence(bits: Uint8Array): number {
  const place = bits.findLastIndex((byte) => byte !== 0)
  return place < 0 ? 0 : place * 8 + 31 - Math.clz32(bits[place] as number)
}
