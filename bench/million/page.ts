// A result as one HTML page that needs no network: which figures are its cards, its charts and its
// tables. The frame of the page and how charts are drawn belong to src/report.

import { formatCount } from '../../src/core/units.ts'
import type { Chart, Curve } from '../../src/report/chart.ts'
import { formatDate } from '../../src/report/format.ts'
import {
  bodyRow,
  card,
  chartBoxes,
  escaped,
  headRow,
  latencyCurves,
  pageText,
  table,
} from '../../src/report/html.ts'
import { formatMet, formatTarget } from '../harness/table.ts'
import { type Columns, drawnColumns, memoryCurves, memoryUnit } from './curves.ts'
import { openingSvg } from './picture.ts'
import type { MillionReport, ReportFigure } from './report.ts'
import {
  ATTEMPT_HEAD,
  attemptCells,
  conditions,
  formatFigure,
  referenceRows,
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

/** Seconds shown after the last stream has opened: what they cost once all is still. */
const SECONDS_AFTER = 15

export function page(report: MillionReport, others: readonly MillionReport[]): string {
  const charts = millionCharts(report)
  return pageText({
    title: `${formatCount(report.connections)} streams on one machine`,
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
  const verdict = report.ok
    ? '<p class="good">It ran to its end, and every target was met.</p>'
    : `<p class="bad">${escaped(whyNot(report))}</p>`
  const cards = CARDS.flatMap((name) => {
    return report.figures.filter(({ figure }) => figure === name).map(figureCard)
  })
  return [
    `<p class="muted">${escaped(`${machine}; ${versions}; ${formatDate(new Date(report.date))}`)}</p>`,
    verdict,
    `<div class="cards">${cards.join('')}</div>`,
  ]
}

function whyNot({ failure, figures }: MillionReport): string {
  const missed = figures.filter(({ met }) => met === false).map(({ title }) => title)
  const targets = missed.length === 0 ? '' : `Not met: ${missed.join('; ')}.`
  return failure === null ? targets : `It broke off: ${failure.split('\n')[0]}. ${targets}`
}

function figureCard(of: ReportFigure): string {
  const target = formatTarget(of.target)
  const mark = of.met === null ? '' : of.met ? ' ✓' : ' ✗ not met'
  return card(of.title, formatFigure(of), target === '' ? '' : target + mark)
}

/** A heading and its table; nothing without rows. */
function section(
  title: string,
  head: readonly string[],
  rows: readonly (readonly string[])[],
  numbers: ReadonlySet<number> = new Set(),
): string[] {
  if (rows.length === 0) return []
  const body = rows.map((row) => bodyRow(row, numbers))
  return [title, table(headRow(head, numbers), body)]
}

function tables(report: MillionReport, others: readonly MillionReport[]): string[] {
  const [sizesHead = [], ...sizes] = sizeRows([report, ...others])
  const checks = report.check.map(({ name, found, wanted, why, ok }) => {
    return [name, found, wanted, ok ? 'ok' : 'missing', why]
  })
  return [
    ...section(
      '<h2>Beside the system of 2008</h2>\n<p class="muted">Richard Jones, “A Million-user Comet ' +
        'Application with Mochiweb”, parts 1 to 3.</p>',
      ['', 'mochiweb, 2008', 'libevent, 2008', 'comet'],
      referenceRows(report),
    ),
    ...section(
      '<h2>What a stream and a message cost, by size</h2>',
      sizesHead,
      others.length === 0 ? [] : sizes,
      new Set([1, 2, 3, 4, 5]),
    ),
    '<h2>All figures</h2>',
    table(
      headRow(['figure', 'value', 'target', ''], new Set([1])),
      report.figures.map((of) => figureRow(of)),
    ),
    methodNote(report),
    ...section(
      '<h2>Searching the highest rate</h2>',
      ATTEMPT_HEAD,
      report.attempts.map(attemptCells),
      new Set([1, 2, 3]),
    ),
    ...section('<h2>The machine</h2>', ['', 'found', 'wanted', '', 'why'], checks),
    ...section('<h3>Kernel settings</h3>', ['setting', 'value'], Object.entries(report.settings)),
    '<h2>To repeat it</h2>',
    `<pre>${escaped(report.command)}</pre>`,
  ]
}

function methodNote({ pageCacheDropped }: MillionReport): string {
  const dropped = pageCacheDropped ? '; those were dropped before, and after the start' : ''
  return (
    '<p class="muted">Percentiles of the steady flow are of all its messages. Memory taken is the ' +
    'fall in free memory since before the server started, less the growth of pages of files that ' +
    `no process maps${dropped}.</p>`
  )
}

function figureRow(of: ReportFigure): string {
  const style = of.met === true ? ' class="good"' : ' class="bad"'
  const title = of.isDetail ? '<td class="detail">' : '<td>'
  return (
    `<tr>${title}${escaped(of.title)}</td><td class="number">${escaped(formatFigure(of))}</td>` +
    `<td>${escaped(formatTarget(of.target))}</td><td${style}>${formatMet(of.met)}</td></tr>`
  )
}

/** Without its places: which seconds of the run it shows is decided in one place. */
type Untimed = Omit<Chart, 'across' | 'places'>

function millionCharts(report: MillionReport): Chart[] {
  const column = drawnColumns(report)
  const seconds = column('seconds').map((at) => at ?? 0)
  const lastSeconds = seconds.at(-1) ?? 1
  const phase = (name: string) => report.phases.find((of) => of.name === name)
  const openSeconds = phase('open')?.toSeconds ?? lastSeconds
  const silentSeconds = phase('silent')?.fromSeconds ?? openSeconds
  const closeSeconds = phase('close')?.fromSeconds ?? lastSeconds
  const openingEnd = Math.min(lastSeconds, openSeconds + SECONDS_AFTER)
  /** A chart's part of all samples; its axes would otherwise be scaled by what is not shown. */
  const between = (from: number, to: number) => (chart: Untimed) => {
    const isInside = (_: unknown, at: number) =>
      (seconds[at] ?? 0) >= from && (seconds[at] ?? 0) <= to
    const curves = chart.curves.map((of) => ({ ...of, values: of.values.filter(isInside) }))
    return { ...chart, curves, across: 'seconds' as const, places: seconds.filter(isInside) }
  }
  return [
    ...openingCharts(column).map(between(0, openingEnd)),
    ...flowCharts(column).map(between(silentSeconds, closeSeconds)),
    between(0, lastSeconds)(coresChart(column)),
  ]
}

function openingCharts(column: Columns): Untimed[] {
  const opened: Curve = {
    name: 'streams open',
    color: 'purple',
    values: column('opened'),
    isRight: true,
    stroke: 'dashed',
  }
  const unit = memoryUnit(column)
  return [
    {
      id: 'memory-opening',
      title: 'Memory while the streams open',
      words:
        'Taken from the machine since before the server started, both ends; of it the kernel’s ' +
        'share (sockets, stacks, page tables) and the processes’ (proportional set size).',
      format: unit.format,
      axisName: 'memory',
      rightFormat: 'count',
      rightName: 'streams open',
      curves: [...memoryCurves(column, unit), opened],
    },
    {
      id: 'opening',
      title: 'Streams opened a second',
      words:
        'As the client counts first bytes of answers; of an opening of less than three seconds, the mean.',
      format: 'rate',
      axisName: 'streams per second',
      curves: [{ name: 'opened a second', color: 'purple', values: column('openedPerSecond') }],
    },
  ]
}

function flowCharts(column: Columns): Untimed[] {
  const unit = memoryUnit(column)
  return [
    {
      id: 'memory-flow',
      title: 'Memory while messages flow',
      words: 'From silence through the steady flow to the searches.',
      format: unit.format,
      axisName: 'memory',
      curves: memoryCurves(column, unit),
    },
    {
      id: 'latency',
      title: 'From publish to receive',
      words:
        'Of the messages of each second, logarithmic. The clock starts when a message was due.',
      format: 'milliseconds',
      axisName: 'latency',
      isLogarithmic: true,
      curves: latencyCurves(column),
    },
    {
      id: 'deliveries',
      title: 'Deliveries received a second',
      words: 'By all streams together.',
      format: 'rate',
      axisName: 'deliveries per second',
      curves: [{ name: 'received a second', color: 'blue', values: column('messagesPerSecond') }],
    },
  ]
}

function coresChart(column: Columns): Untimed {
  return {
    id: 'cpu',
    title: 'Processor cores in use',
    words:
      'By what the processes do; the whole machine has the kernel’s. A second that took longer to ' +
      'look at than to pass is left out.',
    format: 'cores',
    axisName: 'cores',
    curves: [
      { name: 'whole machine', color: 'ink', values: column('machineCores') },
      { name: 'server, parent', color: 'purple', values: column('serverParentCores') },
      { name: 'server, workers', color: 'blue', values: column('serverWorkersCores') },
      { name: 'client', color: 'green', values: column('floodCores') },
      { name: 'generator', color: 'orange', values: column('genCores') },
      { name: 'this benchmark', color: 'pink', values: column('benchCores'), stroke: 'dotted' },
    ],
  }
}
