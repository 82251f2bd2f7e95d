// What one flood process counts and times, and the reports of it to the parent: plain data, sent
// once a second. Loads no histogram library, which each of a hundred processes would pay for.

import type { Load } from '../core/loop.ts'
import { floodLimits } from '../core/tool-limits.ts'
import type { GeneratorArrivals } from './sequences.ts'
import type { Storm, StormState } from './storm.ts'

const ZERO = {
  /** Connections that became the requested stream. */
  opened: 0,
  /** Connections that did not. */
  failed: 0,
  /** Streams that ended before the run did. */
  closed: 0,
  /** Streams that opened or failed for the first time, however often they are tried again. */
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
  /** Streams dropped without FIN or RST. */
  vanished: 0,
  /** Chunks, lines, events or frames. */
  chunks: 0,
  bytes: 0,
  /** Those with a stamp. */
  messages: 0,
  duplicated: 0,
  reordered: 0,
  untracked: 0,
  /** Messages whose cursor was not above the last one of their stream, or of another epoch. */
  misnumbered: 0,
  /** Connections that went on behind a cursor, or were told a gap. */
  resumed: 0,
  /** Gaps that were told, by reason. */
  gapsLost: 0,
  gapsTooMany: 0,
  gapsUnknown: 0,
  /** Gaps that were told though nothing was missing. */
  unfounded: 0,
  /** Messages that named one before them which never came, though no gap was told. */
  missed: 0,
  /** Those of duplicated that came over a connection that had gone on behind a cursor. */
  doubled: 0,
  /** Messages from before their connection was opened. */
  replayed: 0,
  /** Messages that named the one before them. */
  chained: 0,
  /** Streams that had been open and were not when the run ended. */
  away: 0,
}

export type Counters = { -readonly [Name in keyof typeof ZERO]: number }

export function newCounters(): Counters {
  return { ...ZERO }
}

export function addCounters(into: Counters, from: Counters): void {
  for (const name of Object.keys(into) as (keyof Counters)[]) into[name] += from[name]
}

/** Streams that are open, as far as the client knows. */
export function openCount({ opened, reopened, closed, churned, slowEnded }: Counters): number {
  return opened + reopened - closed - churned - slowEnded
}

/**
 * Streams that the client believes the server to have open as well. The client does not notice when
 * the server ends a stream that vanished or stopped reading, so these do not count.
 */
export function believedCount(counters: Counters): number {
  const { slow, slowEnded, vanished } = counters
  return openCount(counters) - vanished - (slow - slowEnded)
}

export const WRONGS = ['duplicated', 'reordered', 'misnumbered', 'missed', 'unfounded'] as const
export type Wrong = (typeof WRONGS)[number]

/**
 * One wrong message, and the id of the stream that received it; of a gap without reason generator
 * and sequence are 0.
 */
export interface Example {
  readonly wrong: Wrong
  readonly id: number
  readonly generator: number
  readonly sequence: number
}

/** What a process reports: totals since the run began, times since its last report. */
export interface ProcessReport {
  readonly counters: Counters
  /** Failures and early ends by kind. */
  readonly errors: Record<string, number>
  /** The first wrong messages of each kind. */
  readonly examples: readonly Example[]
  /** Milliseconds from the first connection begun to the last one opened. */
  readonly openingMs: number
  /** The largest delay of a connection, in milliseconds. */
  readonly lateMsMax: number
  readonly connect: Times
  readonly latency: Times
  /** Null before it has begun. */
  readonly storm: StormState | null
  /** Since the last report; null if it was not measured. */
  readonly load: Load | null
  /** All of them, once, at the end of a run that is compared. */
  readonly arrivals: readonly GeneratorArrivals[]
}

export class ProcessStats {
  readonly counters: Counters = newCounters()
  readonly errors: Record<string, number> = {}
  readonly examples: Example[] = []
  openingMs = 0
  lateMsMax = 0
  /** When the last message came that was older than its connection, in milliseconds since 1970. */
  replayedAtMs = 0
  storm: Storm | null = null
  readonly connect = new RecentTimes()
  readonly latency = new RecentTimes()

  countError(kind: string, count = 1): void {
    this.errors[kind] = (this.errors[kind] ?? 0) + count
  }

  /** Counts a wrong message, and keeps the first ones of each kind as examples. */
  countWrong(example: Example): void {
    this.counters[example.wrong]++
    if (this.counters[example.wrong] <= floodLimits.examplesMax) this.examples.push(example)
  }

  report(load: Load | null = null, arrivals: readonly GeneratorArrivals[] = []): ProcessReport {
    return {
      counters: { ...this.counters },
      errors: { ...this.errors },
      examples: [...this.examples],
      openingMs: this.openingMs,
      lateMsMax: this.lateMsMax,
      connect: this.connect.take(),
      latency: this.latency.take(),
      storm: this.storm?.state ?? null,
      load,
      arrivals,
    }
  }

  /** Grows whenever there is something new to report. */
  get events(): number {
    const { opened, failed, closed, reopened, churned, slow, slowEnded, vanished } = this.counters
    const streams = opened + failed + closed + reopened + churned + slow + slowEnded + vanished
    const points = this.storm?.samples ?? 0
    return streams + this.counters.chunks + this.counters.resumed + points
  }
}

/** An hour in microseconds; longer times count as an hour. */
export const MICROS_MAX = 3_600_000_000

/** Below twice this each microsecond is a bucket; above, each power of two has this many. */
const BUCKETS_EACH = 1_024

/** Times as they are sent: a bucket and how often it was hit, the next bucket, and so on. */
export type Times = readonly number[]

/**
 * The times since they were last taken. A map of the buckets that were hit, since a histogram of
 * an hour has 23,000 of them, and a second of one process in fifty hits a few hundred.
 */
export class RecentTimes {
  readonly #hits = new Map<number, number>()

  /** Negative times, from clock skew, count as 0. Hot path: once a message. */
  record(micros: number): void {
    const bucket = bucketOf(Math.min(MICROS_MAX, Math.max(0, Math.round(micros))))
    this.#hits.set(bucket, (this.#hits.get(bucket) ?? 0) + 1)
  }

  /** All times recorded since the last call. */
  take(): Times {
    if (this.#hits.size === 0) return []
    const times = [...this.#hits].flat()
    this.#hits.clear()
    return times
  }
}

function bucketOf(micros: number): number {
  if (micros < 2 * BUCKETS_EACH) return micros
  // Shifted until eleven bits are left, of which the first is always set.
  const shift = 21 - Math.clz32(micros)
  return shift * BUCKETS_EACH + (micros >>> shift)
}

/** The longest time of a bucket. */
export function highestOf(bucket: number): number {
  if (bucket < 2 * BUCKETS_EACH) return bucket
  const shift = Math.floor(bucket / BUCKETS_EACH) - 1
  return (bucket - shift * BUCKETS_EACH + 1) * 2 ** shift - 1
}
