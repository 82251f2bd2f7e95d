// When streams are to end because their clients' tokens do: a typed array by slot, without a timer
// a stream, and none at all before the first token.

import { identityLimits } from '../core/identity-limits.ts'
import { grown } from '../core/typed-array.ts'
import { EXPIRED, type StreamEnd } from './stream.ts'

/** 2³² divided by the golden ratio: multiples of it are spread evenly (Knuth, TAOCP 6.4). */
const GOLDEN = 0x9e3779b1
const NUMBERS = 2 ** 32
const SECONDS_MAX = NUMBERS - 1
const LONG_AGO_SECONDS = 1
const NONE: readonly number[] = []

export class Expiries {
  /** By slot, in seconds since 1970; 0 for never. */
  #atSeconds = new Uint32Array(0)
  /** Slots that have a time. */
  #count = 0
  /** Where the last look ended. */
  #looked = 0
  /** How those end that are not spread: a few. */
  readonly #ends = new Map<number, StreamEnd>()
  readonly #onSet: () => void

  /** @param onSet is called when a slot gets a time */
  constructor(onSet: () => void) {
    this.#onSet = onSet
  }

  get count(): number {
    return this.#count
  }

  /** @param atSeconds 0 for never, also of the stream that had the slot before */
  set(slot: number, atSeconds: number): void {
    this.#ends.delete(slot)
    if (slot >= this.#atSeconds.length) {
      if (atSeconds === 0) return
      this.#atSeconds = grown(this.#atSeconds, Math.max(slot + 1, 2 * this.#atSeconds.length))
    }
    if (this.#atSeconds[slot] !== 0) this.#count--
    this.#atSeconds[slot] = Math.min(Math.floor(atSeconds), SECONDS_MAX)
    if (atSeconds === 0) return
    this.#count++
    this.#onSet()
  }

  /** The same, not spread among others. */
  setExactly(slot: number, atSeconds: number, end: StreamEnd): void {
    this.set(slot, atSeconds)
    this.#ends.set(slot, end)
  }

  /** The stream of a slot is to end as soon as it can. False if that was said before. */
  endSoon(slot: number, end: StreamEnd): boolean {
    if (this.#ends.has(slot)) return false
    this.setExactly(slot, LONG_AGO_SECONDS, end)
    return true
  }

  /** Is the stream of a slot to end before its time? */
  isSoon(slot: number): boolean {
    return this.#ends.has(slot)
  }

  /** How the stream of a slot is to end. */
  endOf(slot: number): StreamEnd {
    return this.#ends.get(slot) ?? EXPIRED
  }

  /**
   * The slots whose time has come: spread over some seconds, so that very many of the same time do
   * not all come back at the same moment. They are due until they are set again. Those that one
   * look leaves are the first of the next.
   *
   * @param slots the highest slot in use
   * @param max how many are to be found at most
   */
  due(nowMs: number, slots: number, max: number): readonly number[] {
    if (this.#count === 0) return NONE
    const found: number[] = []
    const last = Math.min(slots, this.#atSeconds.length - 1)
    const before = Math.min(this.#looked, last)
    this.#looked = this.#find(found, before + 1, last, nowMs, max)
    if (found.length < max) this.#looked = this.#find(found, 1, before, nowMs, max)
    return found
  }

  /** Answers the last slot that it looked at. */
  #find(found: number[], from: number, to: number, nowMs: number, max: number): number {
    const at = this.#atSeconds
    const nowSeconds = Math.floor(nowMs / 1_000)
    for (let slot = from; slot <= to; slot++) {
      const seconds = at[slot] as number
      if (seconds === 0 || seconds > nowSeconds) continue
      const spreadMs = this.#ends.has(slot) ? 0 : delayMs(slot)
      if (seconds * 1_000 + spreadMs <= nowMs && found.push(slot) === max) return slot
    }
    return to
  }
}

function delayMs(slot: number): number {
  return ((Math.imul(slot, GOLDEN) >>> 0) / NUMBERS) * identityLimits.expirySpreadMs
}
