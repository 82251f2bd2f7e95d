// Publications by their key, in the order in which they are forgotten: a ring of rows in one typed
// array, and an index of it. Of a key it has a fingerprint, and no text and no object.

import { IntegerTable } from '../core/table.ts'
import type { DeliveryCounts } from './receipt.ts'

/** Numbers of a row: the fingerprint first, four of the key and two of the message. */
const ROW = { content: 4, number: 6, until: 8, delivered: 9, skipped: 10, unknown: 11 } as const
const WIDTH = 12
export const FINGERPRINT_WORDS = 6

/** Of the upper word of a number, which has 48 bits: {@link KeyedAnswer.isRestored}, */
const RESTORED = 2 ** 31
/** and {@link KeyedAnswer.era} between the two. */
const ERA_SHIFT = 16
const ERA_MASK = 0x7fff
const HIGH_MASK = 0xffff
export const ERAS_MAX = ERA_MASK + 1
const WORD_VALUES = 2 ** 32

/** Few servers have keys. A power of two. */
const FIRST_ROWS = 64
/** Of the places of the index, how many may be taken. */
const LOAD_MAX = 0.7

/** Of 128 bits of a key, and behind them 64 of what was published with it. */
export type Fingerprint = Uint32Array

/** What a publisher is told of a publication. */
export interface KeyedAnswer extends DeliveryCounts {
  /** In the log, */
  readonly number: number
  /** whose epochs are counted, from 0 to {@link ERAS_MAX} - 1. */
  readonly era: number
  /** It was read from the log: how many took it is not known. */
  readonly isRestored: boolean
}

/** A place of 32 bits names a row while it is kept; places count on, and start over. */
export class KeyTable {
  #rows = new Uint32Array(FIRST_ROWS * WIDTH)
  #mask = FIRST_ROWS - 1
  #index = newIndex()
  #first: number
  #size = 0

  /** @param first the place of the first row */
  constructor(first = 0) {
    this.#first = first
  }

  get size(): number {
    return this.#size
  }

  /** Bytes of memory. */
  get byteLength(): number {
    return this.#rows.byteLength + this.#index.rows.byteLength
  }

