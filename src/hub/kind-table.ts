// The kinds of streams, each by a number that a stream is kept with instead of an object.

import type { StreamKind } from './stream.ts'

/** By the 16 bits of a kind's number. There are a few for each origin of pages. */
export const KINDS_MAX = 2 ** 16

export class KindTable {
  readonly #kinds: StreamKind[] = []

  /** The number of a kind. Once a stream. */
  numberOf(kind: StreamKind): number {
    const at = this.#kinds.indexOf(kind)
    const number = at >= 0 ? at : this.#kinds.push(kind) - 1
    // Else its streams would get the bytes of another kind.
    if (number >= KINDS_MAX) throw new Error(`there are more than ${KINDS_MAX} kinds of streams`)
    return number
  }

  /** Hot path: once a delivery. */
  of(number: number): StreamKind {
    return this.#kinds[number] as StreamKind
  }
}
