// The newest entry of each chain of one kind: by a subject or user, the number of the last entry. A
// head outlives its entry, so that it is known who has missed what has left the window.

import { messageLimits } from '../core/limits.ts'
import { IntegerTable } from '../core/table.ts'
import { GoneHeads, type NameHash, type NameHashValue } from './gone-heads.ts'
import { lastBelow } from './numbers.ts'

/** Of the table; beyond it searches become long. */
const FULL_RATIO = 0.7
const FIRST_PLACES = 256

/** What a name that has no handle is; see subscriptions/name-table.ts. */
export const NOBODY = messageLimits.userIdMax + 1

/** Is it a handle of a name, which may be another name's later? */
export function isNamed(id: number): boolean {
  return id > messageLimits.userIdMax
}

export interface HeadsOptions {
  /** Of a table. */
  readonly placesMax: number
  /** Of the names of handles. */
  readonly hash: NameHash
  /** Heads up to this number are not known. */
  readonly floor?: number
  /** How many there are going to be. */
  readonly expected?: number
}

/** What is not known of heads: see {@link Heads.floors}. */
export interface HeadFloors {
  readonly numbers: number
  readonly names: number
  readonly gone: number
}

export class Heads {
  /** Rows of a key and the low bits of a number. */
  readonly #table: IntegerTable
  readonly #placesMax: number
  #sizeMax: number
  /** Up to here, heads of numbers have been dropped, */
  #floor: number
  /** and those of names, whatever else is known of them. */
  #namesFloor = 0
  /** Of names that have no handle any more. */
  readonly #gone: GoneHeads
  readonly #hash: NameHash

  constructor({ placesMax, hash, floor = 0, expected = 0 }: HeadsOptions) {
    const wanted = 2 ** Math.ceil(Math.log2(expected / FULL_RATIO + 1))
    const places = Math.max(FIRST_PLACES, Math.min(wanted, placesMax))
    this.#table = new IntegerTable({ width: 2, capacity: places })
    this.#placesMax = placesMax
    this.#sizeMax = places * FULL_RATIO
    this.#floor = floor
    this.#gone = new GoneHeads(placesMax, floor)
    this.#hash = hash
  }

  get byteLength(): number {
    return this.#table.rows.byteLength + this.#gone.byteLength
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
    if (rows[row] === 0 || lastBelow(next, rows[row + 1] as number) <= number) return
    rows[row + 1] = number
  }

  /** @param next any number above all of them; @returns 0 if none is known */
  newest(key: number, next: number): number {
    const { rows } = this.#table
    const row = this.#table.find(key)
    return rows[row] === 0 ? 0 : lastBelow(next, rows[row + 1] as number)
  }

  /**
   * Of a chain that ends: up to which entry there may be others, which are not kept.
   *
   * @param after it does not matter whether there are any up to here
   */
  floorOf(key: number, after: number, next: number): number {
    if (!isNamed(key)) return this.#floor
    const gone = this.#gone
    if (after >= Math.max(this.#namesFloor, gone.floor, gone.highest)) return 0
    this.#hash.read(key)
    const { first, second } = this.#hash
    return Math.max(this.#namesFloor, gone.newest(first, second, next))
  }

  /** The handle may be another name's from now on; its own name has it still. */
  free(key: number, next: number): void {
    const number = this.newest(key, next)
    if (number === 0) return
    this.#hash.read(key)
    this.keepGone(number, next)
    this.remove(key)
  }

  remove(key: number): void {
    const row = this.#table.find(key)
    if (this.#table.rows[row] !== 0) this.#table.remove(row)
  }

  /** Keeps the newest entry of the name whose hash was read last, or is given. */
  keepGone(number: number, next: number, hash: NameHashValue = this.#hash): void {
    this.#gone.keep(hash.first, hash.second, number, next)
  }

  /** Rows of a key and the low bits of a number. */
  get table(): IntegerTable {
    return this.#table
  }

  /** See {@link GoneHeads.table}. */
  get goneTable(): IntegerTable {
    return this.#gone.table
  }

  /** Up to where heads of numbers, of all names, and of names that are not known have gone. */
  get floors(): HeadFloors {
    return { numbers: this.#floor, names: this.#namesFloor, gone: this.#gone.floor }
  }

  set floors({ numbers, names, gone }: HeadFloors) {
    this.#floor = numbers
    this.#namesFloor = names
    this.#gone.floor = gone
  }

  raiseNamesFloor(number: number): void {
    this.#namesFloor = Math.max(this.#namesFloor, number)
  }

  /** Drops the heads up to a number, except those of entries that are kept. */
  dropUpTo(limit: number, next: number, oldest: number): void {
    this.#gone.dropUpTo(limit, next)
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
      const number = lastBelow(next, rows[row + 1] as number)
      if (number > limit || number >= oldest) return true
      if (isNamed(rows[row] as number)) this.#namesFloor = Math.max(this.#namesFloor, number)
      else this.#floor = Math.max(this.#floor, number)
      return false
    })
    this.#sizeMax = this.#table.capacity * FULL_RATIO
  }
}
