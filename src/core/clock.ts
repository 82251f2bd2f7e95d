// Time as an argument: whoever needs it is given a clock, so that tests need no waiting.

export interface Clock {
  /** Milliseconds since 1970, with fractions. */
  nowMs(): number
  /** Milliseconds since some fixed moment; never goes back. */
  elapsedMs(): number
}

export const systemClock: Clock = {
  nowMs: () => performance.timeOrigin + performance.now(),
  elapsedMs: () => performance.now(),
}
