// Streams that are there to be a burden for the server: those that stop reading, and those that
// vanish. Which they are follows from their index alone.

import { type Blackhole, openBlackhole } from '../os/blackhole.ts'
import type { Manner } from './plan.ts'
import { countAmong, isAmong } from './schedule.ts'
import type { FloodStream } from './stream.ts'
import type { Counters } from './tally.ts'

/** The types of Bun lack the descriptor. */
type Descriptor = { readonly fd?: number }

export class Burden {
  /** Of all streams, those that are slow or vanish. */
  readonly #share: number
  /** Of these, the slow ones. */
  readonly #slowShare: number
  readonly #blackhole: Blackhole | null

  constructor({ slow, silentDrop }: Manner) {
    this.#share = Math.min(1, slow + silentDrop)
    this.#slowShare = slow / (slow + silentDrop)
    this.#blackhole = silentDrop > 0 ? openBlackhole() : null
  }

  /** Has an open stream be what it was chosen for, if it was. */
  lay(stream: FloodStream, counters: Counters): void {
    const { index } = stream
    if (!isAmong(this.#share, index)) return
    // One is dealt to either, so that no stream is both, whatever the shares.
    if (isAmong(this.#slowShare, countAmong(this.#share, index))) {
      stream.state = 'slow'
      stream.socket?.pause()
      counters.slow++
    } else {
      const descriptor = (stream.socket as Descriptor | null)?.fd
      if (descriptor === undefined || this.#blackhole?.(descriptor) !== true) return
      stream.state = 'vanished'
      counters.vanished++
    }
  }
}
