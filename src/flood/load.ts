// How busy a flood process is itself: a client that has no time to read would take its own delay for
// the server's. It only measures; what follows from it is the report's.

import type { Clock } from '../core/clock.ts'

/** What one process was doing since it last said so. */
export interface Load {
  /** Processor time by time: 1 is a whole core. */
  readonly cores: number
  /** Milliseconds by which the timer that looks came late. */
  readonly loopLateMs: number
}

/** Looks once in a while. It has no timer of its own, since every process has one already. */
export class LoadWatch {
  readonly #clock: Clock
  readonly #everyMs: number
  readonly #cpuMicros: () => number
  #atMs: number
  #cpuAtMicros: number

  /** @param everyMs how often {@link look} is meant to be called */
  constructor(clock: Clock, everyMs: number, cpuMicros: () => number = ownCpuMicros) {
    this.#clock = clock
    this.#everyMs = everyMs
    this.#cpuMicros = cpuMicros
    this.#atMs = clock.elapsedMs()
    this.#cpuAtMicros = cpuMicros()
  }

  look(): Load {
    const nowMs = this.#clock.elapsedMs()
    const cpuMicros = this.#cpuMicros()
    const passedMs = nowMs - this.#atMs
    const load = {
      cores: passedMs > 0 ? (cpuMicros - this.#cpuAtMicros) / 1000 / passedMs : 0,
      loopLateMs: Math.max(0, passedMs - this.#everyMs),
    }
    this.#atMs = nowMs
    this.#cpuAtMicros = cpuMicros
    return load
  }
}

function ownCpuMicros(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}
