// What one flood process has seen: counters and histograms, and how those of several add up.
// Plain data on the way between processes.

import {
  build,
  decodeFromCompressedBase64,
  encodeIntoCompressedBase64,
  type Histogram,
} from 'hdr-histogram-js'

/** An hour in microseconds; what takes longer counts as an hour. */
const MICROS_MAX = 3_600_000_000

export function newHistogram(): Histogram {
  return build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: MICROS_MAX,
    numberOfSignificantValueDigits: 3,
  })
}

/** Records microseconds; what lies before the clock's zero, by skew, counts as nothing. */
export function recordMicros(histogram: Histogram, micros: number): void {
  histogram.recordValue(Math.min(MICROS_MAX, Math.max(0, Math.round(micros))))
}

/** Counters alone: small enough to be sent once a second. */
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

/** Everything a process knows when its run is over. */
export interface Tally {
  readonly counters: Counters
  /** Failures and early ends by kind. */
  readonly errors: Record<string, number>
  /** Milliseconds from the first connection begun to the last one opened. */
  openingMs: number
  readonly connect: Histogram
  readonly latency: Histogram
}

export function newTally(): Tally {
  return {
    counters: newCounters(),
    errors: {},
    openingMs: 0,
    connect: newHistogram(),
    latency: newHistogram(),
  }
}

export function addTally(into: Tally, from: Tally): void {
  addCounters(into.counters, from.counters)
  for (const [kind, count] of Object.entries(from.errors)) {
    into.errors[kind] = (into.errors[kind] ?? 0) + count
  }
  into.openingMs = Math.max(into.openingMs, from.openingMs)
  into.connect.add(from.connect)
  into.latency.add(from.latency)
}

/** A tally as it crosses to another process. */
export interface PackedTally {
  readonly counters: Counters
  readonly errors: Record<string, number>
  readonly openingMs: number
  readonly connect: string
  readonly latency: string
}

export function packTally(tally: Tally): PackedTally {
  const { counters, errors, openingMs, connect, latency } = tally
  return {
    counters,
    errors,
    openingMs,
    connect: encodeIntoCompressedBase64(connect),
    latency: encodeIntoCompressedBase64(latency),
  }
}

export function unpackTally(packed: PackedTally): Tally {
  return {
    counters: packed.counters,
    errors: packed.errors,
    openingMs: packed.openingMs,
    connect: decodeFromCompressedBase64(packed.connect),
    latency: decodeFromCompressedBase64(packed.latency),
  }
}
