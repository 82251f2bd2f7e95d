// What a soak found, as a table for people and as JSON for programs.

import { formatBytes, formatCount, formatMs } from '../../src/core/units.ts'
import type { Machine, Versions } from '../harness/machine.ts'
import { type Level, levelOf } from './level.ts'
import type { Options } from './options.ts'
import type { Soak } from './run.ts'

/** Level: the last quarter's median is at most so much of the quarter's before it. */
const LEVEL_AT_MOST = 1.02

interface Conditions {
  readonly date: Date
  readonly command: string
  readonly machine: Machine
  readonly versions: Versions
  readonly options: Options
}

export interface SoakReport extends Omit<Conditions, 'date' | 'options'> {
  readonly schema: 1
  /** When it began, ISO 8601. */
  readonly date: string
  readonly connections: number
  readonly ratePerSecond: number
  readonly seconds: number
  readonly server: Level | null
  readonly flood: Level | null
  readonly outcome: Omit<Soak, 'samples'>
  /** One list a figure. */
  readonly samples: Readonly<Record<string, readonly (number | null)[]>>
}

export function soakReport(conditions: Conditions, { samples, ...outcome }: Soak): SoakReport {
  const { date, command, machine, versions, options } = conditions
  const level = (of: 'serverBytes' | 'floodBytes') =>
    levelOf(samples.map((sample) => ({ seconds: sample.seconds, bytes: sample[of] })))
  const names = Object.keys(samples[0] ?? {}) as (keyof (typeof samples)[number])[]
  return {
    schema: 1,
    date: date.toISOString(),
    command,
    machine,
    versions,
    connections: options.connections,
    ratePerSecond: options.ratePerSecond,
    seconds: options.durationMs / 1000,
    server: level('serverBytes'),
    flood: level('floodBytes'),
    outcome,
    samples: Object.fromEntries(names.map((name) => [name, samples.map((of) => of[name])])),
  }
}

/** Memory is level, and every delivery that was promised came once and in order. */
export function isHeld({ server, outcome }: SoakReport): boolean {
  const { promised, received, duplicated, reordered, closed, unsent, undelivered, silent } = outcome
  const flaws =
    duplicated +
    reordered +
    closed +
    unsent +
    undelivered +
    outcome.serverExitCode +
    silent.closed +
    silent.received
  return (server?.lastToThird ?? 2) <= LEVEL_AT_MOST && received === promised && flaws === 0
}

export function soakTable(report: SoakReport): string {
  const { outcome, connections, seconds } = report
  const rows: [string, string][] = [
    ['streams, seconds', `${formatCount(connections)}, ${formatCount(seconds)}`],
    [
      'messages',
      `${formatCount(outcome.sent)}, ${formatCount(outcome.perSecond)} a second; ` +
        `${formatCount(outcome.unsent)} not sent`,
    ],
    ['deliveries promised', formatCount(outcome.promised)],
    ['received', formatCount(outcome.received)],
    ['twice, out of order', `${outcome.duplicated}, ${outcome.reordered}`],
    ['streams lost', String(outcome.closed)],
    [
      'silent streams, lost of them',
      `${formatCount(outcome.silent.streams)}, ${outcome.silent.closed}`,
    ],
    [
      'latency p50, p99, p99.9, max',
      [outcome.latency.p50Ms, outcome.latency.p99Ms, outcome.latency.p999Ms, outcome.latency.maxMs]
        .map(formatMs)
        .join(', '),
    ],
    ['memory of the server by quarters', levelText(report.server)],
    ['memory of the flood by quarters', levelText(report.flood)],
    ['held', isHeld(report) ? 'yes' : 'NO'],
  ]
  const width = Math.max(...rows.map(([title]) => title.length))
  return rows.map(([title, text]) => `${title.padEnd(width)}  ${text}`).join('\n')
}

function levelText(level: Level | null): string {
  if (level === null) return 'too short to tell'
  const { quarterBytes, lastToThird, bytesPerHour } = level
  const growth = `${formatBytes(bytesPerHour)} an hour in the second half`
  return `${quarterBytes.map(formatBytes).join(', ')}; last to third ${lastToThird.toFixed(3)}; ${growth}`
}
