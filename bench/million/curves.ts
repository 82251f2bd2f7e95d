// The samples of a run as its charts draw them: memory in the unit of its figures, and without what
// is an artefact of looking once a second.

import type { Curve } from '../../src/report/chart.ts'
import { figureValue, type MillionReport } from './report.ts'

type Values = (number | null)[]
export type Columns = (name: string) => Values

/** An opening that is shorter has one or two samples, which look like none. */
const OPENING_SECONDS_MIN = 3
/** The client's count is a second old when it is sampled. */
const CLIENT_LATE_SECONDS = 1.5
/** Seconds between a jump and what is before it. */
const JUMP_SECONDS = 0.01
/** A look that took long has the CPU time of more than its second. */
const CORES_RATIO_MAX = 1.02

/** The columns of all samples, of as many rows each. */
export function drawnColumns(report: MillionReport): Columns {
  const columns = withShortOpening(report, withoutLongLooks(report))
  return (name) => columns[name] ?? []
}

function withoutLongLooks({ samples, machine }: MillionReport): Record<string, Values> {
  const total = samples['machineCores'] ?? []
  const isLong = total.map((cores) => (cores ?? 0) > machine.cores * CORES_RATIO_MAX)
  const entries = Object.entries(samples).map(([name, values]) => {
    const isCores = name.endsWith('Cores')
    return [name, values.map((value, at) => (isCores && isLong[at] === true ? null : value))]
  })
  return Object.fromEntries(entries)
}

/** With a short opening as the server saw it: when it began and ended, and its mean rate. */
function withShortOpening(
  report: MillionReport,
  columns: Record<string, Values>,
): Record<string, Values> {
  const opening = report.phases.find(({ name }) => name === 'open')
  const rate = figureValue(report, 'openedPerSecond')
  if (opening === undefined || rate === null) return columns
  const { fromSeconds: from, toSeconds: to } = opening
  if (to - from >= OPENING_SECONDS_MIN) return columns
  const { connections } = report
  const known = [
    { seconds: from - JUMP_SECONDS, opened: 0, openedPerSecond: 0 },
    { seconds: from, opened: 0, openedPerSecond: rate },
    { seconds: to, opened: connections, openedPerSecond: rate },
    { seconds: to + JUMP_SECONDS, opened: connections, openedPerSecond: 0 },
  ]
  const isClients = (name: string) => name === 'opened' || name === 'openedPerSecond'
  const sampled = (columns['seconds'] ?? []).map((seconds, at) => {
    const isLate = seconds !== null && seconds > from && seconds < to + CLIENT_LATE_SECONDS
    const row = Object.entries(columns).map(([name, values]) => {
      return [name, isLate && isClients(name) ? null : (values[at] ?? null)]
    })
    return Object.fromEntries(row) as Record<string, number | null>
  })
  const rows: Record<string, number | null>[] = [...known, ...sampled]
  rows.sort((one, other) => (one['seconds'] ?? 0) - (other['seconds'] ?? 0))
  const names = Object.keys(columns)
  return Object.fromEntries(names.map((name) => [name, rows.map((row) => row[name] ?? null)]))
}

/** GiB as the figures have, or MiB for a small run. */
export function memoryUnit(column: Columns) {
  const most = Math.max(0, ...column('takenBytes').map((bytes) => bytes ?? 0))
  return most >= 2 ** 30
    ? ({ format: 'gibibytes', text: 'GiB', bytes: 2 ** 30 } as const)
    : ({ format: 'mebibytes', text: 'MiB', bytes: 2 ** 20 } as const)
}

/** Memory over time in that unit, by what takes it. */
export function memoryCurves(column: Columns, { bytes }: ReturnType<typeof memoryUnit>): Curve[] {
  const workers = column('serverWorkersBytes')
  const server = column('serverParentBytes').map((parent, at) => {
    return parent === null ? null : parent + (workers[at] ?? 0)
  })
  const inUnit = (values: Values) => values.map((value) => (value === null ? null : value / bytes))
  return [
    { name: 'taken from the machine', color: 'ink', values: inUnit(column('takenBytes')) },
    { name: 'kernel', color: 'orange', values: inUnit(column('kernelBytes')) },
    { name: 'server processes', color: 'blue', values: inUnit(server) },
    { name: 'client processes', color: 'green', values: inUnit(column('floodBytes')) },
  ]
}
