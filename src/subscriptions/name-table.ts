// The names of users and subjects, and the handles by which all else knows them: a compact table in
// typed arrays, since there may be millions. One process has it, the one with the router; which of
// the names the database has, says kept-names.ts.

import { identityLimits } from '../core/identity-limits.ts'
import { Queue } from '../core/queue.ts'
import { IntegerTable } from '../core/table.ts'
import { grown } from '../core/typed-array.ts'
import type { Subject } from '../core/user.ts'

/**
 * The handle of every name that has none of its own: what is sent there reaches nobody. Those of
 * names are above it, and the numbers below are users and subjects themselves.
 */
export const NOBODY = 2 ** 31

export function isHandle(user: number): boolean {
  return user > NOBODY
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
  /** The database has it: it is in use until it is {@link NameTable.release released}. */
  kept: 3,
} as const

/** Names with their handles, to be kept in a file. */
export interface SavedNames {
  /** In ascending order. */
  readonly handles: Uint32Array
  /** The name of each handle in ASCII, behind a byte with its length. */
  readonly bytes: Uint8Array
}

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
  /** Indexes that were ever used; they begin at 1, so that {@link NOBODY} is none's. */
  #last = 0
  /** Indexes that are free again, the oldest first: a handle rests before it is another name's. */
  readonly #free = new Queue<number>()
  /** How many of the first of them have rested, and how many of the next ones rest until the next
   * {@link endRest}. */
  #rested = 0
  #resting = 0
  /** The name that is looked for. */
  readonly #wanted = Buffer.alloc(identityLimits.nameLengthMax)

  constructor({ seed, namesMax = identityLimits.namesMax }: NameTableOptions) {
    this.#seed = seed
    this.#namesMax = namesMax
  }

  get size(): number {
    return this.#rows.size
  }

  get sizeMax(): number {
    return this.#namesMax
  }

  /** Bytes of memory that the table takes. */
  get memoryBytes(): number {
    const { rows } = this.#rows
    return rows.byteLength + this.#bytes.length + this.#starts.byteLength + this.#states.byteLength
  }

  /** The user or subject by which all else knows this one; {@link NOBODY} for an unknown name. */
  idOf(subject: Subject): number {
    return typeof subject === 'number' ? subject : this.find(subject)
  }

  /** The user or subject as people write it. */
  subjectOf(id: number): Subject {
    return isHandle(id) ? this.nameOf(id) : id
  }

  /** The handle of a name; {@link NOBODY} for one that has none. */
  find(name: string): number {
    return this.findBytes(this.#wanted, 0, this.#wanted.write(name, 'latin1'))
  }

  /** The same for a name in ASCII. Hot path: once a message that names its receiver. */
  findBytes(bytes: Uint8Array, start: number, end: number): number {
    const row = this.#find(bytes, start, end, this.#hashOf(bytes, start, end))
    return NOBODY + (this.#rows.rows[row + 1] as number)
  }

  /**
   * The same for what is going to use it: a name that has no handle gets one, and each is kept for
   * a while whether it is used or not.
   *
   * @returns null if there is no room for one more
   */
  intern(subject: Subject): number | null {
    if (typeof subject === 'number') return subject
    const length = this.#wanted.write(subject, 'latin1')
    const hash = this.#hashOf(this.#wanted, 0, length)
    const row = this.#find(this.#wanted, 0, length, hash)
    const { rows } = this.#rows
    if (rows[row] !== 0) {
      const index = rows[row + 1] as number
      if (this.#states[index] === STATE.idle) this.#states[index] = STATE.used
      return NOBODY + index
    }
    const index = this.#newIndex()
    if (index === null) return null
    this.#put(index, length, hash, STATE.used)
    return NOBODY + index
  }

  #newIndex(): number | null {
    if (this.#rested > 0) {
      this.#rested--
      return this.#free.shift() ?? null
    }
    return this.#last < this.#namesMax ? ++this.#last : null
  }

  /**
   * Puts a name of the database where it was before; before others are interned, the lowest handle
   * first.
   *
   * @returns false if it has another handle already, and then nothing has changed
   */
  restore(handle: number, name: string): boolean {
    return this.#restore(handle, this.#wanted.write(name, 'latin1'))
  }

  /** The same for many; false if one of the names is there already. About 0.2 µs each. */
  restoreAll({ handles, bytes }: SavedNames): boolean {
    let start = 0
    for (let at = 0; at < handles.length; at++) {
      const length = bytes[start] as number
      for (let of = 0; of < length; of++) this.#wanted[of] = bytes[start + 1 + of] as number
      if (!this.#restore(handles[at] as number, length)) return false
      start += 1 + length
    }
    return true
  }

  /** Of the name that is looked for. */
  #restore(handle: number, length: number): boolean {
    const hash = this.#hashOf(this.#wanted, 0, length)
    if (this.#rows.rows[this.#find(this.#wanted, 0, length, hash)] !== 0) return false
    const index = handle - NOBODY
    for (let between = this.#last + 1; between < index; between++) this.#free.push(between)
    this.#rested = this.#free.length
    this.#last = Math.max(this.#last, index)
    this.#put(index, length, hash, STATE.kept)
    return true
  }

  /** The name of a handle that has one. */
  nameOf(handle: number): string {
    const start = this.#starts[handle - NOBODY] as number
    const length = this.#bytes[start] as number
    return this.#bytes.toString('latin1', start + 1, start + 1 + length)
  }

  /** Writes the name of a handle that has one, in ASCII; answers its length. */
  writeName(handle: number, into: Uint8Array): number {
    const start = this.#starts[handle - NOBODY] as number
    const length = this.#bytes[start] as number
    this.#bytes.copy(into, 0, start + 1, start + 1 + length)
    return length
  }

  /** The handles of the names that the database does not have, the lowest first. */
  unkept(): Uint32Array {
    const handles = new Uint32Array(this.size)
    let length = 0
    for (let index = 1; index <= this.#last; index++) {
      const state = this.#states[index]
      if (state !== STATE.free && state !== STATE.kept) handles[length++] = NOBODY + index
    }
    return handles.subarray(0, length)
  }

  /** The names that the database has. */
  kept(): SavedNames {
    const handles = new Uint32Array(this.size)
    const bytes = new Uint8Array(this.#bytesUsed)
    let [length, used] = [0, 0]
    for (let index = 1; index <= this.#last; index++) {
      if (this.#states[index] !== STATE.kept) continue
      handles[length++] = NOBODY + index
      const start = this.#starts[index] as number
      const end = start + 1 + (this.#bytes[start] as number)
      this.#bytes.copy(bytes, used, start, end)
      used += end - start
    }
    return { handles: handles.subarray(0, length), bytes: bytes.subarray(0, used) }
  }

  isKept(handle: number): boolean {
    return this.#states[handle - NOBODY] === STATE.kept
  }

  /** The database has the name from now on. */
  keep(handle: number): void {
    this.#states[handle - NOBODY] = STATE.kept
  }

  /** The database has it no longer. */
  release(handle: number): void {
    this.#states[handle - NOBODY] = STATE.used
  }

  /**
   * One pass over a part of the table: frees the names that no one uses and that the pass before
   * found unused, too. So no stream is under way to a name that goes, if a pass takes longer than
   * that; for messages, its handle then rests.
   *
   * @param from the index to begin at; 1 for a new pass
   * @param count of indexes to look at
   * @param isUsed asked of each name that is not free
   * @param onFree called before a name goes: its handle still stands for it
   * @returns where to go on; 0 when the pass is over
   */
  sweep(
    from: number,
    count: number,
    isUsed: (handle: number) => boolean,
    onFree: (handle: number) => void = () => undefined,
  ): number {
    const end = Math.min(from + count, this.#last + 1)
    for (let index = from; index < end; index++) {
      const state = this.#states[index]
      if (state === STATE.free || state === STATE.kept) continue
      if (isUsed(NOBODY + index)) this.#states[index] = STATE.used
      else if (state === STATE.used) this.#states[index] = STATE.idle
      else {
        onFree(NOBODY + index)
        this.#remove(index)
      }
    }
    if (end <= this.#last) return end
    if (this.#bytesFree > this.#bytesUsed / 2) this.#compact()
    return 0
  }

  /** All handles that are free by now rest until {@link endRest}. Answers whether there are any. */
  beginRest(): boolean {
    this.#resting = this.#free.length - this.#rested
    return this.#resting > 0
  }

  /** Those that rest may be other names' from now on. */
  endRest(): void {
    this.#rested += this.#resting
    this.#resting = 0
  }

  /** Of the name that is looked for, which is not in the table. */
  #put(index: number, length: number, hash: number, state: number): void {
    if (this.#rows.size >= this.#rows.capacity * FULL_RATIO) {
      this.#rows.rebuild(this.#rows.capacity * 2)
    }
    const row = this.#find(this.#wanted, 0, length, hash)
    this.#grow(index, length)
    this.#rows.occupy(row, hash)
    this.#rows.rows[row + 1] = index
    this.#starts[index] = this.#bytesUsed
    this.#states[index] = state
    this.#bytes[this.#bytesUsed] = length
    this.#wanted.copy(this.#bytes, this.#bytesUsed + 1, 0, length)
    this.#bytesUsed += 1 + length
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

  #remove(index: number): void {
    const start = (this.#starts[index] as number) + 1
    const end = start + (this.#bytes[start - 1] as number)
    const hash = this.#hashOf(this.#bytes, start, end)
    this.#rows.remove(this.#find(this.#bytes, start, end, hash))
    this.#states[index] = STATE.free
    this.#bytesFree += 1 + end - start
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
  #find(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const table = this.#rows
    let row = table.home(hash)
    while (table.rows[row] !== 0) {
      const index = table.rows[row + 1] as number
      if (table.rows[row] === hash && this.#isAt(index, bytes, start, end)) return row
      row = table.after(row)
    }
    return row
  }

  #isAt(index: number, wanted: Uint8Array, start: number, end: number): boolean {
    const bytes = this.#bytes
    const nameStart = this.#starts[index] as number
    if (bytes[nameStart] !== end - start) return false
    for (let at = start; at < end; at++) {
      if (bytes[nameStart + 1 + at - start] !== wanted[at]) return false
    }
    return true
  }

  /** Not 0, which is a free row. Mixed as MurmurHash3 does, a byte at a time. */
  #hashOf(bytes: Uint8Array, start: number, end: number): number {
    let hash = this.#seed | 0
    for (let at = start; at < end; at++) {
      hash = Math.imul(hash ^ (bytes[at] as number), 0xcc9e2d51)
      hash = Math.imul((hash << 15) | (hash >>> 17), 0x1b873593)
    }
    hash ^= hash >>> 16
    return hash >>> 0 || 1
  }
}
