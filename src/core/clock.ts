// Time as an argument: code that needs it takes a clock, so that tests do not wait.

export interface Clock {
  /** Milliseconds since 1970, with fractions. */
  nowMs(): number
  /** Milliseconds since some fixed moment; never goes back. */
  elapsedMs(): number
}

/**
 * The delay of a timer that may run a little later than in `ms`, so that it runs together with
 * others of its process: each wakeup of a process costs more than what most timers do.
 *
 * @param gridMs they run at multiples of it, unless they are due sooner
 */
export function togetherMs(clock: Clock, ms: number, gridMs: number): number {
  if (ms < gridMs) return ms
  const nowMs = clock.elapsedMs()
  return Math.ceil((nowMs + ms) / gridMs) * gridMs - nowMs
}

export const systemClock: Clock = {
  nowMs: () => performance.timeOrigin + performance.now(),
  elapsedMs: () => performance.now(),
}
