// What a whole flood has seen: the last word of each of its processes, and all times that they have
// told. It knows nothing of how they are told.

import type { Histogram } from 'hdr-histogram-js'
import type { Load } from '../core/loop.ts'
import { floodLimits } from '../core/tool-limits.ts'
import { Arrivals } from './arrivals.ts'
import {
  addCounters,
  type Counters,
  type Example,
  newCounters,
  newTelling,
  openCount,
  type Telling,
} from './tally.ts'
import { addTimes, newHistogram } from './times.ts'

/** How busy the flood's processes were themselves. */
export interface ClientLoad {
  /** Of a core, the busiest process in its busiest second. */
  readonly coresMax: number
  /** Milliseconds that a process came late to look at its streams, at most. */
  readonly loopLateMsMax: number
  /** Seconds in which one process was busy all the time or late, of the one that was so most often. */
  readonly busySeconds: number
}

export class Totals {
  readonly connect: Histogram = newHistogram()
  readonly latency: Histogram = newHistogram()
  /** Which messages came anywhere, of a run that is compared. */
  readonly arrivals = new Arrivals(floodLimits.arrivalsBytesMax * floodLimits.processesMax)
  readonly #lastWords: Telling[]
  readonly #busySeconds: number[]
  #coresMax = 0
  #loopLateMsMax = 0
  #recentLatency = newHistogram()

  constructor(processes: number) {
    this.#lastWords = Array.from({ length: processes }, newTelling)
    this.#busySeconds = Array.from({ length: processes }, () => 0)
  }

  hear(process: number, telling: Telling): void {
    this.#lastWords[process] = telling
    addTimes(this.connect, telling.connect)
    addTimes(this.latency, telling.latency)
    addTimes(this.#recentLatency, telling.latency)
    for (const arrivals of telling.arrivals) this.arrivals.add(arrivals)
    if (telling.load !== null) this.#hearOfLoad(process, telling.load)
  }

  #hearOfLoad(process: number, { cores, loopLateMs }: Load): void {
    this.#coresMax = Math.max(this.#coresMax, cores)
    this.#loopLateMsMax = Math.max(this.#loopLateMsMax, loopLateMs)
    const { busyCores, loopLateMs: lateMs } = floodLimits
    if (cores < busyCores && loopLateMs < lateMs) return
    this.#busySeconds[process] = (this.#busySeconds[process] ?? 0) + 1
  }

  /** A process died, and its connections with it: what was open has closed, the rest has failed. */
  hearOfDeath(process: number, connections: number): void {
    const { counters, examples, openingMs, lateMsMax } = this.#lastWords[process] ?? newTelling()
    const { opened, closed } = counters
    this.#lastWords[process] = {
      ...newTelling(),
      counters: {
        ...counters,
        closed: closed + openCount(counters),
        failed: connections - opened,
        settled: connections,
      },
      errors: { worker_died: connections },
      examples,
      openingMs,
      lateMsMax,
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

  /** The first wrong messages of each kind, of some process. */
  get examples(): Example[] {
    const all = this.#lastWords.flatMap(({ examples }) => examples)
    return (['duplicated', 'reordered'] as const).flatMap((wrong) =>
      all.filter((example) => example.wrong === wrong).slice(0, floodLimits.examplesMax),
    )
  }

  get load(): ClientLoad {
    return {
      coresMax: this.#coresMax,
      loopLateMsMax: this.#loopLateMsMax,
      busySeconds: Math.max(...this.#busySeconds),
    }
  }

  get lateMsMax(): number {
    return Math.max(...this.#lastWords.map(({ lateMsMax }) => lateMsMax))
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
