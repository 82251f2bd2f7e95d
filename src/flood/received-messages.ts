// The messages that the streams of one process receive: each is counted and timed, and the order of
// those of a stream is checked by their stamps.

import { findStamp, readStamp, type StampFields } from '../core/stamp.ts'
import type { ProcessStats } from './process-stats.ts'
import { type Arrivals, SequenceTracker } from './sequences.ts'

export class ReceivedMessages {
  readonly #firstId: number
  readonly #stats: ProcessStats
  readonly #arrivals: Arrivals | null
  readonly #tracker = new SequenceTracker()
  readonly #stamp: StampFields = { generator: 0, sequence: 0, dueMicros: 0 }

  /**
   * @param firstId that of the stream with index 0; the others follow
   * @param arrivals which messages came; null unless the run is compared
   */
  constructor(firstId: number, stats: ProcessStats, arrivals: Arrivals | null) {
    this.#firstId = firstId
    this.#stats = stats
    this.#arrivals = arrivals
  }

  /**
   * Hot path: once a message.
   *
   * @param atMicros when its bytes were read
   */
  record(index: number, bytes: Uint8Array, start: number, end: number, atMicros: number): void {
    const { counters, latency } = this.#stats
    counters.chunks++
    counters.bytes += end - start
    const stamp = this.#stamp
    // The stamp ends the message, unless an envelope surrounds it.
    if (!readStamp(bytes, start, end, stamp) && !findStamp(bytes, start, end, stamp)) return
    counters.messages++
    latency.record(atMicros - stamp.dueMicros)
    const { generator, sequence } = stamp
    const verdict = this.#tracker.record(index, generator, sequence, atMicros / 1000)
    this.#arrivals?.record(generator, sequence)
    if (verdict === 'new') return
    if (verdict === 'untracked') counters.untracked++
    else {
      const wrong = verdict === 'duplicate' ? 'duplicated' : 'reordered'
      this.#stats.countWrong({ wrong, id: this.#firstId + index, generator, sequence })
    }
  }
}
