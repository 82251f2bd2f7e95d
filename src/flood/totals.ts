// The whole flood: the last report of each of its processes, and all times that they reported in
// histograms of three significant digits.

import { build, type Histogram } from 'hdr-histogram-js'
import type { Load } from '../core/loop.ts'
import { floodLimits } from '../core/tool-limits.ts'
import {
  addCounters,
  type Counters,
  type Example,
  highestOf,
  MICROS_MAX,
  newCounters,
  openCount,
  type ProcessReport,
  ProcessStats,
  type Times,
} from './process-stats.ts'
import { Arrivals } from './sequences.ts'

/** How busy the flood's processes were themselves. */
export interface ClientLoad {
  /** Cores used by the busiest process in its busiest second. */
  readonly coresMax: number
  /** The highest lag of an event loop. */
  readonly loopLateMsMax: number
  /** Seconds in which a process used its whole core or was late; the highest count of a process. */
  readonly busySeconds: number
}

export class Totals {
  readonly connect: Histogram = newHistogram()
  readonly latency: Histogram = newHistogram()
  /** Which messages any process received, of a run that is compared. */
  readonly arrivals = new Arrivals(floodLimits.arrivalsBytesMax * floodLimits.processesMax)
  readonly #lastReports: ProcessReport[]
  readonly #busySeconds: number[]
  #coresMax = 0
  #loopLateMsMax = 0
  #recentLatency = newHistogram()

  constructor(processes: number) {
    this.#lastReports = Array.from({ length: processes }, () => new ProcessStats().report())
    this.#busySeconds = Array.from({ length: processes }, () => 0)
  }

  onReport(process: number, report: ProcessReport): void {
    this.#lastReports[process] = report
    addTimes(this.connect, report.connect)
    addTimes(this.latency, report.latency)
    addTimes(this.#recentLatency, report.latency)
    for (const arrivals of report.arrivals) this.arrivals.add(arrivals)
    if (report.load !== null) this.#addLoad(process, report.load)
  }

  #addLoad(process: number, { cores, loopLateMs }: Load): void {
    this.#coresMax = Math.max(this.#coresMax, cores)
    this.#loopLateMsMax = Math.max(this.#loopLateMsMax, loopLateMs)
    const { busyCores, loopLateMs: lateMs } = floodLimits
    if (cores < busyCores && loopLateMs < lateMs) return
    this.#busySeconds[process] = (this.#busySeconds[process] ?? 0) + 1
  }

  /**
   * A process ended without its last report: its open streams are closed, all others have failed.
   */
  onExit(process: number, connections: number): void {
    const last = this.#lastReports[process] as ProcessReport
    const { counters } = last
    this.#lastReports[process] = {
      ...last,
      counters: {
        ...counters,
        closed: counters.closed + openCount(counters),
        failed: connections - counters.opened,
        settled: connections,
      },
      errors: { worker_died: connections },
    }
  }

  get counters(): Counters {
    const sum = newCounters()
    for (const { counters } of this.#lastReports) addCounters(sum, counters)
    return sum
  }

  get errors(): Record<string, number> {
    const sum: Record<string, number> = {}
    for (const { errors } of this.#lastReports) {
      for (const [kind, count] of Object.entries(errors)) sum[kind] = (sum[kind] ?? 0) + count
    }
    return sum
  }

  /** The first wrong messages of each kind, of any process. */
  get examples(): Example[] {
    const all = this.#lastReports.flatMap(({ examples }) => examples)
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
    return Math.max(...this.#lastReports.map(({ lateMsMax }) => lateMsMax))
  }

  get openingMs(): number {
    return Math.max(...this.#lastReports.map(({ openingMs }) => openingMs))
  }

  /** Latencies reported since the last call. */
  takeRecentLatency(): Histogram {
    const recent = this.#recentLatency
    this.#recentLatency = newHistogram()
    return recent
  }
}

export function newHistogram(): Histogram {
  return build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: MICROS_MAX,
    numberOfSignificantValueDigits: 3,
  })
}

export function addTimes(histogram: Histogram, times: Times): void {
  for (let at = 0; at + 1 < times.length; at += 2) {
    const micros = highestOf(times[at] as number)
    histogram.recordValueWithCount(Math.min(MICROS_MAX, micros), times[at + 1] as number)
  }
}

/** Null if nothing was timed. */
export function percentileMs(histogram: Histogram, percentile: number): number | null {
  if (histogram.totalCount === 0) return null
  // The histogram returns the upper end of a bucket, which may lie above the maximum.
  const micros = Math.min(histogram.maxValue, histogram.getValueAtPercentile(percentile))
  return micros / 1000
}
