// When which connection is to be begun, closed, or tried again: pure functions of time and number,
// so that being late can be told from being early.

import { floodLimits } from '../core/tool-limits.ts'

/** When connections are begun: so many a second, or as the server keeps up. */
export type Pace = number | null

/** Milliseconds since the start at which the connection of this index is due, the first one at 0. */
export function dueMs(ratePerSecond: number, index: number): number {
  return (index * 1000) / ratePerSecond
}

/** Connections that are due after so many milliseconds, of a total. */
export function dueCount(ratePerSecond: Pace, elapsedMs: number, total: number): number {
  if (ratePerSecond === null) return total
  return Math.min(total, Math.floor((elapsedMs * ratePerSecond) / 1000) + 1)
}

/**
 * Streams that are to have been closed and opened again, so many milliseconds after all were open.
 *
 * @param share of all streams, a second
 */
export function churnedCount(share: number, streams: number, elapsedMs: number): number {
  return Math.floor((share * streams * elapsedMs) / 1000)
}

/**
 * Is the stream of this index among a share of all? They lie evenly between the others, whatever
 * the number of streams.
 */
export function isAmong(share: number, index: number): boolean {
  return countAmong(share, index + 1) > countAmong(share, index)
}

/** How many of the first so many streams are among a share of all. */
export function countAmong(share: number, streams: number): number {
  // Up to a billionth, so that 29 % of 100 are 29, and not the 28 of 28.999999999999996.
  return Math.floor(share * streams + 1e-9)
}

/**
 * Milliseconds to wait before a stream that ended is tried again: half to one and a half times what
 * was asked for, so that those who were cut off together do not return together, and twice as long
 * after each failure.
 *
 * @param failures since it last was open
 * @param random from 0 to below 1
 */
export function reconnectDelayMs(baseMs: number, failures: number, random: number): number {
  const meanMs = Math.min(floodLimits.reconnectMsMax, baseMs * 2 ** Math.min(failures, 32))
  return meanMs * (0.5 + random)
}
