// Ends all streams of a process at an even pace, so that their clients do not all come to the next
// server at the same moment.

import type { Clock } from '../core/clock.ts'
import { streamLimits } from '../core/limits.ts'
import { dueCount } from '../core/pacer.ts'
import type { StreamStore } from './store.ts'

export interface DrainPace {
  /** Milliseconds over which the streams are ended, at most. */
  readonly ms: number
  /** Streams a second at least, so that few are not waited for long. */
  readonly perSecondMin: number
}

/** The pace of one of several processes that end their streams together. */
export function shareOf(pace: DrainPace, processes: number): DrainPace {
  return { ...pace, perSecondMin: pace.perSecondMin / processes }
}

/** Settles when no stream is open any more. */
export async function endEvenly(
  streams: StreamStore,
  pace: DrainPace,
  clock: Clock,
): Promise<void> {
  const schedule = { firstMs: 0, intervalMs: intervalMs(streams.open, pace) }
  const startedMs = clock.elapsedMs()
  for (let ended = 0; streams.open > 0; ) {
    const due = dueCount(schedule, clock.elapsedMs() - startedMs) - ended
    ended += streams.drain(Math.min(due, streamLimits.drainBatch))
    // What is due is ended, a batch a turn; otherwise there is time.
    if (due > streamLimits.drainBatch) await new Promise(setImmediate)
    else await Bun.sleep(streamLimits.drainCheckMs)
  }
}

/** Milliseconds between two ends. */
export function intervalMs(open: number, { ms, perSecondMin }: DrainPace): number {
  return Math.max(INTERVAL_MS_MIN, Math.min(ms / Math.max(1, open), 1_000 / perSecondMin))
}

/** All at once, and still a number to divide by. */
const INTERVAL_MS_MIN = 1e-6
