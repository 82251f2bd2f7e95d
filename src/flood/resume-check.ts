// Of a flood that resumes: whether all came that a stream is owed, by the chains of its messages,
// and whether something was missing where a gap was told.

import type { ChainFields } from '../core/stamp.ts'
import { floodLimits } from '../core/tool-limits.ts'
import { GAP_REASONS } from './envelope.ts'
import type { ProcessStats, Wrong } from './process-stats.ts'

/** Reasons that claim that something is missing; an unknown cursor does not say whether. */
const CLAIMS: readonly (typeof GAP_REASONS)[number][] = ['lost', 'too_many']

export class ResumeCheck {
  readonly #stats: ProcessStats
  readonly #firstId: number
  /** Since then a stream is owed every message, in milliseconds after the start; 0 before. */
  readonly #owedFrom: Uint32Array
  /** When the connection of a stream went on, in the same. */
  readonly #openedAt: Uint32Array
  readonly #startMs: number
  /** Streams that were told a gap, and the generators that have shown since that nothing of theirs
   * is missing. */
  readonly #told = new Map<number, Set<number>>()
  /** Do streams get messages about others, or of others? What a gap left out may be those. */
  #isMixed = false

  /** @param startMs the moment, in milliseconds since 1970 */
  constructor(count: number, firstId: number, stats: ProcessStats, startMs: number) {
    this.#stats = stats
    this.#firstId = firstId
    this.#startMs = startMs
    this.#owedFrom = new Uint32Array(count)
    this.#openedAt = new Uint32Array(count)
  }

  /** A stream has been told where it is. */
  onPlace(index: number, atMicros: number, isResuming: boolean): void {
    const ms = this.#msOf(atMicros)
    this.#openedAt[index] = ms
    // What was sent while a stream was away that could not name a cursor, it is not owed.
    if (!isResuming) this.#owedFrom[index] = ms
  }

  /** A stream was told a gap: what is older has come or will not. */
  onGap(index: number, atMicros: number, reason: number): void {
    this.#owedFrom[index] = this.#msOf(atMicros)
    const isClaim = CLAIMS.some((claim) => claim === GAP_REASONS[reason])
    const hasRoom = this.#told.size < floodLimits.judgedGapsMax
    // A gap before it that could not be judged until now never will be.
    this.#told.delete(index)
    if (isClaim && hasRoom) this.#told.set(index, new Set())
  }

  /** Is a message older than its connection? Hot path: once a message. */
  isReplay(index: number, dueMicros: number): boolean {
    return dueMicros < this.#microsOf(this.#openedAt[index] as number)
  }

  /**
   * Hot path: once a message with a chain.
   *
   * @param before the highest sequence number of the generator that had come, 0 for none
   * @param generators how many there are
   */
  onChain(
    index: number,
    generator: number,
    before: number,
    chain: ChainFields,
    generators: number,
  ): void {
    // A message about another subject, whose messages before were not all for this stream.
    if (chain.target !== this.#firstId + index) {
      this.#isMixed = true
      return
    }
    this.#stats.counters.chained++
    const isMissing = chain.sequence > before
    if (isMissing && chain.dueMicros > this.#microsOf(this.#owedFrom[index] as number)) {
      this.#countWrong('missed', index, generator, chain.sequence)
    }
    if (this.#told.size === 0) return
    const heard = this.#told.get(index)
    if (heard === undefined) return
    heard.add(generator)
    if (isMissing) this.#told.delete(index)
    else if (heard.size >= generators) {
      this.#told.delete(index)
      if (!this.#isMixed) this.#countWrong('unfounded', index, 0, 0)
    }
  }

  /** A message of no generator: others like it may have been lost. */
  onForeign(): void {
    this.#isMixed = true
  }

  /** A message without a chain: its generator does not know whether the one before it was sent. */
  onUnchained(index: number): void {
    if (this.#told.size > 0) this.#told.delete(index)
  }

  #countWrong(wrong: Wrong, index: number, generator: number, sequence: number): void {
    this.#stats.countWrong({ wrong, id: this.#firstId + index, generator, sequence })
  }

  /** Rounded up: no stream is owed what was sent before. */
  #msOf(atMicros: number): number {
    return Math.max(1, Math.ceil(atMicros / 1000 - this.#startMs))
  }

  #microsOf(ms: number): number {
    return ms === 0 ? Number.POSITIVE_INFINITY : (this.#startMs + ms) * 1000
  }
}
