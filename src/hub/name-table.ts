// The names of users and subjects, and the handles by which all else knows them: a compact table in
// typed arrays, since there may be millions. One process has it, the one with the router.

import { identityLimits } from '../core/limits.ts'
import { Queue } from '../core/queue.ts'
import { IntegerTable } from '../core/table.ts'
import { grown } from '../core/typed-array.ts'

/** Handles of names begin here; the numbers below are users and subjects themselves. */
export const FIRST_HANDLE = 2 ** 31

export function isHandle(user: number): boolean {
  return user >= FIRST_HANDLE
}

const FIRST_NAMES = 1_024
/** Bytes that a name takes on average, for the room at first. */
const FIRST_BYTES = 16
/** Of the table; beyond it searches become long. */
const FULL_RATIO = 0.6

/** What is known of a name besides itself. */
const STATE = {
  free: 0,
  /** In use, or not looked at since it was interned. */
  used: 1,
  /** The last pass found it unused. */
  idle: 2,
} as const

export interface NameTableOptions {
  /** Of the hash, so that a client that may choose names cannot choose those that collide. */
  readonly seed: number
  readonly namesMax?: number
}

export class NameTable {
  readonly #seed: number
  readonly #namesMax: number
  /** Rows of a hash and an index, from 1 on. */
  readonly #rows = new IntegerTable({ width: 2 })
  /** All names, each behind its length, in one array; those that were freed leave gaps. */
  #bytes = Buffer.alloc(FIRST_NAMES * FIRST_BYTES)
  #bytesUsed = 0
  #bytesFree = 0
  /** These by index: where the name begins, */
  #starts = new Uint32Array(FIRST_NAMES)
  /** and its {@link STATE}. */
  #states = new Uint8Array(FIRST_NAMES)
  /** Indexes that were ever used; they begin at 1. */
  #last = 0
  /** Indexes that are free again, the oldest first: a handle rests before it is another name's. */
  readonly #free = new Queue<number>()

  constructor({ seed, namesMax = identityLimits.namesMax }: NameTableOptions) {
    this.#seed = seed
    this.#namesMax = namesMax
  }

  get size(): number {
    return this.#rows.size
  }

  /** Bytes of memory that the table takes. */
  get memoryBytes(): number {
    const { rows } = this.#rows
    return (
      rows.byteLength + this.#bytes.length + this.#starts.byteLength + this.#states.byteLength
    )
  }

  /** The handle of a name; 0 for a name that has none. Once a message that names its receiver. */
  find(name: string): number {
    const row = this.#find(name, this.#hashOf(name))
    const index = this.#rows.rows[row + 1] as number
    return this.#rows.rows[row] === 0 ? 0 : handleOf(index)
  }

