// When repeated events are due: pure functions of time.

/** An event at `firstMs`, and then every `intervalMs`. */
export interface Schedule {
  readonly firstMs: number
  readonly intervalMs: number
}

/** A millionth of an interval: more than the rounding of a division, and too little to notice. */
const ROUNDING = 1e-6

/** How many events were due by `elapsedMs`. */
export function dueCount(schedule: Schedule, elapsedMs: number): number {
  if (elapsedMs < schedule.firstMs) return 0
  return Math.floor((elapsedMs - schedule.firstMs) / schedule.intervalMs + ROUNDING) + 1
}

/** How many events are due before `endMs`: a run of a second at 10 a second has 10, not 11. */
export function dueBefore(schedule: Schedule, endMs: number): number {
  return Math.max(0, Math.ceil((endMs - schedule.firstMs) / schedule.intervalMs - ROUNDING))
}

/** When the `count`-th event is due, counted from 1. */
export function dueAtMs(schedule: Schedule, count: number): number {
  return schedule.firstMs + (count - 1) * schedule.intervalMs
}

/** One rate divided among schedules that take turns, as evenly as if they were one. */
export function shareRate(perSecond: number, parts: number): Schedule[] {
  return Array.from({ length: parts }, (_, part) => ({
    firstMs: (part * 1000) / perSecond,
    intervalMs: (parts * 1000) / perSecond,
  }))
}

/** Schedules with intervals spread evenly over a range, each starting at its own interval. */
export function spreadIntervals(parts: number, fromMs: number, toMs: number): Schedule[] {
  return Array.from({ length: parts }, (_, part) => {
    const intervalMs = parts === 1 ? fromMs : fromMs + ((toMs - fromMs) * part) / (parts - 1)
    return { firstMs: intervalMs, intervalMs }
  })
}
