// When things are due: a pure function of time, so that it can be tested as a table.
// It reads no clock and waits for nothing.

/** Something that happens at `firstMs`, and then every `intervalMs`. */
export interface Schedule {
  readonly firstMs: number
  readonly intervalMs: number
}

/** A millionth of an interval: more than division can round away, less than anybody can see. */
const ROUNDING = 1e-6

/** How many times the schedule has come due by `elapsedMs`. */
export function dueCount(schedule: Schedule, elapsedMs: number): number {
  if (elapsedMs < schedule.firstMs) return 0
  return Math.floor((elapsedMs - schedule.firstMs) / schedule.intervalMs + ROUNDING) + 1
}

/** How many times it comes due before `endMs`: a run of a second at 10 a second has 10, not 11. */
export function dueBefore(schedule: Schedule, endMs: number): number {
  return Math.max(0, Math.ceil((endMs - schedule.firstMs) / schedule.intervalMs - ROUNDING))
}

/** At which moment the schedule comes due for the `count`-th time, counted from 1. */
export function dueAtMs(schedule: Schedule, count: number): number {
  return schedule.firstMs + (count - 1) * schedule.intervalMs
}

/** One rate shared by several schedules that take turns, as evenly as if they were one. */
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
