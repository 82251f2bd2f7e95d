// What a whole flood has seen: the last word of each of its processes, and all times that they have
// told. It knows nothing of how they are told.

import type { Histogram } from 'hdr-histogram-js'
import { addCounters, type Counters, newCounters, newTelling, type Telling } from './tally.ts'
import { addTimes, newHistogram } from './times.ts'

export class Totals {
  readonly connect: Histogram = newHistogram()
  readonly latency: Histogram = newHistogram()
  readonly #lastWords: Telling[]
  #recentLatency = newHistogram()

  constructor(processes: number) {
    this.#lastWords = Array.from({ length: processes }, newTelling)
  }

  hear(process: number, telling: Telling): void {
    this.#lastWords[process] = telling
    addTimes(this.connect, telling.connect)
    addTimes(this.latency, telling.latency)
    addTimes(this.#recentLatency, telling.latency)
  }

  /** A process died, and its connections with it: what was open has closed, the rest has failed. */
  hearOfDeath(process: number, connections: number): void {
    const { counters, openingMs } = this.#lastWords[process] ?? newTelling()
    const { opened } = counters
    this.#lastWords[process] = {
      ...newTelling(),
      counters: { ...counters, closed: opened, failed: connections - opened },
      errors: { worker_died: connections },
      openingMs,
    }
  }

  get counters(): Counters {
    const sum = newCounters()
    for (const { counters } of this.#lastWords) addCounters(sum, counters)
    return sum
  }

  get errors(): Record<string, number> {
    const sum: Record<string, number> = {}
    for (const { errors } of this.#lastWords) {
      for (const [kind, count] of Object.entries(errors)) sum[kind] = (sum[kind] ?? 0) + count
    }
    return sum
  }

  get openingMs(): number {
    return Math.max(...this.#lastWords.map(({ openingMs }) => openingMs))
  }

  /** Latencies heard of since the last call. */
  takeRecentLatency(): Histogram {
    const recent = this.#recentLatency
    this.#recentLatency = newHistogram()
    return recent
  }
}
