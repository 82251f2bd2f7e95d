// A result as text for people: the figures with their targets, the attempts of the searches, the
// sizes side by side, and the system of 2008 beside this one.

import { formatBytes, formatCount, formatMs } from '../../src/core/units.ts'
import {
  alignedTable,
  formatMachine,
  formatMet,
  formatNumber,
  formatTarget,
} from '../harness/table.ts'
import { figureValue, type MillionReport, type ReportAttempt, type ReportFigure } from './report.ts'

const GIB_BYTES = 1024 ** 3
const NOT_MEASURED = 'never measured'

/** A value with as many digits as are worth reading, and its unit. */
export function formatFigure({ value, digits, unit }: Omit<ReportFigure, 'title'>): string {
  return value === null ? '–' : `${formatNumber(value, digits)}${unit === '' ? '' : ` ${unit}`}`
}

export function reportTable(report: MillionReport, others: readonly MillionReport[]): string {
  const figures = report.figures.map((of) => [
    of.isDetail ? `  ${of.title}` : of.title,
    ...[formatFigure(of), formatTarget(of.target), formatMet(of.met)],
  ])
  const attempts = report.attempts.map(attemptCells)
  const blocks = [
    alignedTable([['figure', 'value', 'target', ''], ...figures], new Set([1])),
    attempts.length === 0 ? '' : alignedTable([ATTEMPT_HEAD, ...attempts], new Set([1, 2, 3])),
    others.length === 0 ? '' : alignedTable(sizeRows([report, ...others]), new Set([1, 2, 3, 4])),
    report.failure === null ? '' : `It broke off: ${report.failure}`,
    conditions(report).join('\n'),
  ]
  return blocks.filter((block) => block !== '').join('\n\n')
}

export const ATTEMPT_HEAD = ['messages', 'a second', 'deliveries a second', 'p99', 'held?']

export function attemptCells(of: ReportAttempt): string[] {
  return [
    of.address === 'to' ? 'to one user' : 'to friends',
    formatCount(of.messagesWantedPerSecond),
    formatCount(of.deliveriesPerSecond),
    of.p99Ms === null ? '–' : `${formatNumber(of.p99Ms, 1)} ms`,
    of.held ? 'held' : `no: ${of.why}`,
  ]
}

/**
 * What must not grow with the number of streams. Details have titles of their own here, since those
 * of the figures lean on the line above them.
 */
const BY_SIZE: readonly (readonly [figure: string, title?: string])[] = [
  ['serverPerStream'],
  ['serverAbovePerStream', 'server processes, a stream, growth since it had none'],
  ['takenPerStream', 'memory of the machine, a stream, both ends'],
  ['kernelPerStream', 'memory of the kernel, a stream, both ends'],
  ['floodPerStream'],
  ['openedPerSecond'],
  ['steadyServerMicros', 'CPU time of the server, a delivery to one user'],
  ['steadyMachineMicros', 'CPU time of the machine, a delivery to one user'],
  ['steadyP50Ms', 'publish to receive at 16,666 messages a second, p50'],
  ['steadyP99Ms', 'the same, p99'],
  ['steadyP999Ms', 'the same, p99.9'],
  ['subjectServerMicros', 'CPU time of the server, a delivery to a friend, at the highest rate'],
  ['subjectMachineMicros', 'CPU time of the machine, a delivery to a friend, at that rate'],
  ['subjectDeliveriesPerSecond'],
]

/** A row a figure, a column a size, the smallest first; the first row names the sizes. */
export function sizeRows(reports: readonly MillionReport[]): string[][] {
  const sorted = reports.toSorted((a, b) => a.connections - b.connections)
  const head = sorted.map(({ connections }) => `${formatCount(connections)} streams`)
  const rows = BY_SIZE.map(([name, title]) => {
    const found = sorted.map((of) => of.figures.find(({ figure }) => figure === name))
    const shown = title ?? found.find((of) => of !== undefined)?.title ?? name
    return [shown, ...found.map((of) => (of ? formatFigure(of) : '–'))]
  })
  return [['by size', ...head], ...rows]
}

