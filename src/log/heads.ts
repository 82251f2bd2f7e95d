// The newest entry of each chain of one kind: by a subject or user, the number of the last entry. A
// head outlives its entry, so that it is known who has missed what has left the window.

import { messageLimits } from '../core/limits.ts'
import { IntegerTable } from '../core/table.ts'

/** Of the table; beyond it searches become long. */
const FULL_RATIO = 0.7
const FIRST_PLACES = 256

/** What a name that has no handle is; see subscriptions/name-table.ts. */
export const NOBODY = messageLimits.userIdMax + 1

/** Is it a handle of a name, which may be another name's later? */
export function isNamed(id: number): boolean {
  return id > messageLimits.userIdMax
}

export class Heads {
  /** Rows of a key and the low bits of a number. */
  readonly #table: IntegerTable
  readonly #placesMax: number
  #sizeMax: number
  /** Up to here, heads of numbers have been dropped, */
  #floor: number
  /** and those of names. */
  #namesFloor: number

  /**
   * @param floor heads up to this number are not known
   * @param expected how many there are going to be
   */
  constructor(placesMax: number, floor = 0, expected = 0) {
    const wanted = 2 ** Math.ceil(Math.log2(expected / FULL_RATIO + 1))
    const places = Math.max(FIRST_PLACES, Math.min(wanted, placesMax))
    this.#table = new IntegerTable({ width: 2, capacity: places })
    this.#placesMax = placesMax
    this.#sizeMax = places * FULL_RATIO
    this.#floor = floor
    this.#namesFloor = floor
  }

  get byteLength(): number {
    return this.#table.rows.byteLength
  }

  get size(): number {
    return this.#table.size
  }

  /** Has the processor fetch the place of a key. The answer means nothing, but must be used. */
  touch(key: number): number {
    const table = this.#table
    return table.rows[table.home(key)] as number
  }

  /**
   * Makes a number the newest of a chain. Hot path: once a message.
   *
   * @param oldest the oldest entry that is kept
   * @returns how far before it the one before it is; 0 if none is known
   */
  advance(key: number, number: number, oldest: number): number {
    const table = this.#table
    if (table.size >= this.#sizeMax) this.#makeRoom(number, oldest)
    const row = table.find(key)
    const { rows } = table
    if (rows[row] === 0) {
      table.occupy(row, key)
      rows[row + 1] = number
      return 0
    }
    const distance = ((number >>> 0) - (rows[row + 1] as number)) >>> 0
    rows[row + 1] = number
    return distance
  }

  /** Undoes {@link advance}, whose answer this distance was. */
  retreat(key: number, number: number, distance: number): void {
    const { rows } = this.#table
    const row = this.#table.find(key)
    if (rows[row] === 0 || rows[row + 1] !== number >>> 0) return
    if (distance === 0) this.#table.remove(row)
    else rows[row + 1] = number - distance
  }

  /** Of a chain whose entries behind this number are gone, and may have one there or before. */
  lower(key: number, number: number, next: number): void {
    const { rows } = this.#table
    const row = this.#table.find(key)
    if (rows[row] === 0 || numberOf(rows[row + 1] as number, next) <= number) return
    rows[row + 1] = number
  }

  /** @param next any number above all of them; @returns 0 if none is known */
  newest(key: number, next: number): number {
    const { rows } = this.#table
    const row = this.#table.find(key)
    return rows[row] === 0 ? 0 : numberOf(rows[row + 1] as number, next)
  }

  /** Of a chain that ends: there may be entries up to here, and they would not be known. */
  floorOf(key: number): number {
    return isNamed(key) ? this.#namesFloor : this.#floor
  }

  /** The key belongs to nobody any more, and may be somebody else's. */
  free(key: number, next: number): void {
    const row = this.#table.find(key)
    if (this.#table.rows[row] === 0) return
    this.raiseNamesFloor(numberOf(this.#table.rows[row + 1] as number, next))
    this.#table.remove(row)
  }

  get numbersFloor(): number {
    return this.#floor
  }

  /** Rows of the numbers, names left out, whose newest entry is below `oldest`. */
  numbersBelow(oldest: number, next: number): Uint32Array {
    const { rows } = this.#table
    const found = new Uint32Array(this.#table.size * 2)
    let length = 0
    for (let row = 0; row < rows.length; row += 2) {
      const key = rows[row] as number
      if (key === 0 || isNamed(key) || numberOf(rows[row + 1] as number, next) >= oldest) continue
      found[length++] = key
      found[length++] = rows[row + 1] as number
    }
    return found.subarray(0, length)
  }

  /** Adds such rows to an empty table, and what was known of the others. */
  restore(rows: Uint32Array, floor: number, next: number): void {
    this.#floor = floor
    for (let at = 0; at < rows.length; at += 2) {
      this.advance(rows[at] as number, numberOf(rows[at + 1] as number, next), 1)
    }
  }

  raiseNamesFloor(number: number): void {
    this.#namesFloor = Math.max(this.#namesFloor, number)
  }

  /** Drops the heads up to a number, except those of entries that are kept. */
  dropUpTo(limit: number, next: number, oldest: number): void {
    this.#rebuild(this.#table.capacity, limit, next, oldest)
  }

  /** Those whose entries have left the window are dropped only when they are too many. */
  #makeRoom(next: number, oldest: number): void {
    const { capacity } = this.#table
    if (capacity < this.#placesMax) {
      this.#rebuild(capacity * 2, 0, next, oldest)
      return
    }
    this.#rebuild(capacity, oldest - 1, next, oldest)
    if (this.#table.size > this.#sizeMax / 2)
      this.#rebuild(this.#table.capacity * 2, 0, next, oldest)
  }

  #rebuild(capacity: number, limit: number, next: number, oldest: number): void {
    this.#table.rebuild(capacity, (rows, row) => {
      if (limit === 0) return true
      const number = numberOf(rows[row + 1] as number, next)
      if (number > limit || number >= oldest) return true
      if (isNamed(rows[row] as number)) this.#namesFloor = Math.max(this.#namesFloor, number)
      else this.#floor = Math.max(this.#floor, number)
      return false
    })
    this.#sizeMax = this.#table.capacity * FULL_RATIO
  }
}

/** The highest number below `next` that has these low bits. */
function numberOf(low: number, next: number): number {
  return next - (((next >>> 0) - low) >>> 0)
}
