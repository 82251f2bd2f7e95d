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
  WRONGS,
} from './process-stats.ts'
import { Arrivals } from './sequences.ts'
import { addStorms, type StormState } from './storm.ts'

export class Totals {
  readonly connect: Histogram = newHistogram()
  readonly latency: Histogram = newHistogram()
  /** Which messages any process received, of a run that is compared. */
  readonly arrivals = new Arrivals(floodLimits.arrivalsBytesMax * floodLimits.processesMax)
  /** How busy the processes were: `busySeconds` are those of the process that has most of them. */
  readonly load = { coresMax: 0, loopLateMsMax: 0, busySeconds: 0 }
  readonly #lastReports: ProcessReport[]
  readonly #busySeconds: number[] = []
  #recentLatency = newHistogram()

  constructor(processes: number) {
    this.#lastReports = Array.from({ length: processes }, () => new ProcessStats().report())
  }

  onReport(process: number, report: ProcessReport): void {
    this.#lastReports[process] = report
    addTimes(this.connect, report.connect)
    addTimes(this.latency, report.latency)
    addTimes(this.#recentLatency, report.latency)
    for (const arrivals of report.arrivals) this.arrivals.add(arrivals)
    if (report.load !== null) this.#addLoad(process, report.load)
  }

  /** A second is busy in which the process used its whole core or was late. */
  #addLoad(process: number, { cores, loopLateMs }: Load): void {
    const { load } = this
    load.coresMax = Math.max(load.coresMax, cores)
    load.loopLateMsMax = Math.max(load.loopLateMsMax, loopLateMs)
    if (cores < floodLimits.busyCores && loopLateMs < floodLimits.loopLateMs) return
    const seconds = (this.#busySeconds[process] ?? 0) + 1
    this.#busySeconds[process] = seconds
    load.busySeconds = Math.max(load.busySeconds, seconds)
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
    return WRONGS.flatMap((wrong) =>
      all.filter((example) => example.wrong === wrong).slice(0, floodLimits.examplesMax),
    )
  }

  /** Of all processes; null before it has begun. */
  get storm(): StormState | null {
    return addStorms(this.#lastReports.map(({ storm }) => storm))
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
