// The generators that may send, the one that is due first before all others: a binary heap, so that
// thousands of them cost a few steps a message. When it is now, its owner knows.

import { dueAtMs, type Schedule } from '../core/pacer.ts'

/** One generator's state. */
export interface Source {
  readonly schedule: Schedule
  readonly number: number
  /** Messages in the whole run. */
  readonly total: number
  taken: number
}

export class DueQueue {
  readonly #heap: Source[] = []

  get size(): number {
    return this.#heap.length
  }

  /** When the first of them is due, in milliseconds since the run began; null if there is none. */
  get firstMs(): number | null {
    const [first] = this.#heap
    return first === undefined ? null : dueMs(first)
  }

  /** Takes in a generator; one that has sent all its messages is left out. */
  add(source: Source): void {
    if (source.taken >= source.total) return
    const heap = this.#heap
    let at = heap.length
    // Up, past all that are due later.
    while (at > 0) {
      const above = (at - 1) >> 1
      const parent = heap[above] as Source
      if (dueMs(parent) <= dueMs(source)) break
      heap[at] = parent
      at = above
    }
    heap[at] = source
  }

  /** Takes out the generator that is due first. */
  take(): Source | undefined {
    const heap = this.#heap
    const [first] = heap
    const last = heap.pop()
    if (first === undefined || last === undefined || first === last) return first
    let at = 0
    // The last one goes down from the top, past all that are due sooner.
    for (;;) {
      let below = 2 * at + 1
      if (below >= heap.length) break
      const right = heap[below + 1]
      if (right !== undefined && dueMs(right) < dueMs(heap[below] as Source)) below++
      const child = heap[below] as Source
      if (dueMs(child) >= dueMs(last)) break
      heap[at] = child
      at = below
    }
    heap[at] = last
    return first
  }
}

/** When a generator's next message is due. */
function dueMs({ schedule, taken }: Source): number {
  return dueAtMs(schedule, taken + 1)
}
