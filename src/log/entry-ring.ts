// The entries that are kept, in a ring of memory: where each of them is, and which ones give way to
// the next. It knows their numbers and lengths, and nothing else of them.

import { type EntryMemory, WORD_BYTES } from './entry.ts'

const FIRST_SLOTS = 1_024

/** What is told to a file, so that it can be read from where the ring is. */
export interface RingHeader {
  /** Called before the bytes of entries that give way are written over. */
  setOldest(place: number, number: number): void
  /** Called when all of the entry before this number is written. */
  setNext(number: number): void
}

export interface EntryRingOptions extends EntryMemory {
  readonly header: RingHeader | null
  /** The number of the entry that comes first. */
  readonly next: number
}

/** Places are indexes of words. */
export class EntryRing implements EntryMemory {
  readonly words: Uint32Array
  readonly bytes: Uint8Array<ArrayBuffer>
  /** The number of the entry that comes next, */
  next: number
  /** and of the oldest one that is kept; they are equal when there is none. */
  oldest: number
  /** Where each entry begins, by the low bits of its number. */
  #slots = new Uint32Array(FIRST_SLOTS)
  #mask = FIRST_SLOTS - 1
  /** Where the next entry goes, unless it is too long for what is left. */
  #end = 0
  readonly #header: RingHeader | null

  constructor({ words, bytes, header, next }: EntryRingOptions) {
    this.words = words
    this.bytes = bytes
    this.#header = header
    this.next = next
    this.oldest = next
  }

  /** Of an empty ring, in memory of its own. Memory that was never written takes none. */
  static inMemory(byteCount: number, next = 1): EntryRing {
    const bytes = new Uint8Array(Math.floor(byteCount / WORD_BYTES) * WORD_BYTES)
    const words = new Uint32Array(bytes.buffer, 0, bytes.length / WORD_BYTES)
    return new EntryRing({ words, bytes, header: null, next })
  }

  get slotBytes(): number {
    return this.#slots.byteLength
  }

  /** Bytes from the oldest entry that is kept to the end of the newest one. */
  get keptBytes(): number {
    if (this.oldest === this.next) return 0
    const words = this.#end - this.placeOf(this.oldest)
    return (words > 0 ? words : words + this.words.length) * WORD_BYTES
  }

  /** Where an entry that is kept begins. */
  placeOf(number: number): number {
    return this.#slots[number & this.#mask] as number
  }

  /**
   * Makes room for the next entry: the oldest ones give way. {@link commit} follows once it is
   * written there.
   *
   * @returns where it goes; -1 if it is longer than the ring, and then nothing is kept
   */
  reserve(length: number): number {
    const { oldest } = this
    const size = this.words.length
    if (length > size) {
      this.oldest = this.next
      return -1
    }
    const wasEmpty = oldest === this.next
    let start = this.#end
    if (start + length > size) {
      this.#dropFrom(start, size)
      start = 0
    }
    this.#dropFrom(start, start + length)
    if (this.#header !== null && (wasEmpty || this.oldest !== oldest)) {
      const place = this.oldest === this.next ? start : this.placeOf(this.oldest)
      this.#header.setOldest(place, this.oldest)
    }
    // The rest stays empty, and says so.
    if (start !== this.#end && this.#end < size) this.words[this.#end] = 0
    return start
  }

  /** The entry at a place that was reserved is written, and counts from now on. */
  commit(place: number, length: number): void {
    this.restore(place, length)
    this.#header?.setNext(this.next)
  }

  /** The same of an entry that was read from a file. */
  restore(place: number, length: number): void {
    const { next } = this
    if (next - this.oldest > this.#mask) this.#grow()
    this.#slots[next & this.#mask] = place
    this.#end = place + length
    this.next = next + 1
  }

  /** Drops the newest entries, from this number on, which is of one that is kept. */
  truncate(number: number): void {
    this.#end = this.placeOf(number)
    this.next = number
  }

  /** An entry for which there is no room has a number all the same, and nothing is kept. */
  advance(): void {
    this.next++
    this.oldest = this.next
    this.#header?.setOldest(0, this.oldest)
    this.#header?.setNext(this.next)
  }

  /** Drops the oldest entries as long as they begin in this part of the ring. */
  #dropFrom(start: number, end: number): void {
    while (this.oldest < this.next) {
      const place = this.placeOf(this.oldest)
      if (place < start || place >= end) return
      this.oldest++
    }
  }

  #grow(): void {
    const old = this.#slots
    const oldMask = this.#mask
    const slots = new Uint32Array(old.length * 2)
    const mask = slots.length - 1
    for (let number = this.oldest; number < this.next; number++) {
      slots[number & mask] = old[number & oldMask] as number
    }
    this.#slots = slots
    this.#mask = mask
  }
}
