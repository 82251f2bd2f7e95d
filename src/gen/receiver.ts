// Receives the messages of `comet gen --find-rate`: a stream for each user, opened by the flood
// client in processes of their own.

import type { Clock } from '../core/clock.ts'
import { OK, type Result, refused } from '../core/result.ts'
import { findLimits, floodLimits } from '../core/tool-limits.ts'
import { formatCount } from '../core/units.ts'
import { type Flood, startFlood } from '../flood/flood.ts'
import { plainBehaviour, type Target } from '../flood/plan.ts'
import { percentileMs } from '../flood/totals.ts'
import type { Arrived, LatencyMs, Pause, Receiver } from './attempt.ts'

const INTERRUPTED = refused('interrupted')

export class FloodReceiver implements Receiver {
  readonly #target: Target
  readonly #users: number
  readonly #clock: Clock
  readonly #pause: Pause
  #flood: Flood | null = null
  #isInterrupted = false

  constructor(target: Target, users: number, clock: Clock, pause: Pause) {
    this.#target = target
    this.#users = users
    this.#clock = clock
    this.#pause = pause
  }

  /** Opens a stream for each user, after closing open ones. */
  async open(): Promise<Result<void>> {
    let opened: Result<void> = INTERRUPTED
    for (let tries = 0; tries < findLimits.openTriesMax && !this.#isInterrupted; tries++) {
      if (tries > 0) await this.#pause(findLimits.openPauseMs)
      await this.close()
      opened = await this.#openOnce()
      if (opened.ok) break
    }
    return opened
  }

  /** Cancels opening; open streams stay open. */
  interrupt(): void {
    this.#isInterrupted = true
  }

  async close(): Promise<void> {
    const flood = this.#flood
    this.#flood = null
    flood?.stop()
    await flood?.totals
  }

  arrived(): Arrived {
    const flood = this.#flood
    if (flood === null) throw new Error('no streams are open')
    const { messages, duplicated, reordered, untracked, closed } = flood.counters()
    return { messages, duplicated, reordered, untracked, closed }
  }

  takeLatency(): LatencyMs {
    const times = this.#flood?.takeLatency()
    return (percentile) => (times === undefined ? null : percentileMs(times, percentile))
  }

  async #openOnce(): Promise<Result<void>> {
    const started = await startFlood(
      {
        behaviour: plainBehaviour(this.#target),
        connections: this.#users,
        firstId: 1,
        ratePerSecond: null,
        pendingMax: floodLimits.pendingDefault,
        sources: null,
        durationMs: null,
        storm: null,
        holdMs: null,
        inOwnProcess: true,
      },
      this.#clock,
    )
    if (!started.ok) return started
    const flood = started.value
    this.#flood = flood
    let [most, newestMs] = [0, this.#clock.elapsedMs()]
    for (;;) {
      const { opened, failed, closed } = flood.counters()
      if (failed + closed > 0) break
      const nowMs = this.#clock.elapsedMs()
      if (opened > most) [most, newestMs] = [opened, nowMs]
      if (nowMs - newestMs > findLimits.openStillMsMax) break
      if (opened === this.#users) return OK
      if (this.#isInterrupted) return INTERRUPTED
      await this.#pause(findLimits.lookEveryMs)
    }
    flood.stop()
    const { errors, counters } = await flood.totals
    const kinds = Object.entries(errors).map(([kind, count]) => `${kind} ${formatCount(count)}`)
    const missing = formatCount(counters.failed + counters.closed)
    return refused(`${missing} of ${formatCount(this.#users)} did not open (${kinds.join(', ')})`)
  }
}
