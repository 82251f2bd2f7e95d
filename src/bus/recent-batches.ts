// The batches that were read last. A failover may lose them; a node that has them adds them again.

import { Queue } from '../core/queue.ts'
import type { BatchEntry } from './stream-entry.ts'

export class RecentBatches {
  #batches = new Queue<BatchEntry>()
  #bytes = 0
  readonly #bytesMax: number

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** Hot path: once a batch. */
  push(entry: BatchEntry): void {
    this.#batches.push(entry)
    this.#bytes += bytesOf(entry)
    while (this.#bytes > this.#bytesMax) {
      const oldest = this.#batches.shift()
      if (oldest === undefined) return
      this.#bytes -= bytesOf(oldest)
    }
  }

  /**
   * Removes the batches after a number, up to the last one.
   *
   * @returns these batches; null if one of them is missing here
   */
  takeAfter(number: number, last: number): BatchEntry[] | null {
    const kept: BatchEntry[] = []
    const taken: BatchEntry[] = []
    for (let entry = this.#batches.shift(); entry !== undefined; entry = this.#batches.shift()) {
      if (entry.at.number > number) taken.push(entry)
      else kept.push(entry)
    }
    this.clear()
    for (const entry of kept) this.push(entry)
    let next = number + 1
    for (const { at, count } of taken) {
      if (at.number !== next) return null
      next += count
    }
    return next === last + 1 ? taken : null
  }

  clear(): void {
    this.#batches = new Queue()
    this.#bytes = 0
  }
}

/** About how many bytes batches take in memory. */
export function bytesOfAll(entries: readonly BatchEntry[]): number {
  return entries.reduce((sum, entry) => sum + bytesOf(entry), 0)
}

function bytesOf({ head, body }: BatchEntry): number {
  return head.length + body.length
}
