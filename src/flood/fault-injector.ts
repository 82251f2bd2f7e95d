// Makes a share of the open streams a burden for the server: those that stop reading, and those
// that are dropped without FIN or RST.

import { type Blackhole, openBlackhole } from '../os/blackhole.ts'
import type { StreamBehaviour } from './plan.ts'
import type { Counters } from './process-stats.ts'
import type { FloodStream } from './stream-reader.ts'

/** Missing in the types of Bun. */
type Descriptor = { readonly fd?: number }

export class FaultInjector {
  /** Of all streams, those that are slow or vanish. */
  readonly #share: number
  /** Of these, the slow ones. */
  readonly #slowShare: number
  readonly #blackhole: Blackhole | null

  constructor({ slow, silentDrop }: StreamBehaviour) {
    this.#share = Math.min(1, slow + silentDrop)
    this.#slowShare = slow / (slow + silentDrop)
    this.#blackhole = silentDrop > 0 ? openBlackhole() : null
  }

  /** Applies the fault of a stream that has opened, if its index has one. */
  apply(stream: FloodStream, counters: Counters): void {
    const { index } = stream
    if (!isAmong(this.#share, index)) return
    // Each stream of the share has exactly one fault, whatever the two shares are.
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

/** Whether a stream belongs to a share of all. They are spread evenly over the indexes. */
export function isAmong(share: number, index: number): boolean {
  return countAmong(share, index + 1) > countAmong(share, index)
}

/** How many of the first `streams` belong to a share of all. */
export function countAmong(share: number, streams: number): number {
  // Plus a billionth, so that 29 % of 100 are 29, and not the 28 of 28.999999999999996.
  return Math.floor(share * streams + 1e-9)
}
