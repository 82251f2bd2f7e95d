// The first page of the file of a log: whose it is, and where the ring in it begins and ends. What
// changes with every entry is written so that a kill between any two writes leaves it readable.

import type { BegunChange } from './begun-change.ts'
import type { RingHeader } from './entry-ring.ts'

/** One page, so that the ring begins at one. */
export const HEADER_BYTES = 4_096
export const VERSION = 1
const MAGIC = [0x656d6f63, 0x676c2d74] as const
const CLEAN = 0x6e61656c

/** Words of the page. */
const AT = {
  magic: 0,
  version: 2,
  ringWords: 3,
  epochLow: 4,
  epochHigh: 5,
  boot: 6,
  /** Of all above. */
  check: 15,
  clean: 16,
  /** The low bits of the next number, and all of them inverted. */
  next: 17,
  nextInverted: 18,
  /** Which of the two oldest counts. */
  which: 19,
  oldest: 20,
  /** The stamp of who follows whom after the last entry that changed it, and all bits of it
   * inverted. */
  stamp: 28,
  stampInverted: 29,
  /** The change that was begun: its stamp, the last number before it in two parts, their check. */
  begun: 32,
  /** The epoch once more: the next one must be higher, also if the first one is damaged. */
  epochCopy: 1_000,
} as const
/** Words of an oldest: place, the number in two parts, and their check. */
const OLDEST_WORDS = 4
const BEGUN_WORDS = 4
const BOOT_BYTES = (AT.check - AT.boot) * 4
const HIGH = 2 ** 32
const EPOCH_HIGH_MAX = 2 ** 16 - 1

/** What a header says, once it is known to be whole. */
export interface HeaderState {
  readonly epoch: number
  readonly ringWords: number
  readonly bootId: string
  readonly isClean: boolean
  /** The number of the next entry, of the oldest one, and where that is. */
  readonly next: number
  readonly oldest: number
  readonly place: number
  /** Of who follows whom after the last entry that changed it; null if it is not known. */
  readonly stamp: number | null
  /** A change that was to be committed; null for none. */
  readonly begun: BegunChange | null
}

export type HeaderReading =
  | { readonly kind: 'whole'; readonly state: HeaderState }
  /** A log, but no entry of it can be trusted. Its epoch as far as it is known, or 0. */
  | { readonly kind: 'damaged' | 'other version'; readonly epoch: number }
  /** No log. */
  | { readonly kind: 'foreign' }

export class LogHeader implements RingHeader {
  readonly #words: Uint32Array

  /** @param page of the file, or a copy of it */
  constructor(page: Uint8Array) {
    this.#words = new Uint32Array(page.buffer, page.byteOffset, HEADER_BYTES / 4)
  }

  /** Writes all of it anew, in a file that has no other name yet. */
  format(state: Omit<HeaderState, 'isClean'>): void {
    const words = this.#words
    words.fill(0)
    words[AT.version] = VERSION
    words[AT.ringWords] = state.ringWords
    const epoch = [state.epoch % HIGH, Math.floor(state.epoch / HIGH)] as const
    words.set(epoch, AT.epochLow)
    words.set([...epoch, checked(epoch)], AT.epochCopy)
    this.setOldest(state.place, state.oldest)
    this.setNext(state.next)
    if (state.stamp !== null) this.setStamp(state.stamp)
    this.setBegun(state.begun)
    words.set(MAGIC)
    this.setBoot(state.bootId)
  }

