// The messages that the streams of one process receive: each is counted and timed, and the order of
// those of a stream is checked by their stamps.

import {
  type ChainFields,
  findStamp,
  readChain,
  readStamp,
  type StampFields,
} from '../core/stamp.ts'
import type { ProcessStats } from './process-stats.ts'
import type { ResumeCheck } from './resume-check.ts'
import { type Arrivals, SequenceTracker } from './sequences.ts'

export class ReceivedMessages {
  readonly #firstId: number
  readonly #stats: ProcessStats
  readonly #arrivals: Arrivals | null
  readonly #resume: ResumeCheck | null
  readonly #tracker: SequenceTracker
  readonly #stamp: StampFields = { generator: 0, sequence: 0, dueMicros: 0 }
  readonly #chain: ChainFields = { target: 0, sequence: 0, dueMicros: 0 }

  /**
   * @param firstId that of the stream with index 0; the others follow
   * @param arrivals which messages came; null unless the run is compared
   * @param resume whether all came; null unless streams resume
   */
  constructor(
    firstId: number,
    stats: ProcessStats,
    arrivals: Arrivals | null,
    resume: ResumeCheck | null = null,
  ) {
    this.#firstId = firstId
    this.#stats = stats
    this.#arrivals = arrivals
    this.#resume = resume
    // One whose number is forgotten would look as if its first messages were missing.
    this.#tracker = new SequenceTracker(undefined, undefined, resume === null)
  }

  /**
   * Hot path: once a message.
   *
   * @param atMicros when its bytes were read
   * @param isResumed has its connection gone on behind a cursor?
   */
  record(
    index: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    atMicros: number,
    isResumed = false,
  ): void {
    const { counters, latency } = this.#stats
    counters.chunks++
    counters.bytes += end - start
    const stamp = this.#stamp
    // The stamp ends the message, unless an envelope surrounds it.
    if (!readStamp(bytes, start, end, stamp) && !findStamp(bytes, start, end, stamp)) {
      this.#resume?.onForeign()
      return
    }
    counters.messages++
    const { generator, sequence, dueMicros } = stamp
    // How long the stream was away is no latency.
    if (isResumed && this.#resume?.isReplay(index, dueMicros) === true) {
      counters.replayed++
      this.#stats.replayedAtMs = atMicros / 1000
    } else latency.record(atMicros - dueMicros)
    const verdict = this.#tracker.record(index, generator, sequence, atMicros / 1000)
    this.#arrivals?.record(generator, sequence)
    if (this.#resume !== null && verdict !== 'untracked') {
      this.#checkChain(this.#resume, index, bytes, start, end)
    }
    if (verdict === 'new') return
    if (verdict === 'untracked') counters.untracked++
    else {
      const wrong = verdict === 'duplicate' ? 'duplicated' : 'reordered'
      if (isResumed && verdict === 'duplicate') counters.doubled++
      this.#stats.countWrong({ wrong, id: this.#firstId + index, generator, sequence })
    }
  }

  /** Counts a message whose cursor is wrong. */
  countMisnumbered(index: number, bytes: Uint8Array, start: number, end: number): void {
    const stamp = this.#stamp
    const isStamped = readStamp(bytes, start, end, stamp) || findStamp(bytes, start, end, stamp)
    const { generator, sequence } = isStamped ? stamp : { generator: 0, sequence: 0 }
    const id = this.#firstId + index
    this.#stats.countWrong({ wrong: 'misnumbered', id, generator, sequence })
  }

  #checkChain(
    resume: ResumeCheck,
    index: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const chain = this.#chain
    const { before, generators } = this.#tracker
    if (!readChain(bytes, start, end, chain)) resume.onUnchained(index)
    else resume.onChain(index, this.#stamp.generator, before, chain, generators)
  }
}
