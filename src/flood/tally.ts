// What one flood process has seen: counters, errors and times, and how it tells them. A telling is
// plain data, fit for the way between processes.

import { RecentTimes, type Times } from './recent.ts'

export interface Counters {
  opened: number
  /** Connections that never got their stream. */
  failed: number
  /** Streams that ended before the run did. */
  closed: number
  chunks: number
  bytes: number
  messages: number
  duplicated: number
  reordered: number
  untracked: number
}

export function newCounters(): Counters {
  return {
    opened: 0,
    failed: 0,
    closed: 0,
    chunks: 0,
    bytes: 0,
    messages: 0,
    duplicated: 0,
    reordered: 0,
    untracked: 0,
  }
}

export function addCounters(into: Counters, from: Counters): void {
  for (const name of Object.keys(into) as (keyof Counters)[]) into[name] += from[name]
}

/** What a process tells now and then: totals since the run began, times since the last telling. */
export interface Telling {
  readonly counters: Counters
  /** Failures and early ends by kind. */
  readonly errors: Record<string, number>
  /** Milliseconds from the first connection begun to the last one opened. */
  readonly openingMs: number
  readonly connect: Times
  readonly latency: Times
}

export function newTelling(): Telling {
  return { counters: newCounters(), errors: {}, openingMs: 0, connect: [], latency: [] }
}

export class Tally {
  readonly counters: Counters = newCounters()
  readonly errors: Record<string, number> = {}
  openingMs = 0
  readonly connect = new RecentTimes()
  readonly latency = new RecentTimes()

  tell(): Telling {
    return {
      counters: { ...this.counters },
      errors: { ...this.errors },
      openingMs: this.openingMs,
      connect: this.connect.take(),
      latency: this.latency.take(),
    }
  }

  /** Grows whenever there is something new to tell. */
  get events(): number {
    const { opened, failed, closed, chunks } = this.counters
    return opened + failed + closed + chunks
  }
}
