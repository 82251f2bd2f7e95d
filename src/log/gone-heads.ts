// The newest entries of names that have no handle any more, by a hash of the name. A name that gets
// another handle, also in another process, is so known to have missed nothing, or something.

import { randomInt } from 'node:crypto'
import { IntegerTable } from '../core/table.ts'
import { lastBelow } from './numbers.ts'

const FULL_RATIO = 0.7
const FIRST_PLACES = 16
const ROW_NUMBERS = 3

/** Seeds of the two halves of a hash: nobody who may choose names knows which have the same. */
export type HashSeeds = readonly [number, number]

export function randomSeeds(): HashSeeds {
  return [randomInt(2 ** 32), randomInt(2 ** 32)]
}

export interface NameHashValue {
  /** Never 0. */
  readonly first: number
  readonly second: number
}

/** The hash of a name, in two halves: an object for each would be garbage. */
export class NameHash implements NameHashValue {
  readonly #nameOf: (handle: number) => string
  #seeds: HashSeeds
  /** Of the name that was read last. */
  first = 0
  second = 0

  constructor(nameOf: (handle: number) => string, seeds: HashSeeds) {
    this.#nameOf = nameOf
    this.#seeds = seeds
  }

  get seeds(): HashSeeds {
    return this.#seeds
  }

  /** Those that the hashes of a file were made with. */
  set seeds(seeds: HashSeeds) {
    this.#seeds = seeds
  }

  read(handle: number): void {
    const name = this.#nameOf(handle)
    this.first = Bun.hash.xxHash32(name, this.#seeds[0]) || 1
    this.second = Bun.hash.xxHash32(name, this.#seeds[1])
  }
}

/**
 * Of one kind of chains. Two names with the same hash share the newest entry of both: one of them
 * may have a gap that is none, and none has missed what it is not told of.
 */
export class GoneHeads {
  readonly #table = new IntegerTable({
    width: ROW_NUMBERS,
    keyWidth: 2,
    capacity: FIRST_PLACES,
  })
  readonly #placesMax: number
  /** Up to here, some are not known. */
  floor: number
  /** None is above it. */
  highest = 0

  constructor(placesMax: number, floor: number) {
    this.#placesMax = placesMax
    this.floor = floor
  }

  get byteLength(): number {
    return this.#table.rows.byteLength
  }

  /** Rows of the two halves of a hash and the low bits of a number. */
  get table(): IntegerTable {
    return this.#table
  }

  /** @param next above all numbers; the next ones likewise */
  keep(first: number, second: number, number: number, next: number): void {
    const table = this.#table
    this.highest = Math.max(this.highest, number)
    if (table.size >= table.capacity * FULL_RATIO) this.#makeRoom(next)
    const row = table.findPair(first, second)
    const { rows } = table
    if (rows[row] === 0) {
      table.occupy(row, first)
      rows[row + 1] = second
    } else if (lastBelow(next, rows[row + 2] as number) > number) return
    rows[row + 2] = number
  }

  /** Up to which entry there may be some of a name: its last one, if that is known. */
  newest(first: number, second: number, next: number): number {
    const { rows } = this.#table
    const row = this.#table.findPair(first, second)
    return rows[row] === 0 ? this.floor : lastBelow(next, rows[row + 2] as number)
  }

  dropUpTo(limit: number, next: number): void {
    this.#rebuild(this.#table.capacity, limit, next)
  }

  /** Too many: the older ones are dropped. */
  #makeRoom(next: number): void {
    const { capacity } = this.#table
    if (capacity < this.#placesMax) {
      this.#rebuild(capacity * 2, 0, next)
      return
    }
    let limit = this.floor
    do {
      limit += Math.ceil((next - limit) / 2)
      this.#rebuild(capacity, limit, next)
    } while (this.#table.size > (capacity * FULL_RATIO) / 2)
  }

  #rebuild(capacity: number, limit: number, next: number): void {
    this.#table.rebuild(capacity, (rows, row) => {
      const number = lastBelow(next, rows[row + 2] as number)
      if (number > limit) return true
      this.floor = Math.max(this.floor, number)
      return false
    })
  }
}
