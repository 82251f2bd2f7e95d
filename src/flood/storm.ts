// A storm: the streams of one process that were cut at once, in which order they come back, and how
// fast they did.

import { dueAtMs, dueCount, type Schedule } from '../core/pacer.ts'
import { floodLimits } from '../core/tool-limits.ts'

/** The counters of what comes back. */
export interface Returned {
  readonly reopened: number
  readonly resumed: number
  readonly replayed: number
}

/** What has come back so far, in all. */
export type StormPoint = readonly [opened: number, resumed: number, replayed: number]

/** Plain data, in the report of a process. Times are milliseconds since all were cut. */
export interface StormState {
  readonly cut: number
  /** Until all were open again; null before. */
  readonly openedMs: number | null
  /** Until all had been told where they are. */
  readonly resumedMs: number | null
  /** Until the last message that they had missed came; null until it is clear which that was. */
  readonly caughtUpMs: number | null
  /** All are back and caught up, or the time is over. */
  readonly isOver: boolean
  /** One for each `floodLimits.stormEveryMs`. */
  readonly points: readonly StormPoint[]
}

export class Storm {
  readonly #indexes: readonly number[]
  readonly #schedule: Schedule | null
  readonly #startedMs: number
  readonly #before: StormPoint
  readonly #points: StormPoint[] = []
  #begun = 0
  #openedMs: number | null = null
  #resumedMs: number | null = null
  #caughtUpMs: number | null = null
  #isOver = false

  /**
   * @param indexes of the streams that were cut
   * @param ratePerSecond at which they come back; null for as fast as the server takes them
   */
  constructor(
    indexes: readonly number[],
    ratePerSecond: number | null,
    counters: Returned,
    elapsedMs: number,
  ) {
    this.#indexes = indexes
    this.#schedule =
      ratePerSecond === null ? null : { firstMs: 0, intervalMs: 1000 / ratePerSecond }
    this.#before = [counters.reopened, counters.resumed, counters.replayed]
    this.#startedMs = elapsedMs
    if (indexes.length === 0) [this.#openedMs, this.#resumedMs] = [0, 0]
  }

  /** The next stream that is due to come back; -1 if none is yet, or all have been begun. */
  next(elapsedMs: number): number {
    const index = this.#indexes[this.#begun]
    const schedule = this.#schedule
    const isDue = schedule === null || dueCount(schedule, elapsedMs - this.#startedMs) > this.#begun
    if (index === undefined || !isDue) return -1
    this.#begun++
    return index
  }

  /** Milliseconds until the next stream is due; null if none is left, or none has to wait. */
  waitMs(elapsedMs: number): number | null {
    if (this.#schedule === null || this.#begun >= this.#indexes.length) return null
    return dueAtMs(this.#schedule, this.#begun + 1) - (elapsedMs - this.#startedMs)
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Grows with each sample. */
  get samples(): number {
    return this.#points.length
  }

  get hasLeft(): boolean {
    return this.#begun < this.#indexes.length
  }

  /** Notes when the last one is back. While streams come back: once a read. */
  note({ reopened, resumed }: Pick<Returned, 'reopened' | 'resumed'>, elapsedMs: number): void {
    const cut = this.#indexes.length
    const [openedBefore, resumedBefore] = this.#before
    const ms = elapsedMs - this.#startedMs
    if (this.#openedMs === null && reopened - openedBefore >= cut) this.#openedMs = ms
    if (this.#resumedMs === null && resumed - resumedBefore >= cut) this.#resumedMs = ms
  }

  /**
   * Adds a point.
   *
   * @param replayedMs how long ago the last message came that a stream had missed
   */
  sample({ reopened, resumed, replayed }: Returned, elapsedMs: number, replayedMs: number): void {
    if (this.#isOver) return
    const [openedBefore, resumedBefore, replayedBefore] = this.#before
    const ms = elapsedMs - this.#startedMs
    this.#points.push([reopened - openedBefore, resumed - resumedBefore, replayed - replayedBefore])
    const backMs = this.#resumedMs
    if (backMs !== null) {
      const lastMs = Math.max(backMs, replayed > replayedBefore ? ms - replayedMs : 0)
      if (ms - lastMs >= floodLimits.caughtUpAfterMs) {
        this.#caughtUpMs = lastMs
        this.#isOver = true
      }
    }
    if (ms >= floodLimits.stormMsMax) this.#isOver = true
  }

  get state(): StormState {
    return {
      cut: this.#indexes.length,
      openedMs: this.#openedMs,
      resumedMs: this.#resumedMs,
      caughtUpMs: this.#caughtUpMs,
      isOver: this.#isOver,
      points: [...this.#points],
    }
  }
}

/** The storm of all processes; null before one has begun. */
export function addStorms(states: readonly (StormState | null)[]): StormState | null {
  const begun = states.filter((state) => state !== null)
  if (begun.length === 0) return null
  const latest = (ms: (state: StormState) => number | null) => {
    const all = begun.map(ms)
    return all.includes(null) ? null : Math.max(...all.map(Number))
  }
  const length = Math.max(...begun.map(({ points }) => points.length))
  const sumAt = (at: number, place: 0 | 1 | 2) =>
    begun.reduce((sum, { points }) => sum + ((points[at] ?? points.at(-1))?.[place] ?? 0), 0)
  return {
    cut: begun.reduce((sum, { cut }) => sum + cut, 0),
    openedMs: latest(({ openedMs }) => openedMs),
    resumedMs: latest(({ resumedMs }) => resumedMs),
    caughtUpMs: latest(({ caughtUpMs }) => caughtUpMs),
    isOver: begun.length === states.length && begun.every(({ isOver }) => isOver),
    points: Array.from(
      { length },
      (_, at): StormPoint => [...([sumAt(at, 0), sumAt(at, 1), sumAt(at, 2)] as const)],
    ),
  }
}
