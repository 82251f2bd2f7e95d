// The processes of the server from one sample to the next: what each has used meanwhile. Workers tell
// their totals once a second by themselves and are not asked, so a sample may find nothing new of one,
// or two tellings at once.

import type { HistogramFigures } from '../core/histogram.ts'
import { dashboardLimits } from '../core/limits.ts'
import { LAG_BOUNDS_SECONDS } from '../core/loop.ts'
import type { WorkerFigures } from '../workers/supervisor.ts'
import { quantileOf, recordedSince } from './quantile.ts'

/** What one process uses. */
export interface Use {
  /** Seconds of processor time a second. */
  readonly cores: number | null
  /** How late its loop was at most. */
  readonly lateMs: number | null
  /** Memory that it shares with no other. */
  readonly bytes: number | null
}

export const UNKNOWN_USE: Use = { cores: null, lateMs: null, bytes: null }

/** All that a process has used since its start. */
export interface Spending {
  readonly cpuSeconds: number
  readonly loopLag: HistogramFigures
}

/** One process, and what was known of it before. */
export class Meter {
  use: Use = UNKNOWN_USE
  #spending: Spending | null = null
  #timeMs = 0

  /** Takes new totals; the same ones again change nothing. */
  take(timeMs: number, spending: Spending): void {
    const earlier = this.#spending
    if (earlier !== null && isSame(earlier, spending)) return
    const seconds = (timeMs - this.#timeMs) / 1000
    this.#spending = spending
    this.#timeMs = timeMs
    if (earlier === null || seconds <= 0) return
    const late = recordedSince(spending.loopLag, earlier.loopLag)
    const lateSeconds = quantileOf(LAG_BOUNDS_SECONDS, late, 1)
    this.use = {
      ...this.use,
      cores: Math.max(0, (spending.cpuSeconds - earlier.cpuSeconds) / seconds),
      lateMs: lateSeconds === null ? null : lateSeconds * 1000,
    }
  }

  takeBytes(bytes: number | null): void {
    this.use = { ...this.use, bytes }
  }
}

/** A process that has told again has looked at the clock again, whatever else it did. */
function isSame(one: Spending, other: Spending): boolean {
  return (
    one.cpuSeconds === other.cpuSeconds &&
    one.loopLag.counts.every((count, at) => count === other.loopLag.counts[at])
  )
}

/** The meters of all workers, by their numbers. */
export class WorkerMeters {
  readonly #meters: Meter[] = []
  readonly #bytesOf: (pid: number) => number | null
  /** Whose memory is read next. */
  #turn = 0

  constructor(bytesOf: (pid: number) => number | null) {
    this.#bytesOf = bytesOf
  }

  take(timeMs: number, workers: readonly WorkerFigures[]): void {
    for (const { number, spent } of workers) this.#meter(number).take(timeMs, spent)
    for (const { number, pid } of this.#due(workers)) {
      this.#meter(number).takeBytes(pid === null ? null : this.#bytesOf(pid))
    }
  }

  useOf(worker: number): Use {
    return this.#meters[worker]?.use ?? UNKNOWN_USE
  }

  #meter(worker: number): Meter {
    const meter = this.#meters[worker] ?? new Meter()
    this.#meters[worker] = meter
    return meter
  }

  /** So many each time, so that very many workers do not make a sample dear. */
  #due(workers: readonly WorkerFigures[]): WorkerFigures[] {
    const count = Math.min(workers.length, dashboardLimits.memoryReadsMax)
    const due = Array.from(
      { length: count },
      (_, at) => workers[(this.#turn + at) % workers.length],
    )
    this.#turn = workers.length === 0 ? 0 : (this.#turn + count) % workers.length
    return due.filter((worker) => worker !== undefined)
  }
}
