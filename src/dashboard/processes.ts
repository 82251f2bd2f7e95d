// What each process of the server uses, from one sample to the next. Workers report their totals
// once a second by themselves and are not asked, so a sample may find no new report of one, or two
// at once.

import { quantileOf, recordedSince } from '../core/histogram.ts'
import { dashboardLimits } from '../core/limits.ts'
import { LAG_BOUNDS_SECONDS } from '../core/loop.ts'
import type { WorkerFigures } from '../hub/figures.ts'

export interface Use {
  /** Seconds of CPU time per second. */
  readonly cores: number | null
  /** The longest lag of its event loop. */
  readonly lateMs: number | null
  /** Memory that it shares with no other process. */
  readonly bytes: number | null
}

const UNKNOWN_USE: Use = { cores: null, lateMs: null, bytes: null }

/** Of a process since its start. */
type Totals = Pick<WorkerFigures['spent'], 'cpuSeconds' | 'loopLag'>

export class ProcessMeter {
  use: Use = UNKNOWN_USE
  #totals: Totals | null = null
  #timeMs = 0

  /** Takes new totals; the same ones again change nothing. */
  take(timeMs: number, totals: Totals): void {
    const earlier = this.#totals
    if (earlier !== null && isSame(earlier, totals)) return
    const seconds = (timeMs - this.#timeMs) / 1000
    this.#totals = totals
    this.#timeMs = timeMs
    if (earlier === null || seconds <= 0) return
    const lags = recordedSince(totals.loopLag, earlier.loopLag)
    const lateSeconds = quantileOf(LAG_BOUNDS_SECONDS, lags, 1)
    this.use = {
      ...this.use,
      cores: Math.max(0, (totals.cpuSeconds - earlier.cpuSeconds) / seconds),
      lateMs: lateSeconds === null ? null : lateSeconds * 1000,
    }
  }

  takeBytes(bytes: number | null): void {
    this.use = { ...this.use, bytes }
  }
}

/** A process that has reported again has measured the lag again, even if it used no CPU time. */
function isSame(one: Totals, other: Totals): boolean {
  return (
    one.cpuSeconds === other.cpuSeconds &&
    one.loopLag.counts.every((count, at) => count === other.loopLag.counts[at])
  )
}

/** By the numbers of the workers. */
export class WorkerMeters {
  readonly #meters: ProcessMeter[] = []
  readonly #bytesOf: (pid: number) => number | null
  /** The first worker whose memory is read next. */
  #turn = 0

  constructor(bytesOf: (pid: number) => number | null) {
    this.#bytesOf = bytesOf
  }

  take(timeMs: number, workers: readonly WorkerFigures[]): void {
    for (const { number, spent } of workers) this.#meter(number).take(timeMs, spent)
    // Only so many each time: with very many workers, a sample would take too long.
    const count = Math.min(workers.length, dashboardLimits.memoryReadsMax)
    for (let read = 0; read < count; read++) {
      const { number, pid } = workers[(this.#turn + read) % workers.length] as WorkerFigures
      this.#meter(number).takeBytes(pid === null ? null : this.#bytesOf(pid))
    }
    this.#turn = workers.length === 0 ? 0 : (this.#turn + count) % workers.length
  }

  useOf(worker: number): Use {
    return this.#meters[worker]?.use ?? UNKNOWN_USE
  }

  #meter(worker: number): ProcessMeter {
    this.#meters[worker] ??= new ProcessMeter()
    return this.#meters[worker]
  }
}