  /**
   * The last row with the key that is not forgotten at this second.
   *
   * @returns its place; -1 if there is none
   */
  find(fingerprint: Fingerprint, second: number): number {
    const index = this.#index
    const hash = hashOf(fingerprint, 0)
    let found = -1
    let foundAge = -1
    let row = index.home(hash)
    for (; index.rows[row] !== 0; row = index.after(row)) {
      if (index.rows[row] !== hash) continue
      const place = index.rows[row + 1] as number
      const age = (place - this.#first) >>> 0
      // Rows of one key are in any order, once the index was rebuilt.
      if (age < foundAge || !this.#hasKey(place, fingerprint)) continue
      if (this.untilOf(place) <= second) continue
      found = place
      foundAge = age
    }
    return found
  }

  #hasKey(place: number, fingerprint: Fingerprint): boolean {
    const at = this.#at(place)
    for (let word = 0; word < ROW.content; word++) {
      if (this.#rows[at + word] !== fingerprint[word]) return false
    }
    return true
  }

  /** Was the same published? */
  hasContent(place: number, fingerprint: Fingerprint): boolean {
    const at = this.#at(place)
    const { content } = ROW
    return (
      this.#rows[at + content] === fingerprint[content] &&
      this.#rows[at + content + 1] === fingerprint[content + 1]
    )
  }

  answerOf(place: number): KeyedAnswer {
    const at = this.#at(place)
    const [low, high] = [this.#word(at + ROW.number), this.#word(at + ROW.number + 1)]
    const isRestored = high >= RESTORED
    return {
      number: (high & HIGH_MASK) * WORD_VALUES + low,
      era: (high >>> ERA_SHIFT) & ERA_MASK,
      delivered: this.#word(at + ROW.delivered),
      skipped: this.#word(at + ROW.skipped),
      unknown: this.#word(at + ROW.unknown),
      isRestored,
    }
  }

  /** The second from which on it is forgotten. */
  untilOf(place: number): number {
    return this.#word(this.#at(place) + ROW.until)
  }

  /** When the oldest row is forgotten, and when the last one is; 0 if there is none. */
  get oldestUntil(): number {
    return this.#size === 0 ? 0 : this.untilOf(this.#first)
  }

  get lastUntil(): number {
    return this.#size === 0 ? 0 : this.untilOf((this.#first + this.#size - 1) >>> 0)
  }

  /**
   * Adds a row.
   *
   * @param until a second, not before that of the last row
   * @returns its place
   */
  add(fingerprint: Fingerprint, until: number, answer: KeyedAnswer): number {
    if (this.#size > this.#mask) this.#grow()
    const place = (this.#first + this.#size) >>> 0
    const at = this.#at(place)
    this.#rows.set(fingerprint, at)
    const { number, era, isRestored } = answer
    const high = Math.floor(number / WORD_VALUES) + era * 2 ** ERA_SHIFT
    this.#rows[at + ROW.number] = number % WORD_VALUES
    this.#rows[at + ROW.number + 1] = high + (isRestored ? RESTORED : 0)
    this.#rows[at + ROW.until] = until
    this.#size++
    this.settle(place, answer)
    this.#addToIndex(place, hashOf(fingerprint, 0))
    return place
  }

  /** It is known how many took it. */
  settle(place: number, { delivered, skipped, unknown }: DeliveryCounts): void {
    const at = this.#at(place)
    this.#rows[at + ROW.delivered] = delivered
    this.#rows[at + ROW.skipped] = skipped
    this.#rows[at + ROW.unknown] = unknown
  }

  /** Answers which place is free from now on. */
  removeOldest(): number {
    const place = this.#first
    const index = this.#index
    let row = index.home(hashOf(this.#rows, this.#at(place)))
    while (index.rows[row] !== 0 && index.rows[row + 1] !== place) row = index.after(row)
    if (index.rows[row] === 0) throw new Error('a key is not in its index')
    index.remove(row)
    this.#first = (place + 1) >>> 0
    this.#size--
    return place
  }

  /** Forgets all, and gives up the memory. */
  clear(): void {
    this.#first = (this.#first + this.#size) >>> 0
    this.#size = 0
    this.#rows = new Uint32Array(FIRST_ROWS * WIDTH)
    this.#mask = FIRST_ROWS - 1
    this.#index = newIndex()
  }

  #addToIndex(place: number, hash: number): void {
    const index = this.#index
    if (index.size + 1 > index.capacity * LOAD_MAX) index.rebuild(index.capacity * 2)
    let row = index.home(hash)
    while (index.rows[row] !== 0) row = index.after(row)
    index.occupy(row, hash)
    index.rows[row + 1] = place
  }

  #at(place: number): number {
    return (place & this.#mask) * WIDTH
  }

  #word(at: number): number {
    return this.#rows[at] as number
  }

  #grow(): void {
    const old = this.#rows
    const rows = new Uint32Array(old.length * 2)
    const rowCount = this.#mask + 1
    this.#mask += rowCount
    // It is full: the rows from the first one to the end of the ring, and those behind them.
    const first = this.#first % rowCount
    rows.set(old.subarray(first * WIDTH), this.#at(this.#first))
    rows.set(old.subarray(0, first * WIDTH), this.#at(this.#first + rowCount - first))
    this.#rows = rows
  }
}

/** Rows of the first word of a key, and a place. */
function newIndex(): IntegerTable {
  return new IntegerTable({ width: 2, capacity: 2 * FIRST_ROWS })
}

/** A place of the index that has 0 is free. */
function hashOf(words: Uint32Array, at: number): number {
  return words[at] || 1
}
