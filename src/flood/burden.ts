// Streams that are there to be a burden for the server: those that stop reading, and those that
// vanish. Which they are follows from their index alone.

import { type Deafen, deafener } from '../machine/deafen.ts'
import type { Manner } from './plan.ts'
import { isAmong } from './schedule.ts'
import type { FloodStream } from './stream.ts'
import type { Counters } from './tally.ts'

/** The types of Bun lack the descriptor. */
type Descriptor = { readonly fd?: number }

export class Burden {
  readonly #slow: number
  readonly #silentDrop: number
  readonly #connections: number
  readonly #deafen: Deafen | null

  constructor({ slow, silentDrop }: Manner, connections: number) {
    this.#slow = slow
    this.#silentDrop = silentDrop
    this.#connections = connections
    this.#deafen = silentDrop > 0 ? deafener() : null
  }

  /** Has an open stream be what it was chosen for, if it was. */
  lay(stream: FloodStream, counters: Counters): void {
    if (isAmong(this.#slow, stream.index)) {
      stream.state = 'slow'
      stream.socket?.pause()
      counters.slow++
      // Counted from the other end, so that the same share of both is not of the same streams.
    } else if (isAmong(this.#silentDrop, this.#connections - 1 - stream.index)) {
      const descriptor = (stream.socket as Descriptor | null)?.fd
      if (descriptor === undefined || this.#deafen?.(descriptor) !== true) return
      stream.state = 'vanished'
      counters.vanished++
    }
  }
}