  /** The machine has started anew since. */
  setBoot(bootId: string): void {
    const words = this.#words
    this.#boot().set(
      new TextEncoder().encode(bootId.padEnd(BOOT_BYTES, '\0')).subarray(0, BOOT_BYTES),
    )
    words[AT.check] = checked(words.subarray(0, AT.check))
  }

  #boot(): Uint8Array {
    return new Uint8Array(this.#words.buffer, this.#words.byteOffset + AT.boot * 4, BOOT_BYTES)
  }

  read(): HeaderReading {
    const words = this.#words
    const epoch = this.#epoch()
    const magic = this.#magic()
    if (magic === 'foreign') return { kind: 'foreign' }
    if (magic === 'whole' && words[AT.version] !== VERSION) return { kind: 'other version', epoch }
    const isWhole = magic === 'whole' && words[AT.check] === checked(words.subarray(0, AT.check))
    const state = isWhole ? this.#state() : null
    return state === null ? { kind: 'damaged', epoch } : { kind: 'whole', state }
  }

  /** A byte may be damaged, or the page cut or never written. */
  #magic(): 'whole' | 'damaged' | 'foreign' {
    const { buffer, byteOffset } = this.#words
    const bytes = new Uint8Array(buffer, byteOffset, 8)
    const wanted = new Uint8Array(Uint32Array.from(MAGIC).buffer)
    const wrong = wanted.filter((byte, at) => bytes[at] !== byte).length
    if (wrong === 0) return 'whole'
    const isStart = bytes.every((byte, at) => byte === 0 || byte === wanted[at])
    return wrong <= 2 || isStart ? 'damaged' : 'foreign'
  }

  /** The higher one of those that are plausible: a log never begins before one that was here. */
  #epoch(): number {
    const words = this.#words
    const copy = words.subarray(AT.epochCopy, AT.epochCopy + 2)
    const isCopyWhole = words[AT.epochCopy + 2] === checked(copy)
    const isWhole = words[AT.check] === checked(words.subarray(0, AT.check))
    const of = (at: number) => {
      const high = words[at + 1] as number
      return high < EPOCH_HIGH_MAX ? high * HIGH + (words[at] as number) : 0
    }
    if (isWhole) return of(AT.epochLow)
    return isCopyWhole ? of(AT.epochCopy) : Math.max(of(AT.epochLow), of(AT.epochCopy))
  }

  #state(): HeaderState | null {
    const words = this.#words
    const clean = words[AT.clean] as number
    const next = words[AT.next] as number
    // The second one is written after the first.
    const behind = (next - (~(words[AT.nextInverted] as number) >>> 0)) >>> 0
    const which = words[AT.which] as number
    const ringWords = words[AT.ringWords] as number
    if ((clean !== 0 && clean !== CLEAN) || behind > 1 || which > 1) return null
    const at = AT.oldest + which * OLDEST_WORDS
    const [place = 0, low = 0, high = 0, check] = words.subarray(at, at + OLDEST_WORDS)
    if (check !== checked([place, low, high]) || high > EPOCH_HIGH_MAX) return null
    const oldest = high * HIGH + low
    // An entry without room moves the oldest first; a kill may come before it has moved the next.
    const count = (next - low) | 0
    if (count < -1 || place > ringWords) return null
    return {
      epoch: this.#epoch(),
      ringWords,
      bootId: new TextDecoder().decode(this.#boot()).replaceAll('\0', ''),
      isClean: clean === CLEAN,
      next: oldest + Math.max(count, 0),
      oldest,
      place,
      stamp: this.stamp,
      begun: this.begun,
    }
  }

  /** Null if it was being written. */
  get stamp(): number | null {
    const words = this.#words
    const stamp = words[AT.stamp] as number
    return ~stamp >>> 0 === words[AT.stampInverted] ? stamp : null
  }

  setStamp(stamp: number): void {
    this.#words[AT.stamp] = stamp
    this.#words[AT.stampInverted] = ~stamp
  }

  /** Null if it was being written, too: nothing of the change is in the log by then. */
  get begun(): BegunChange | null {
    const [stamp = 0, low = 0, high = 0, check] = this.#words.subarray(
      AT.begun,
      AT.begun + BEGUN_WORDS,
    )
    if (check !== checkedThree(stamp, low | 0, high)) return null
    return { stamp, after: high * HIGH + low }
  }

  setBegun(change: BegunChange | null): void {
    const words = this.#words
    const { stamp, after } = change ?? { stamp: 0, after: 0 }
    const high = Math.floor(after / HIGH)
    // The check is wrong, as long as not all of it is here.
    const check = checkedThree(stamp, after | 0, high)
    Atomics.store(words, AT.begun + BEGUN_WORDS - 1, ~check)
    words[AT.begun] = stamp
    words[AT.begun + 1] = after
    words[AT.begun + 2] = high
    if (change !== null) Atomics.store(words, AT.begun + BEGUN_WORDS - 1, check)
  }

  setClean(isClean: boolean): void {
    this.#words[AT.clean] = isClean ? CLEAN : 0
  }

  /** Hot path: once a message, when the ring is full. */
  setOldest(place: number, number: number): void {
    const words = this.#words
    const which = (words[AT.which] as number) ^ 1
    const at = AT.oldest + which * OLDEST_WORDS
    const high = Math.floor(number / HIGH)
    words[at] = place
    words[at + 1] = number
    words[at + 2] = high
    words[at + 3] = checkedThree(place, number | 0, high)
    Atomics.store(words, AT.which, which)
  }

  /** Hot path: once a message. */
  setNext(number: number): void {
    // Nothing that was written before it is written after it, and the other way round.
    Atomics.store(this.#words, AT.next, number)
    this.#words[AT.nextInverted] = ~number
  }
}

/** Differs if any bit does. */
function checked(words: Iterable<number>): number {
  let hash = 0x636f6d74
  for (const word of words) hash = Math.imul(hash ^ word, 0x9e3779b1) ^ (hash >>> 15)
  return hash >>> 0
}

function checkedThree(first: number, second: number, third: number): number {
  let hash = 0x636f6d74
  hash = Math.imul(hash ^ first, 0x9e3779b1) ^ (hash >>> 15)
  hash = Math.imul(hash ^ second, 0x9e3779b1) ^ (hash >>> 15)
  hash = Math.imul(hash ^ third, 0x9e3779b1) ^ (hash >>> 15)
  return hash >>> 0
}
