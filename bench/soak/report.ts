// What a soak found: whether memory has levelled off, a table for people and JSON for programs.

import { formatBytes, formatCount, formatMs } from '../../src/core/units.ts'
import { columnsOf } from '../../src/report/samples.ts'
import type { Conditions } from '../harness/machine.ts'
import { median } from '../harness/report.ts'
import { alignedTable } from '../harness/table.ts'
import type { Load, Soak } from './run.ts'

/**
 * Level: the median of the last quarter is at most so much of the highest before. Not of the one
 * before alone: the garbage of a small heap moves a quarter by some MiB either way.
 */
const LEVEL_AT_MOST = 1.02
/**
 * Descriptors that the server may have more at the end than at the start: connections of this
 * bench to the control port, which stay open for the next request.
 */
const DESCRIPTORS_LEFT_MAX = 32

/**
 * The run in four quarters: a heap that is collected goes up and down, so medians are what counts.
 */
export interface Level {
  readonly quarterBytes: readonly [number, number, number, number]
  /** The last quarter to the highest of those before; 1 is level. */
  readonly lastToHighest: number
  /**
   * The slope of the second half, by the median of all slopes between two samples (Theil and Sen,
   * 1968), which a single collection does not move.
   */
  readonly bytesPerHour: number
}

export interface MemorySample {
  readonly seconds: number
  readonly bytes: number
}

/** @param samples evenly spaced, eight at least; null for fewer */
export function levelOf(samples: readonly MemorySample[]): Level | null {
  if (samples.length < 8) return null
  const quarter = (at: number) => {
    const bounds = [at, at + 1].map((part) => Math.floor((samples.length * part) / 4))
    return median(samples.slice(...bounds).map(({ bytes }) => bytes))
  }
  const [first, second, third, last] = [quarter(0), quarter(1), quarter(2), quarter(3)]
  return {
    quarterBytes: [first, second, third, last],
    lastToHighest: last / Math.max(first, second, third),
    bytesPerHour: slope(samples.slice(samples.length >> 1)) * 3600,
  }
}

function slope(samples: readonly MemorySample[]): number {
  const slopes = samples.flatMap((a, at) =>
    samples.slice(at + 1).map((b) => (b.bytes - a.bytes) / (b.seconds - a.seconds)),
  )
  return median(slopes)
}

export function soakReport(conditions: Conditions, load: Load, { samples, ...outcome }: Soak) {
  const { date, ...rest } = conditions
  const level = (of: 'serverBytes' | 'floodBytes') =>
    levelOf(samples.map((sample) => ({ seconds: sample.seconds, bytes: sample[of] })))
  return {
    schema: 1,
    date: date.toISOString(),
    ...rest,
    connections: load.connections,
    ratePerSecond: load.ratePerSecond,
    seconds: load.durationMs / 1000,
    server: level('serverBytes'),
    flood: level('floodBytes'),
    openFiles: openFilesLevel(samples),
    outcome,
    /** One list a figure. */
    samples: columnsOf(samples),
  }
}

/** Open files of the server by quarters, and the last quarter to the highest before. */
function openFilesLevel(samples: Soak['samples']) {
  const level = levelOf(
    samples.map(({ seconds, serverOpenFiles }) => ({ seconds, bytes: serverOpenFiles })),
  )
  return level === null
    ? null
    : { quarters: level.quarterBytes, lastToHighest: level.lastToHighest }
}

export type SoakReport = ReturnType<typeof soakReport>

/** What decides whether a soak is held. */
export type Found = Pick<SoakReport, 'server' | 'openFiles' | 'outcome'>

/**
 * Memory and descriptors are level, every delivery that was promised came once and in order, and no
 * client with a fault was left behind or took another stream with it.
 */
export function isHeld({ server, openFiles, outcome }: Found): boolean {
  const { promised, received, duplicated, reordered, closed, unsent } = outcome
  const { silent, churning, faults, descriptors, serverExitCode } = outcome
  const zeros = [
    ...[duplicated, reordered, closed, unsent, serverExitCode],
    ...[silent.closed, silent.received, churning.lost, churning.wrong],
    ...[faults.slow.left, faults.vanished.left],
  ]
  return (
    received === promised &&
    zeros.every((count) => count === 0) &&
    (server?.lastToHighest ?? 2) <= LEVEL_AT_MOST &&
    (openFiles?.lastToHighest ?? 2) <= LEVEL_AT_MOST &&
    descriptors.after - descriptors.before <= DESCRIPTORS_LEFT_MAX
  )
}

export function soakTable(report: SoakReport): string {
  const { outcome, connections, seconds } = report
  const { sent, perSecond, unsent, silent, latency, churning, faults, descriptors } = outcome
  const times = [latency.p50Ms, latency.p99Ms, latency.p999Ms, latency.maxMs]
  const messages = `${formatCount(sent)}, ${formatCount(perSecond)} a second`
  return alignedTable([
    ['streams, seconds', `${formatCount(connections)}, ${formatCount(seconds)}`],
    ['messages', `${messages}; ${formatCount(unsent)} not sent`],
    ['deliveries promised', formatCount(outcome.promised)],
    ['received', formatCount(outcome.received)],
    ['twice, out of order', `${outcome.duplicated}, ${outcome.reordered}`],
    ['streams lost', String(outcome.closed)],
    ['silent streams, lost of them', `${formatCount(silent.streams)}, ${silent.closed}`],
    [
      'closed and opened again, lost of them',
      `${formatCount(churning.churned)} times of ${formatCount(churning.streams)}, ${churning.lost}`,
    ],
    ['clients that did not read, not cut', faultyText(faults.slow)],
    ['clients that vanished, not noticed', faultyText(faults.vanished)],
    ['latency p50, p99, p99.9, max', times.map(formatMs).join(', ')],
    ['memory of the server by quarters', levelText(report.server)],
    ['memory of the flood by quarters', levelText(report.flood)],
    ['open files of the server by quarters', openFilesText(report)],
    ['open files before and after', `${descriptors.before}, ${descriptors.after}`],
    ['held', isHeld(report) ? 'yes' : 'NO'],
  ])
}

function faultyText({ streams, left }: { streams: number; left: number }): string {
  return `${formatCount(streams)}, ${left}`
}

function openFilesText({ openFiles }: SoakReport): string {
  if (openFiles === null) return 'too short to say'
  const { quarters, lastToHighest } = openFiles
  return `${quarters.map(formatCount).join(', ')}; last to the highest before ${lastToHighest.toFixed(3)}`
}

function levelText(level: Level | null): string {
  if (level === null) return 'too short to say'
  const { quarterBytes, lastToHighest, bytesPerHour } = level
  const quarters = quarterBytes.map(formatBytes).join(', ')
  const growth = `${formatBytes(bytesPerHour)} an hour in the second half`
  return `${quarters}; last to the highest before ${lastToHighest.toFixed(3)}; ${growth}`
}
