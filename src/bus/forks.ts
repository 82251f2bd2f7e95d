// The forks of the log, which Redis keeps, and the branches that a node has left: tells whether the
// log has everything that the node had read there.

import type { Cursor } from '../core/cursor.ts'
import { parseId } from './stream-entry.ts'

/** The log continued after `base` under this epoch. */
export interface Fork {
  readonly epoch: number
  readonly base: Cursor
}

/** Parses forks, each as `<epoch> <base>;`, the newest first. Skips one that was cut at the end. */
export function parseForks(text: string): Fork[] {
  const forks: Fork[] = []
  for (const [, epoch, id] of text.matchAll(/(\d{1,15}) (\d{1,15}-\d{1,15});/g)) {
    const base = parseId(id)
    if (base !== null) forks.push({ epoch: Number(epoch), base })
  }
  return forks
}

/** Up to where a node had read each branch that it left without knowing where it forked. */
export class LeftBranches {
  #places: Cursor[] = []
  readonly #placesMax: number
  #isTooMany = false

  constructor(placesMax: number) {
    this.#placesMax = placesMax
  }

  get isEmpty(): boolean {
    return this.#places.length === 0
  }

  push(place: Cursor): void {
    if (this.#places.length < this.#placesMax) this.#places.push(place)
    else this.#isTooMany = true
  }

  /** Does a log with these forks have all branches up to these places? */
  isAllIn(forks: readonly Fork[]): boolean {
    return !this.#isTooMany && this.#places.every((place) => isIn(forks, place))
  }

  clear(): void {
    this.#places = []
    this.#isTooMany = false
  }
}

function isIn(forks: readonly Fork[], { epoch, number }: Cursor): boolean {
  return forks.some(({ base }) => base.epoch === epoch && number <= base.number)
}
