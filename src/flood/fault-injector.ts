// Makes a share of the open streams a burden for the server: those that stop reading, and those
// that are dropped without FIN or RST.

import type { Connections } from './connections.ts'
import type { StreamBehaviour } from './plan.ts'
import type { Counters } from './process-stats.ts'
import { STREAM, type Streams } from './streams.ts'

export class FaultInjector {
  /** Of all streams, those that are slow or vanish. */
  readonly #share: number
  /** Of these, the slow ones. */
  readonly #slowShare: number
  readonly #connections: Connections
  readonly #streams: Streams

  constructor({ slow, silentDrop }: StreamBehaviour, connections: Connections, streams: Streams) {
    this.#share = Math.min(1, slow + silentDrop)
    this.#slowShare = slow / (slow + silentDrop)
    this.#connections = connections
    this.#streams = streams
  }

  /** Applies the fault of a stream that has opened, if its index has one. */
  apply(index: number, counters: Counters): void {
    if (!isAmong(this.#share, index)) return
    // Each stream of the share has exactly one fault, whatever the two shares are.
    if (isAmong(this.#slowShare, countAmong(this.#share, index))) {
      this.#streams.set(index, STREAM.slow)
      this.#connections.pause(index)
      counters.slow++
    } else if (this.#connections.blackhole(index)) {
      this.#streams.set(index, STREAM.vanished)
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
