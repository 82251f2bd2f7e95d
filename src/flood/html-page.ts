// A flood as one HTML page that needs no network: what it found, how it went, and how to repeat it.
// Which figures and curves there are; how a page is made of them is src/report's. Pure.

import { formatCount, formatMs } from '../core/units.ts'
import { bodyRow, card, chartBoxes, escaped, headRow, pageText, table } from '../report/html.ts'
import { floodCharts } from './charts.ts'
import type { Distribution } from './distribution.ts'
import { type FloodReport, isFlawless } from './flood-report.ts'
import type { KeptSample } from './kept.ts'

export interface FloodPage {
  readonly report: FloodReport
  readonly samples: readonly KeptSample[]
  /** Of all latencies of the run. */
  readonly distribution: Distribution
  /** The command line, to be repeated. */
  readonly command: string
  /** What it ran on, by name. */
  readonly versions: Readonly<Record<string, string>>
}

export function floodPage(page: FloodPage): string {
  const { report, samples, distribution, command, versions } = page
  const charts = floodCharts(samples, distribution)
  return pageText({
    title: `A flood of ${formatCount(report.connections.wanted)} streams`,
    charts,
    bands: [],
    body: [
      verdict(report, samples),
      `<div class="cards">${cards(report).join('')}</div>`,
      '<h2>Over time</h2>',
      '<p class="muted">Minutes and seconds since the flood began.</p>',
      ...chartBoxes(charts, 'The charts need JavaScript. All figures are in the tables below.'),
      '<h2>All figures</h2>',
      table(headRow(['', 'figure', 'value'], NUMBERS), figureRows(report)),
      '<h2>What ended connections</h2>',
      errorTable(report.errors),
      '<h2>To repeat it</h2>',
      `<pre>${escaped(command)}</pre>`,
      table(
        headRow(['ran on', 'version']),
        Object.entries(versions).map((row) => bodyRow(row)),
      ),
    ],
  })
}

/** The column of figures. */
const NUMBERS: ReadonlySet<number> = new Set([2])

function verdict(report: FloodReport, samples: readonly KeptSample[]): string {
  const took = `${formatCount(samples.at(-1)?.seconds ?? 0)} seconds`
  return isFlawless(report)
    ? `<p class="good">In ${took} every stream opened${sinceOpen(report)}, and nothing came twice or out of order.</p>`
    : `<p class="bad">In ${took} not everything went as it should; the tables say what.</p>`
}

/** What became of streams that opened, of a run in which nothing went wrong. */
function sinceOpen({ behaviour }: FloodReport): string {
  const { churned, reopened, slow, slowEnded, vanished } = behaviour
  const ended = slowEnded > 0 ? `, ${formatCount(slowEnded)} of which the server ended` : ''
  const parts = [
    churned > 0 &&
      `${formatCount(churned)} times one was closed to be opened again, ${formatCount(reopened)} times it was`,
    slow > 0 && `${formatCount(slow)} stopped reading${ended}`,
    vanished > 0 && `${formatCount(vanished)} vanished, and the server was not told`,
  ].filter((part) => part !== false)
  return parts.length === 0 ? ' and stayed open' : `; ${parts.join('; ')}`
}

function cards({ connections, connect, received, latency }: FloodReport): string[] {
  const lost = `${formatCount(connections.failed)} failed, ${formatCount(connections.closed)} closed early`
  const faults = `${formatCount(received.duplicated)} twice, ${formatCount(received.reordered)} out of order`
  return [
    card('streams opened', formatCount(connections.opened), lost),
    card('opened a second', formatCount(connect.perSecond)),
    card('messages received', formatCount(received.messages), faults),
    card('latency, p50', formatMs(latency.p50Ms)),
    card('latency, p99', formatMs(latency.p99Ms)),
    card('latency, slowest', formatMs(latency.maxMs), `p99.9 ${formatMs(latency.p999Ms)}`),
  ]
}

/** Every figure of the report by the name that the JSON gives it, so that none can be forgotten. */
function figureRows(report: FloodReport): string[] {
  const { errors: _, ...groups } = report
  return Object.entries(groups).flatMap(([group, figures]) =>
    figuresOf(figures).map(([name, value], at) =>
      bodyRow([at === 0 ? group : '', nameOf(name), figureText(name, value)], NUMBERS),
    ),
  )
}

/** Leaves of a figure, whatever it is made of. */
function figuresOf(value: unknown, path = ''): [name: string, value: unknown][] {
  if (typeof value !== 'object' || value === null) return [[path, value]]
  return Object.entries(value).flatMap(([name, inner]) =>
    figuresOf(inner, path === '' ? name : `${path}.${name}`),
  )
}

/** `p999Ms` as `p99.9`, `perSecond` as `per second`. */
function nameOf(path: string): string {
  return path
    .replace(/Ms$/, '')
    .replace(/^p(\d\d)(\d+)$/, 'p$1.$2')
    .replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
}

function figureText(path: string, value: unknown): string {
  if (value === null || value === undefined) return '–'
  if (typeof value !== 'number') return String(value)
  if (path.endsWith('Ms')) return formatMs(value)
  return Number.isInteger(value) ? formatCount(value) : value.toFixed(2)
}

function errorTable(errors: FloodReport['errors']): string {
  const kinds = Object.entries(errors).sort(([, a], [, b]) => b - a)
  if (kinds.length === 0) return '<p>Nothing.</p>'
  const columns = new Set([1])
  return table(
    headRow(['kind', 'connections'], columns),
    kinds.map(([kind, count]) => bodyRow([kind, formatCount(count)], columns)),
  )
}
