// Which message a generator sent last to each user: the next one names it, so that a client that
// got the one and not the other knows that it misses something.

import { genLimits } from '../core/tool-limits.ts'

/** The last message may have been taken or not. */
const UNKNOWN = -1

export class MessageChains {
  /** Sequence numbers by pairs of user and generator. */
  readonly #last = new Map<number, number>()
  readonly #pairsMax: number

  constructor(pairsMax: number = genLimits.chainsMax) {
    this.#pairsMax = pairsMax
  }

  /** @param at of the generator among those of the run */
  pairOf(user: number, at: number): number {
    return user * genLimits.generatorsMax + at
  }

  /**
   * Notes a message that is about to be sent.
   *
   * @returns the sequence number of the one before, 0 if there is none; null if that is not known
   */
  next(pair: number, sequence: number): number | null {
    const before = this.#last.get(pair)
    if (before === undefined && this.#last.size >= this.#pairsMax) return null
    this.#last.set(pair, sequence)
    return before === UNKNOWN ? null : (before ?? 0)
  }

  /** It is not known whether the last messages of these pairs were taken. */
  forget(pairs: readonly number[]): void {
    for (const pair of pairs) if (this.#last.has(pair)) this.#last.set(pair, UNKNOWN)
  }
}
