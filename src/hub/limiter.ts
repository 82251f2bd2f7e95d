// Decides who may open a stream by how many there are from the same place, and by how many come a second.
// One for the whole server, so that its limits are exact however many processes hold the streams. Whether
// there is room for a stream at all is another's question.

import type { Clock } from '../core/clock.ts'
import { streamLimits } from '../core/limits.ts'
import type { RefusalReason } from './figures.ts'

export interface StreamLimits {
  /** Streams that may be open from one place at once; null for any number. */
  readonly perAddressMax: number | null
  /** Streams that may be opened a second, from everywhere; null for any number. */
  readonly newPerSecondMax: number | null
}

/** May the stream be opened, and if not, when is it worth asking again? */
export type LimiterDecision =
  | { readonly admitted: true }
  | {
      readonly admitted: false
      readonly reason: Exclude<RefusalReason, 'full' | 'draining'>
      readonly retryAfterSeconds: number
    }

/** Where new streams ask; in a worker the answer comes from its parent. */
export interface Limiter {
  /** Streams that have asked and have no answer yet. */
  readonly waiting: number
  /**
   * May one more stream be opened? One that may counts from now on.
   *
   * @param network where its client is; null if nobody wants to know
   */
  ask(network: string | null): LimiterDecision | Promise<LimiterDecision>
  /** A stream that counted is over. */
  left(network: string): void
}

const ADMITTED: LimiterDecision = { admitted: true }

export class StreamLimiter {
  readonly #clock: Clock
  #rules: StreamLimits
  /** Streams by place. A place without one is not in it, so there are never more than streams. */
  readonly #open = new Map<string, number>()
  /** The same by the process that holds them, for the moment that one of these is gone. */
  readonly #held = new Map<number, Map<string, number>>()
  /** When the last stream that was admitted would have come, had all come evenly. */
  #dueMs = 0
  /** The same of those that were told when to come again. */
  #toldMs = 0

  constructor(rules: StreamLimits, clock: Clock) {
    this.#rules = rules
    this.#clock = clock
  }

  /** From now on these rules hold; streams that are open stay so. */
  change(rules: StreamLimits): void {
    this.#rules = rules
    // Anyone who comes now is told a time by the new rate.
    this.#toldMs = 0
  }

  /** Places from which there are streams. */
  get places(): number {
    return this.#open.size
  }

  /** Decides, and counts a stream that is admitted. Once a stream that comes. */
  ask(holder: number, network: string | null): LimiterDecision {
    const { perAddressMax } = this.#rules
    if (network !== null && perAddressMax !== null) {
      if ((this.#open.get(network) ?? 0) >= perAddressMax) {
        const { retryAfterSeconds } = streamLimits
        return { admitted: false, reason: 'address', retryAfterSeconds }
      }
    }
    const refused = this.#tooMany()
    if (refused !== null) return refused
    if (network !== null) {
      change(this.#open, network, 1)
      change(this.#of(holder), network, 1)
    }
    return ADMITTED
  }

  left(holder: number, network: string): void {
    change(this.#open, network, -1)
    change(this.#of(holder), network, -1)
  }

  /** A process is gone, and all streams that it held. */
  forget(holder: number): void {
    for (const [network, count] of this.#of(holder)) change(this.#open, network, -count)
    this.#held.delete(holder)
  }

  #of(holder: number): Map<string, number> {
    let held = this.#held.get(holder)
    if (held === undefined) {
      held = new Map()
      this.#held.set(holder, held)
    }
    return held
  }

  /**
   * The generic cell rate algorithm (ITU-T I.371), with room for what comes in a second at once. A client
   * that is refused is told a time of its own, at the same rate, so that those who come again do not come all
   * at the same moment.
   */
  #tooMany(): LimiterDecision | null {
    const { newPerSecondMax } = this.#rules
    if (newPerSecondMax === null) return null
    const nowMs = this.#clock.elapsedMs()
    const eachMs = 1_000 / newPerSecondMax
    const dueMs = Math.max(this.#dueMs, nowMs) + eachMs
    // A millionth of a second, for what is lost in adding up.
    if (dueMs - nowMs <= 1_000 + 1e-3) {
      this.#dueMs = dueMs
      return null
    }
    const mostMs = streamLimits.retryAfterSecondsMax * 1_000
    this.#toldMs = Math.max(this.#toldMs, nowMs) + eachMs
    // Beyond what is worth telling, the same seconds are told once more.
    if (this.#toldMs - nowMs > mostMs) this.#toldMs = nowMs + eachMs
    const retryAfterSeconds = Math.max(1, Math.ceil((this.#toldMs - nowMs) / 1_000))
    return { admitted: false, reason: 'rate', retryAfterSeconds }
  }
}

function change(counts: Map<string, number>, network: string, by: number): void {
  const count = (counts.get(network) ?? 0) + by
  if (count < 0) throw new Error(`more streams have left ${network} than came`)
  if (count === 0) counts.delete(network)
  else counts.set(network, count)
}
