// A result as one HTML page that needs no network: which figures are its cards, its charts and its
// tables. The page's frame and how charts are drawn are src/report's.

import {
  bodyRow,
  card,
  chartBoxes,
  escaped,
  headRow,
  pageText,
  table,
} from '../../src/report/html.ts'
import { millionCharts } from './charts.ts'
import { openingSvg } from './picture.ts'
import { referenceRows } from './reference.ts'
import type { MillionReport, ReportFigure } from './report.ts'
import {
  ATTEMPT_HEAD,
  attemptCells,
  conditions,
  formatFigure,
  formatNumber,
  formatTarget,
  formatVerdict,
  sizeRows,
} from './table.ts'

/** The figures that a reader wants first. */
const CARDS = [
  'streamsOpen',
  'takenGib',
  'serverPerStream',
  'openedPerSecond',
  'steadyP99Ms',
  'subjectDeliveriesPerSecond',
] as const

export function page(report: MillionReport, others: readonly MillionReport[]): string {
  const charts = millionCharts(report)
  return pageText({
    title: `${report.connections.toLocaleString('en-US')} streams on one machine`,
    charts,
    bands: report.phases,
    body: [
      ...head(report),
      '<h2>Over time</h2>',
      '<p class="muted">Minutes and seconds since the server started.</p>',
      ...chartBoxes(charts, openingSvg(report)),
      ...tables(report, others),
    ],
  })
}

function head(report: MillionReport): string[] {
  const [machine = '', versions = ''] = conditions(report)
  const missed = report.figures.filter(({ met }) => met === false)
  const verdict = report.ok
    ? '<p class="good">It ran to its end, and every target was met.</p>'
    : `<p class="bad">${escaped(whyNot(report.failure, missed))}</p>`
  const cards = CARDS.flatMap((name) => {
    const found = report.figures.find(({ figure }) => figure === name)
    return found === undefined ? [] : figureCard(found)
  })
  return [
    `<p class="muted">${escaped(`${machine}; ${versions}; ${report.date}`)}</p>`,
    verdict,
    `<div class="cards">${cards.join('')}</div>`,
  ]
}

function whyNot(failure: string | null, missed: readonly ReportFigure[]): string {
  const titles = missed.map(({ title }) => title).join('; ')
  const targets = missed.length === 0 ? '' : `Not met: ${titles}.`
  return failure === null ? targets : `It broke off: ${failure.split('\n')[0]}. ${targets}`
}

function figureCard(of: ReportFigure): string {
  const unit = of.unit === '' ? '' : ` ${of.unit}`
  const value = of.value === null ? '–' : `${formatNumber(of.value, of.digits)}${unit}`
  const target = formatTarget(of)
  const mark = of.met === null ? '' : of.met ? ' ✓' : ' ✗ not met'
  return card(of.title, value, target === '' ? '' : target + mark)
}

function tables(report: MillionReport, others: readonly MillionReport[]): string[] {
  const reference = referenceRows(report).map((row) => Object.values(row))
  const referenceHead = ['', 'mochiweb, 2008', 'libevent, 2008', 'comet']
  const figures = report.figures.map((of) => figureRow(of))
  const figuresHead = headRow(['figure', 'value', 'target', ''], new Set([1]))
  const all = [report, ...others]
  const [sizesHead = [], ...sizes] = sizeRows(all)
  const numbers = new Set([1, 2, 3, 4, 5])
  const attempts = report.attempts.map((of) => attemptCells(of))
  return [
    '<h2>Beside the system of 2008</h2>',
    '<p class="muted">Richard Jones, “A Million-user Comet Application with Mochiweb”, parts 1 to 3.</p>',
    table(
      headRow(referenceHead),
      reference.map((row) => bodyRow(row)),
    ),
    ...(others.length === 0
      ? []
      : [
          '<h2>What a stream and a message cost, by size</h2>',
          table(
            headRow(sizesHead, numbers),
            sizes.map((row) => bodyRow(row, numbers)),
          ),
        ]),
    '<h2>All figures</h2>',
    table(figuresHead, figures),
    ...methodNote(report),
    ...(attempts.length === 0
      ? []
      : [
          '<h2>Searching the highest rate</h2>',
          table(
            headRow(ATTEMPT_HEAD, new Set([1, 2, 3])),
            attempts.map((row) => bodyRow(row, new Set([1, 2, 3]))),
          ),
        ]),
    ...machineTables(report),
  ]
}

function methodNote({ pageCacheDropped }: MillionReport): string[] {
  const notes = [
    'Percentiles of the steady flow are of all its messages.',
    'Memory taken is the fall in free memory since before the server started, less the growth of ' +
      `pages of files that no process maps${pageCacheDropped ? '; those were dropped before, and after the start' : ''}.`,
  ]
  return [`<p class="muted">${notes.join(' ')}</p>`]
}

function machineTables(report: MillionReport): string[] {
  const check = report.check.map(({ name, found, wanted, why, ok }) =>
    bodyRow([name, found, wanted, ok ? 'ok' : 'missing', why]),
  )
  const settings = Object.entries(report.settings).map((row) => bodyRow(row))
  return [
    '<h2>The machine</h2>',
    table(headRow(['', 'found', 'wanted', '', 'why']), check),
    '<h3>Kernel settings</h3>',
    table(headRow(['setting', 'value']), settings),
    '<h2>To repeat it</h2>',
    `<pre>${escaped(report.command)}</pre>`,
  ]
}

function figureRow(of: ReportFigure): string {
  const verdict = formatVerdict(of)
  const style = verdict === 'met' ? ' class="good"' : ' class="bad"'
  const title = of.isDetail ? '<td class="detail">' : '<td>'
  return (
    `<tr>${title}${escaped(of.title)}</td><td class="number">${escaped(formatFigure(of))}</td>` +
    `<td>${escaped(formatTarget(of))}</td><td${style}>${verdict}</td></tr>`
  )
}