  /**
   * The same, for what is going to use it: a name that has no handle gets one, and each is kept for
   * a while whether it is used or not.
   *
   * @returns 0 if there is no room for one more
   */
  intern(name: string): number {
    const hash = this.#hashOf(name)
    let row = this.#find(name, hash)
    const { rows } = this.#rows
    if (rows[row] !== 0) {
      const index = rows[row + 1] as number
      this.#states[index] = STATE.used
      return handleOf(index)
    }
    if (this.size >= this.#namesMax) return 0
    const index = this.#free.shift() ?? ++this.#last
    if (this.#rows.size >= this.#rows.capacity * FULL_RATIO) {
      this.#rows.rebuild(this.#rows.capacity * 2)
      row = this.#find(name, hash)
    }
    this.#put(index, name, row, hash)
    return handleOf(index)
  }

  /** Puts a name where it was before, as when a database is read; nothing else has been interned. */
  restore(handle: number, name: string): void {
    const index = handle - FIRST_HANDLE
    for (let between = this.#last + 1; between < index; between++) this.#free.push(between)
    this.#last = Math.max(this.#last, index)
    if (this.#rows.size >= this.#rows.capacity * FULL_RATIO) {
      this.#rows.rebuild(this.#rows.capacity * 2)
    }
    const hash = this.#hashOf(name)
    this.#put(index, name, this.#find(name, hash), hash)
  }

  /** The name of a handle that has one. */
  nameOf(handle: number): string {
    const start = this.#starts[handle - FIRST_HANDLE] as number
    const length = this.#bytes[start] as number
    return this.#bytes.toString('latin1', start + 1, start + 1 + length)
  }

  /**
   * One pass over a part of the table: frees the names that no one uses and that the pass before
   * found unused, too. So a handle is not another name's while something of it is under way.
   *
   * @param from the index to begin at; 1 for a new pass
   * @param count of indexes to look at
   * @param isUsed asked of each name that is not free
   * @returns where to go on; 0 when the pass is over
   */
  sweep(from: number, count: number, isUsed: (handle: number) => boolean): number {
    const end = Math.min(from + count, this.#last + 1)
    for (let index = from; index < end; index++) {
      const state = this.#states[index]
      if (state === STATE.free) continue
      if (isUsed(handleOf(index))) this.#states[index] = STATE.used
      else if (state === STATE.used) this.#states[index] = STATE.idle
      else this.#release(index)
    }
    if (end <= this.#last) return end
    if (this.#bytesFree > this.#bytesUsed / 2) this.#compact()
    return 0
  }

  #put(index: number, name: string, row: number, hash: number): void {
    this.#grow(index, name.length)
    this.#rows.occupy(row, hash)
    this.#rows.rows[row + 1] = index
    this.#starts[index] = this.#bytesUsed
    this.#states[index] = STATE.used
    this.#bytes[this.#bytesUsed] = name.length
    this.#bytes.write(name, this.#bytesUsed + 1, 'latin1')
    this.#bytesUsed += 1 + name.length
  }

  #grow(index: number, nameLength: number): void {
    if (index >= this.#starts.length) {
      const length = Math.max(index + 1, this.#starts.length * 2)
      this.#starts = grown(this.#starts, length)
      this.#states = grown(this.#states, length)
    }
    const bytes = this.#bytesUsed + 1 + nameLength
    if (bytes <= this.#bytes.length) return
    const larger = Buffer.alloc(Math.max(bytes, this.#bytes.length * 2))
    this.#bytes.copy(larger, 0, 0, this.#bytesUsed)
    this.#bytes = larger
  }

  #release(index: number): void {
    const name = this.nameOf(handleOf(index))
    this.#rows.remove(this.#find(name, this.#hashOf(name)))
    this.#states[index] = STATE.free
    this.#bytesFree += 1 + name.length
    this.#free.push(index)
  }

  /** Moves the names together. */
  #compact(): void {
    const old = this.#bytes
    const kept = this.#bytesUsed - this.#bytesFree
    this.#bytes = Buffer.alloc(Math.max(FIRST_NAMES * FIRST_BYTES, kept * 2))
    let used = 0
    for (let index = 1; index <= this.#last; index++) {
      if (this.#states[index] === STATE.free) continue
      const start = this.#starts[index] as number
      const length = 1 + (old[start] as number)
      old.copy(this.#bytes, used, start, start + length)
      this.#starts[index] = used
      used += length
    }
    this.#bytesUsed = used
    this.#bytesFree = 0
  }

  /** The row of a name, or the free one where it belongs. */
  #find(name: string, hash: number): number {
    const table = this.#rows
    let row = table.home(hash)
    while (table.rows[row] !== 0) {
      if (table.rows[row] === hash && this.#isAt(table.rows[row + 1] as number, name)) return row
      row = table.after(row)
    }
    return row
  }

  #isAt(index: number, name: string): boolean {
    const bytes = this.#bytes
    const start = this.#starts[index] as number
    if (bytes[start] !== name.length) return false
    for (let at = 0; at < name.length; at++) {
      if (bytes[start + 1 + at] !== name.charCodeAt(at)) return false
    }
    return true
  }

  /** Not 0, which is a free row. Mixed as MurmurHash3 does, a character at a time. */
  #hashOf(name: string): number {
    let hash = this.#seed | 0
    for (let at = 0; at < name.length; at++) {
      hash = Math.imul(hash ^ name.charCodeAt(at), 0xcc9e2d51)
      hash = Math.imul((hash << 15) | (hash >>> 17), 0x1b873593)
    }
    hash ^= hash >>> 16
    return hash >>> 0 || 1
  }
}

function handleOf(index: number): number {
  return FIRST_HANDLE + index
}
