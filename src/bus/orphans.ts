// Batches that a node was about to add again when the log continued on another branch. The log may
// have them or not. The streams of the node were told of a gap.

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
   * Adds the batches of one branch to those of earlier ones.
   *
   * @returns whether all are kept; if there are too many, none is
   */
  keep(entries: readonly BatchEntry[]): boolean {
    // Entries about members are left out: Redis and the nodes have a newer state than these.
    this.#entries.push(...entries.filter(({ origin }) => origin !== MEMBERS_ORIGIN))
    if (bytesOfAll(this.#entries) <= this.#bytesMax) return true
    this.#entries = []
    return false
  }

  clear(): void {
    this.#entries = []
  }
}
