// A hash table of whole numbers with open addressing and linear probing, in one typed array: of
// millions of rows no object is made, and a row found is one cache line.

import { LowestNumbers } from './lowest.ts'

/** Default number of places of an empty table. */
const FIRST_CAPACITY = 1024

export interface TableOptions {
  /** Numbers of a row, its key included. */
  readonly width: number
  /** Numbers that rows are spread by: 2 if the second one belongs to the key, else 1. */
  readonly keyWidth?: 1 | 2
  /** Places at first; a power of two. */
  readonly capacity?: number
  /** Instead of an empty table: the {@link IntegerTable.rows} of another one, and its size. */
  readonly saved?: { readonly rows: Uint32Array; readonly size: number }
}

/**
 * A row is named by its index in {@link rows}; an index is valid until the next {@link remove} or
 * {@link rebuild}. The owner writes what stands behind the key, and rebuilds the table before it is
 * full: searches end at a free place. Several rows may have the same key.
 */
export class IntegerTable {
  /** One row after another, its key first; a place whose key is 0 is free. */
  rows: Uint32Array
  /** Rows that are not free. */
  size: number
  readonly #width: number
  readonly #keyWidth: number
  /** One less than the number of places. */
  #mask: number

  constructor({ width, keyWidth = 1, capacity = FIRST_CAPACITY, saved }: TableOptions) {
    this.#width = width
    this.#keyWidth = keyWidth
    this.rows = saved?.rows ?? new Uint32Array(capacity * width)
    this.#mask = this.rows.length / width - 1
    this.size = saved?.size ?? 0
  }

  get capacity(): number {
    return this.#mask + 1
  }

  /**
   * The row where a search for a key begins; it goes on at {@link after} until a free row.
   * Multiplied by odd factors, of which the first is 2^32 over the golden ratio: their high bits
   * spread neighbours apart (Knuth, The Art of Computer Programming, volume 3, section 6.4).
   *
   * @param second the second number of the key, if it has two
   */
  home(key: number, second = 0): number {
    const mixed = (Math.imul(key, 0x9e3779b1) + Math.imul(second, 0x85ebca6b)) | 0
    return ((mixed ^ (mixed >>> 16)) & this.#mask) * this.#width
  }

  after(row: number): number {
    const next = row + this.#width
    return next === this.rows.length ? 0 : next
  }

  /** The first row with the key, or the free row where it belongs. */
  find(key: number): number {
    const { rows } = this
    let row = this.home(key)
    while (rows[row] !== key && rows[row] !== 0) row = this.after(row)
    return row
  }

  /** The row with a key of two numbers, or the free row where it belongs. */
  findPair(key: number, second: number): number {
    const { rows } = this
    let row = this.home(key, second)
    while (rows[row] !== 0 && (rows[row] !== key || rows[row + 1] !== second)) row = this.after(row)
    return row
  }

  /**
   * The lowest keys above one, in order and each once: `count` of them, or as many as there are.
   * Reads the whole table, about 5 ms for a million rows.
   */
  keysAbove(key: number, count: number): Uint32Array {
    const { rows } = this
    const lowest = new LowestNumbers(count)
    for (let row = 0; row < rows.length; row += this.#width) {
      const one = rows[row] as number
      if (one > key) lowest.add(one)
    }
    return lowest.take()
  }

  /** Takes a free row for a key. */
  occupy(row: number, key: number): void {
    this.rows[row] = key
    this.size++
  }

  /**
   * Frees a row, and moves back those that are only where they are because it was taken (Knuth, the
   * same section, algorithm R), so that a search may still stop at the first free row.
   */
  remove(row: number): void {
    const { rows } = this
    const width = this.#width
    let hole = row
    for (let next = this.after(hole); rows[next] !== 0; next = this.after(next)) {
      // It may stay if its home lies behind the hole, on the way to where it is.
      if (this.#distance(this.#homeOf(rows, next), next) < this.#distance(hole, next)) continue
      for (let at = 0; at < width; at++) rows[hole + at] = rows[next + at] as number
      hole = next
    }
    for (let at = 0; at < width; at++) rows[hole + at] = 0
    this.size--
  }

  /**
   * Moves all rows, or those that `keeps` returns true for, to a new array of `capacity` places.
   */
  rebuild(capacity: number, keeps?: (rows: Uint32Array, row: number) => boolean): void {
    const old = this.rows
    const width = this.#width
    this.rows = new Uint32Array(capacity * width)
    this.#mask = capacity - 1
    this.size = 0
    for (let from = 0; from < old.length; from += width) {
      if (old[from] === 0 || keeps?.(old, from) === false) continue
      let row = this.#homeOf(old, from)
      while (this.rows[row] !== 0) row = this.after(row)
      for (let at = 0; at < width; at++) this.rows[row + at] = old[from + at] as number
      this.size++
    }
  }

  #homeOf(rows: Uint32Array, row: number): number {
    const second = this.#keyWidth === 2 ? (rows[row + 1] as number) : 0
    return this.home(rows[row] as number, second)
  }

  /** How far a row is behind another one, in numbers, around the end. */
  #distance(from: number, to: number): number {
    return to >= from ? to - from : to - from + this.rows.length
  }
}
