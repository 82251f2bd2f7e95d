// The generators that may send, ordered by when they are due: a binary heap, so that thousands of
// them cost a few steps a message.

import { dueAtMs, type Schedule } from '../core/pacer.ts'

/** The state of one generator. */
export interface GeneratorState {
  readonly schedule: Schedule
  readonly number: number
  /** Messages in the whole run. */
  readonly total: number
  taken: number
}

export class DueQueue {
  readonly #heap: GeneratorState[] = []

  get size(): number {
    return this.#heap.length
  }

  /** When the first generator is due, in milliseconds since the start; null without any. */
  get firstMs(): number | null {
    const [first] = this.#heap
    return first === undefined ? null : dueMs(first)
  }

  /** Adds a generator, unless it has sent all its messages. */
  add(generator: GeneratorState): void {
    if (generator.taken >= generator.total) return
    const heap = this.#heap
    let at = heap.length
    // Up, past all that are due later.
    while (at > 0) {
      const above = (at - 1) >> 1
      const parent = heap[above] as GeneratorState
      if (dueMs(parent) <= dueMs(generator)) break
      heap[at] = parent
      at = above
    }
    heap[at] = generator
  }

  /** Removes the generator that is due first. */
  take(): GeneratorState | undefined {
    const heap = this.#heap
    const [first] = heap
    const last = heap.pop()
    if (first === undefined || last === undefined || first === last) return first
    let at = 0
    // Down from the top, past all that are due sooner.
    for (;;) {
      let below = 2 * at + 1
      if (below >= heap.length) break
      const right = heap[below + 1]
      if (right !== undefined && dueMs(right) < dueMs(heap[below] as GeneratorState)) below++
      const child = heap[below] as GeneratorState
      if (dueMs(child) >= dueMs(last)) break
      heap[at] = child
      at = below
    }
    heap[at] = last
    return first
  }
}

/** When the next message of a generator is due. */
function dueMs({ schedule, taken }: GeneratorState): number {
  return dueAtMs(schedule, taken + 1)
}
