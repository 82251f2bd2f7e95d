// A result as text for people: the figures with their targets, the attempts of the searches, the
// sizes beside each other, and what it was measured on.

import { formatBytes } from '../../src/core/units.ts'
import type { MillionReport, ReportAttempt, ReportFigure } from './report.ts'

/** A value with as many digits as are worth reading, and its unit. */
export function formatFigure({ value, digits, unit }: Omit<ReportFigure, 'title'>): string {
  return value === null ? '–' : `${formatNumber(value, digits)}${unit === '' ? '' : ` ${unit}`}`
}

export function formatNumber(value: number, digits: number): string {
  const fraction = { minimumFractionDigits: digits, maximumFractionDigits: digits }
  return value.toLocaleString('en-US', fraction)
}

export function formatTarget({ target }: ReportFigure): string {
  if (target === null) return ''
  return 'atMost' in target
    ? `at most ${target.atMost.toLocaleString('en-US')}`
    : `at least ${target.atLeast.toLocaleString('en-US')}`
}

export function formatVerdict({ met }: ReportFigure): string {
  return met === null ? '' : met ? 'met' : 'NOT MET'
}

export function reportTable(report: MillionReport, others: readonly MillionReport[]): string {
  const figures = report.figures.map((of) => [
    of.isDetail ? `  ${of.title}` : of.title,
    formatFigure(of),
    formatTarget(of),
    formatVerdict(of),
  ])
  const attempts = report.attempts.map((of) => attemptCells(of))
  const blocks = [
    aligned([['figure', 'value', 'target', ''], ...figures], new Set([1])),
    ...(attempts.length === 0 ? [] : [aligned([ATTEMPT_HEAD, ...attempts], new Set([1, 2, 3]))]),
    ...(others.length === 0 ? [] : [aligned(sizeRows([report, ...others]), new Set([1, 2, 3, 4]))]),
    ...(report.failure === null ? [] : [`It broke off: ${report.failure}`]),
    conditions(report).join('\n'),
  ]
  return blocks.join('\n\n')
}

export const ATTEMPT_HEAD = ['messages', 'a second', 'deliveries a second', 'p99', 'held?']

export function attemptCells(of: ReportAttempt): string[] {
  return [
    of.address === 'to' ? 'to one user' : 'to friends',
    formatNumber(of.messagesWantedPerSecond, 0),
    formatNumber(of.deliveriesPerSecond, 0),
    of.p99Ms === null ? '–' : `${formatNumber(of.p99Ms, 1)} ms`,
    of.held ? 'held' : `no: ${of.why}`,
  ]
}

/** What must not grow with the number of streams. */
const BY_SIZE = [
  'serverPerStream',
  'serverAbovePerStream',
  'takenPerStream',
  'kernelPerStream',
  'floodPerStream',
  'openedPerSecond',
  'steadyServerMicros',
  'steadyMachineMicros',
  'steadyP50Ms',
  'steadyP99Ms',
  'steadyP999Ms',
  'subjectServerMicros',
  'subjectMachineMicros',
  'subjectDeliveriesPerSecond',
] as const

/** A row a figure, a column a size, the smallest first; the first row names the sizes. */
export function sizeRows(reports: readonly MillionReport[]): string[][] {
  const sorted = reports.toSorted((a, b) => a.connections - b.connections)
  const head = sorted.map(({ connections }) => `${connections.toLocaleString('en-US')} streams`)
  const rows = BY_SIZE.map((name) => {
    const found = sorted.map((of) => of.figures.find(({ figure }) => figure === name))
    return [sizeTitle(name, found), ...found.map((of) => (of ? formatFigure(of) : '–'))]
  })
  return [['by size', ...head], ...rows]
}

/** Titles of details lean on the figure above them, which is not there in this table. */
const SIZE_TITLES: Readonly<Record<string, string>> = {
  serverAbovePerStream: 'server processes, a stream, growth since it had none',
  takenPerStream: 'memory of the machine, a stream, both ends',
  kernelPerStream: 'memory of the kernel, a stream, both ends',
  steadyServerMicros: 'processor time of the server, a delivery to one user',
  steadyMachineMicros: 'processor time of the machine, a delivery to one user',
  steadyP50Ms: 'publish to receive at 16,666 messages a second, p50',
  steadyP99Ms: 'the same, p99',
  steadyP999Ms: 'the same, p99.9',
  subjectServerMicros: 'processor time of the server, a delivery to a friend, at the highest rate',
  subjectMachineMicros: 'processor time of the machine, a delivery to a friend, at that rate',
}

function sizeTitle(name: string, found: readonly (ReportFigure | undefined)[]): string {
  return SIZE_TITLES[name] ?? found.find((of) => of !== undefined)?.title ?? name
}

/** What it was measured on, when, and how to repeat it. */
export function conditions(report: MillionReport): string[] {
  const { processor, cores, memoryBytes, kernel, openFilesLimit } = report.machine
  const files = openFilesLimit.toLocaleString('en-US')
  return [
    `${processor}, ${cores} cores, ${formatBytes(memoryBytes)}, ${kernel}, ${files} open files`,
    `${report.versions.comet}, bun ${report.versions.bun}`,
    `${report.date}, repeat with: ${report.command}`,
  ]
}

function aligned(rows: readonly (readonly string[])[], numbers: ReadonlySet<number>): string {
  const widths = (rows[0] ?? []).map((_, at) =>
    Math.max(...rows.map((row) => (row[at] ?? '').length)),
  )
  const pad = (text: string, at: number) =>
    numbers.has(at) ? text.padStart(widths[at] ?? 0) : text.padEnd(widths[at] ?? 0)
  return rows.map((row) => row.map(pad).join('  ').trimEnd()).join('\n')
}