/** What it was measured on, when, and how to repeat it. */
export function conditions(report: MillionReport): string[] {
  const { machine, versions, date, command } = report
  return [
    `${formatMachine(machine)}, ${formatCount(machine.openFilesLimit)} open files`,
    `${versions.comet}, bun ${versions.bun}`,
    `${date}, repeat with: ${command}`,
  ]
}

/** Rows of what, mochiweb and libevent in 2008, and comet in this run. */
export function referenceRows(report: MillionReport): string[][] {
  const of = (name: string) => figureValue(report, name)
  /** The text of figures; a dash unless the run reached all of them. */
  const shown = (names: readonly string[], text: (...values: number[]) => string): string => {
    const values = names.map(of)
    return values.every((value) => value !== null) ? text(...values) : '–'
  }
  const count = (name: string, unit = '') => shown([name], (value) => formatCount(value) + unit)
  const { cores, memoryBytes } = report.machine
  const here = `one for everything: ${cores} cores, ${formatBytes(memoryBytes)}`
  // The server's processes and its half of what the kernel took: the other half is the client's.
  const server = shown(['serverPerStream', 'kernelPerStream'], (own, kernel) => {
    return `${formatCount(own + kernel / 2)} bytes: processes and half of the kernel's`
  })
  const all = shown(['takenGib'], (gib) => `${formatBytes(gib * GIB_BYTES)}, both ends`)
  const opening = shown(['openingSeconds', 'openedPerSecond'], (seconds, rate) => {
    return `${seconds.toFixed(0)} s, ${formatCount(rate)}/s`
  })
  const latency = shown(['steadyP50Ms', 'steadyP99Ms', 'steadyP999Ms'], (p50, p99, p999) => {
    return `p50 ${formatMs(p50)}, p99 ${formatMs(p99)}, p99.9 ${formatMs(p999)}`
  })
  const names = ['missing', 'duplicated', 'reordered', 'promised']
  const faults = shown(names, (missing, twice, order, promised) => {
    return `${missing}, ${twice} and ${order} of ${formatCount(promised)} deliveries`
  })
  const loading = shown(['loadSeconds', 'subscriptions'], (seconds, held) => {
    return `${seconds.toFixed(1)} s for ${formatCount(held)}`
  })
  const machines = 'four: 4 cores 16 GB, 8 cores 32 GB, 4 cores 16 GB, 2 cores 2 GB'
  const friends = count('subjectDeliveriesPerSecond')
  const steady = `${count('steadyPerSecond')} in and out`
  const packets = '16,666 in, at most 26,000 packets out'
  const [gb38, gb9] = ['38 GB of the server alone', '9.6 GB of the server alone']
  return [
    ['streams open at once', '1,000,000', '1,000,000', count('streamsOpen')],
    ['machines', machines, 'two: a server of 32 GB, a client', here],
    ['memory of the server machine, a stream', '40 KB, swapping', '10 KB', server],
    ['server processes, a stream', '25 KB', '2 KB', count('serverPerStream', ' bytes')],
    ['client processes, a stream', '2 KB', '2 KB', count('floodPerStream', ' bytes')],
    ['memory of all machines', gb38, gb9, all],
    ['opening all streams', '240 to 275 min', '240 to 275 min', opening],
    ['messages a second, all open', packets, 'none: idle', steady],
    ['deliveries a second to friends, all open', NOT_MEASURED, 'none: idle', friends],
    ['publish to receive', NOT_MEASURED, NOT_MEASURED, latency],
    ['lost, twice or out of order', NOT_MEASURED, NOT_MEASURED, faults],
    ['loading 15 subscriptions a user', '745 to 890 s', '–', loading],
  ]
}
