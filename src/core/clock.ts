// Time as an argument: what needs it is given a clock, so that tests need no waiting.

export interface Clock {
  /** Milliseconds since 1970, with fractions. */
  nowMs(): number
  /** Milliseconds since some fixed moment; never goes back. */
  elapsedMs(): number
}

/**
 * How long a timer waits that is to run in `ms` or a little later, together with others of its process:
 * each waking of a process costs more than what most timers do.
 *
 * @param gridMs the moments at which they run are multiples of it; one that is to run sooner than that
 *   does so
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
