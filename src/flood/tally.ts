// What one flood process has seen: counters, errors and times, and how it tells them. A telling is
// plain data, fit for the way between processes.

import type { Load } from '../core/loop.ts'
import { floodLimits } from '../core/tool-limits.ts'
import type { GeneratorArrivals } from './arrivals.ts'
import { RecentTimes, type Times } from './recent.ts'

const ZERO = {
  /** Connections that became the stream that was wanted. */
  opened: 0,
  /** Connections that never got their stream. */
  failed: 0,
  /** Streams that ended before the run did. */
  closed: 0,
  /** Streams that were opened or failed for the first time, however often they are tried again. */
  settled: 0,
  /** Streams opened again, after they ended or were churned. */
  reopened: 0,
  /** Streams closed by the client, to be opened again. */
  churned: 0,
  /** Connections begun later than they were due. */
  late: 0,
  /** Streams that stopped reading. */
  slow: 0,
  /** Of these, ended by the server. */
  slowEnded: 0,
  /** Streams that vanished without the server being told. */
  vanished: 0,
  /** Whatever is a message: chunks, lines, events or frames. */
  chunks: 0,
  bytes: 0,
  /** Those with a stamp. */
  messages: 0,
  duplicated: 0,
  reordered: 0,
  untracked: 0,
}

export type Counters = { -readonly [Name in keyof typeof ZERO]: number }

export function newCounters(): Counters {
  return { ...ZERO }
}

export function addCounters(into: Counters, from: Counters): void {
  for (const name of Object.keys(into) as (keyof Counters)[]) into[name] += from[name]
}

/** Streams that are there, as far as the client knows. */
export function openCount({ opened, reopened, closed, churned, slowEnded }: Counters): number {
  return opened + reopened - closed - churned - slowEnded
}

/**
 * Streams that the client believes the server to have open, too. Of those that vanished or read no
 * more it would not hear that the server has ended them.
 */
export function believedCount(counters: Counters): number {
  const { slow, slowEnded, vanished } = counters
  return openCount(counters) - vanished - (slow - slowEnded)
}

export type Wrong = 'duplicated' | 'reordered'

/** One wrong message: on whose stream, and which of whose. */
export interface Example {
  readonly wrong: Wrong
  readonly id: number
  readonly generator: number
  readonly sequence: number
}

/** What a process tells now and then: totals since the run began, times since the last telling. */
export interface Telling {
  readonly counters: Counters
  /** Failures and early ends by kind. */
  readonly errors: Record<string, number>
  /** The first wrong messages of each kind. */
  readonly examples: readonly Example[]
  /** Milliseconds from the first connection begun to the last one opened. */
  readonly openingMs: number
  /** Milliseconds that a connection was late at most. */
  readonly lateMsMax: number
  readonly connect: Times
  readonly latency: Times
  /** Since the last telling; null if it was not looked at. */
  readonly load: Load | null
  /** All of them, once, at the end of a run that is compared. */
  readonly arrivals: readonly GeneratorArrivals[]
}

export function newTelling(): Telling {
  return {
    counters: newCounters(),
    errors: {},
    examples: [],
    openingMs: 0,
    lateMsMax: 0,
    connect: [],
    latency: [],
    load: null,
    arrivals: [],
  }
}

export class Tally {
  readonly counters: Counters = newCounters()
  readonly errors: Record<string, number> = {}
  readonly examples: Example[] = []
  openingMs = 0
  lateMsMax = 0
  readonly connect = new RecentTimes()
  readonly latency = new RecentTimes()

  error(kind: string, count = 1): void {
    this.errors[kind] = (this.errors[kind] ?? 0) + count
  }

  /** Counts a wrong message, and keeps the first ones of each kind to be shown. */
  wrong(example: Example): void {
    this.counters[example.wrong]++
    if (this.counters[example.wrong] <= floodLimits.examplesMax) this.examples.push(example)
  }

  tell(load: Load | null = null, arrivals: readonly GeneratorArrivals[] = []): Telling {
    return {
      counters: { ...this.counters },
      errors: { ...this.errors },
      examples: [...this.examples],
      openingMs: this.openingMs,
      lateMsMax: this.lateMsMax,
      connect: this.connect.take(),
      latency: this.latency.take(),
      load,
      arrivals,
    }
  }

  /** Grows whenever there is something new to tell. */
  get events(): number {
    const { opened, failed, closed, reopened, churned, slow, slowEnded, vanished, chunks } =
      this.counters
    return opened + failed + closed + reopened + churned + slow + slowEnded + vanished + chunks
  }
}
