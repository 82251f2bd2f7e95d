// How busy this process is: the lag of its event loop and the CPU time that it used. What a timer
// has to wait beyond its time, everything else waits too.

import type { Clock } from './clock.ts'
import { Histogram, type HistogramFigures } from './histogram.ts'
import { figureLimits } from './limits.ts'

const { loopCheckMs } = figureLimits

/** Bun's timers are a millisecond late by themselves. Few buckets, since each worker reports all of
 * them once a second. */
export const LAG_BOUNDS_SECONDS = [0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** Measures the lag with one timer, for the whole life of the process. */
export class LoopWatch {
  readonly #clock: Clock
  readonly #lag = new Histogram(LAG_BOUNDS_SECONDS)
  /** When the next look is due. */
  #dueMs: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#dueMs = clock.elapsedMs() + loopCheckMs
  }

  /** Starts the timer, which does not keep the process alive. */
  start(): void {
    // A whole number upwards: Bun cuts fractions off, and a timer that is early has to run twice.
    const waitMs = Math.ceil(Math.max(0, this.#dueMs - this.#clock.elapsedMs()))
    const timer = setTimeout(() => {
      this.look()
      this.start()
    }, waitMs)
    timer.unref()
  }

  /**
   * Records the lag of this look and of each that was due meanwhile: a loop that stood still for
   * five seconds would have delayed an event at any moment of them.
   */
  look(): void {
    const nowMs = this.#clock.elapsedMs()
    for (; this.#dueMs <= nowMs; this.#dueMs += loopCheckMs) {
      this.#lag.record((nowMs - this.#dueMs) / 1000)
    }
  }

  /** Milliseconds for which a look has been due; 0 if none is. */
  get lateMs(): number {
    return Math.max(0, this.#clock.elapsedMs() - this.#dueMs)
  }

  /** The lag, in seconds. */
  figures(): HistogramFigures {
    return this.#lag.figures()
  }
}

/** CPU time of this process since its start, in seconds. */
export function cpuSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

/** What one process used since it was last looked at. */
export interface Load {
  /** CPU time by time: 1 is a whole core. */
  readonly cores: number
  /** Milliseconds by which the timer that looks came late. */
  readonly loopLateMs: number
}

/** Measures the load between two looks, by a timer that its owner has anyway. */
export class LoadWatch {
  readonly #clock: Clock
  readonly #everyMs: number
  readonly #cpuSeconds: () => number
  #lookedMs: number
  #usedSeconds: number

  /** @param everyMs how often {@link look} is meant to be called */
  constructor(clock: Clock, everyMs: number, readCpuSeconds: () => number = cpuSeconds) {
    this.#clock = clock
    this.#everyMs = everyMs
    this.#cpuSeconds = readCpuSeconds
    this.#lookedMs = clock.elapsedMs()
    this.#usedSeconds = readCpuSeconds()
  }

  look(): Load {
    const nowMs = this.#clock.elapsedMs()
    const usedSeconds = this.#cpuSeconds()
    const passedMs = nowMs - this.#lookedMs
    const load = {
      cores: passedMs > 0 ? ((usedSeconds - this.#usedSeconds) * 1000) / passedMs : 0,
      loopLateMs: Math.max(0, passedMs - this.#everyMs),
    }
    this.#lookedMs = nowMs
    this.#usedSeconds = usedSeconds
    return load
  }
}
