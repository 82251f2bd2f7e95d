// Batches of a tail that a node was about to add again when the log went another way: the log may
// have them, or has lost them. Its streams were told of a gap.

import { MEMBERS_ORIGIN } from './member-entry.ts'
import { bytesOfAll } from './recent-batches.ts'
import type { BatchEntry } from './stream-entry.ts'

export class Orphans {
  #entries: BatchEntry[] = []
  readonly #bytesMax: number

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get entries(): readonly BatchEntry[] {
    return this.#entries
  }

  /**
   * Of one branch after the other, without a look at the log in between.
   *
   * @returns whether all are kept; if they are too many, none is
   */
  keep(entries: readonly BatchEntry[]): boolean {
    // Of the members, Redis and the nodes themselves know more than an entry of then.
    this.#entries.push(...entries.filter(({ origin }) => origin !== MEMBERS_ORIGIN))
    if (bytesOfAll(this.#entries) <= this.#bytesMax) return true
    this.#entries = []
    return false
  }

  clear(): void {
    this.#entries = []
  }
}
