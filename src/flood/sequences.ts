// Which messages came: per stream and generator, to find those that came twice or out of order;
// and, for a run that is compared, per generator on any stream, to name those that no stream
// received.

import { IntegerTable } from '../core/table.ts'
import { floodLimits } from '../core/tool-limits.ts'

/** `new` and in order, `duplicate`, `reordered`, or `untracked` when the tracker is full. */
export type Verdict = 'new' | 'duplicate' | 'reordered' | 'untracked'

/**
 * Sequence numbers remembered of a pair. A number that is neither higher than the last nor among
 * these counts as reordered, so an older repetition is still an error, only under another name.
 */
const REMEMBERED = 4

/**
 * Numbers of a row before the last sequence numbers: the stream plus one, and the generator's
 * index.
 */
const KEY = 2

/**
 * The last sequence numbers of each pair of stream and generator, of which there may be millions.
 */
export class SequenceTracker {
  /** The highest number of its pair before the last message that was recorded; 0 for none. */
  before = 0
  readonly #table: IntegerTable
  readonly #pairsMax: number
  /** Generators have random numbers; here they get small indexes. */
  readonly #generators = new Map<number, number>()
  /** When the last message of each index came. */
  readonly #lastMs: number[] = []
  /** Indexes of generators that were forgotten. */
  readonly #freeIndexes: number[] = []

  readonly #forgets: boolean

  /** @param forgets may generators that have ended be forgotten, to make room? */
  constructor(pairsMax: number = floodLimits.trackedPairsMax, capacity = 1024, forgets = true) {
    this.#pairsMax = pairsMax
    this.#forgets = forgets
    this.#table = new IntegerTable({ width: KEY + REMEMBERED, keyWidth: KEY, capacity })
  }

  /** Generators that any stream had a message of. */
  get generators(): number {
    return this.#generators.size
  }

  /** Records one message of a stream. Hot path: once a message. */
  record(stream: number, generator: number, sequence: number, nowMs: number): Verdict {
    this.before = 0
    const index = this.#indexOf(generator)
    if (index < 0) return 'untracked'
    this.#lastMs[index] = nowMs
    const table = this.#table
    const row = table.findPair(stream + 1, index)
    const { rows } = table
    if (rows[row] !== 0) {
      this.before = rows[row + KEY] as number
      return compare(rows, row + KEY, sequence)
    }
    if (table.size >= this.#pairsMax) return 'untracked'
    table.occupy(row, stream + 1)
    rows[row + 1] = index
    rows[row + KEY] = sequence
    // At most seven eighths full: a search stays a few steps, and a million streams' tables small.
    if (table.size * 8 > table.capacity * 7) this.#makeRoom(nowMs)
    return 'new'
  }

  #indexOf(generator: number): number {
    const known = this.#generators.get(generator)
    if (known !== undefined) return known
    if (this.#generators.size >= floodLimits.generatorsMax) return -1
    const index = this.#freeIndexes.pop() ?? this.#generators.size
    this.#generators.set(generator, index)
    return index
  }

  /**
   * Forgets generators that have ended, and doubles the table if it is still more than half full.
   */
  #makeRoom(nowMs: number): void {
    const stale = new Set<number>()
    for (const [generator, index] of this.#forgets ? this.#generators : []) {
      if (nowMs - (this.#lastMs[index] ?? nowMs) <= floodLimits.generatorForgetMs) continue
      stale.add(index)
      this.#generators.delete(generator)
      this.#freeIndexes.push(index)
    }
    const table = this.#table
    if (stale.size > 0) {
      table.rebuild(table.capacity, (rows, row) => !stale.has(rows[row + 1] as number))
    }
    if (table.size * 2 > table.capacity) table.rebuild(table.capacity * 2)
  }
}

function compare(rows: Uint32Array, at: number, sequence: number): Verdict {
  let before = REMEMBERED
  for (let back = 0; back < REMEMBERED; back++) {
    const number = rows[at + back] as number
    if (number === sequence) return 'duplicate'
    if (number < sequence) {
      before = back
      break
    }
  }
  if (before < REMEMBERED) {
    rows.copyWithin(at + before + 1, at + before, at + REMEMBERED - 1)
    rows[at + before] = sequence
  }
  return before === 0 ? 'new' : 'reordered'
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
