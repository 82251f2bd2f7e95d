// The HTML page of a flood: its figures, tables and charts. How a page is made of them is in
// src/report.

import type { Histogram } from 'hdr-histogram-js'
import { floodLimits, viewLimits } from '../core/tool-limits.ts'
import { formatCount, formatMs, formatQuantity } from '../core/units.ts'
import type { Chart } from '../report/chart.ts'
import { formatDate } from '../report/format.ts'
import {
  bodyRow,
  card,
  chartBoxes,
  escaped,
  headRow,
  latencyCurves,
  pageText,
  table,
} from '../report/html.ts'
import { type FloodReport, isFlawless } from './flood-report.ts'
import type { PageSample } from './html-file.ts'
import { percentileMs } from './totals.ts'

export interface FloodPage {
  readonly report: FloodReport
  readonly samples: readonly PageSample[]
  /** Of all latencies of the run. */
  readonly distribution: Distribution
  /** The command line that repeats the run. */
  readonly command: string
  /** When the run began; null if nothing is known of it. */
  readonly began: Date | null
  /** Versions of what it ran on, by name. */
  readonly versions: Readonly<Record<string, string>>
}

export function floodPage(page: FloodPage): string {
  const { report, samples, distribution, command, began, versions } = page
  const charts = floodCharts(report, samples, distribution)
  return pageText({
    title: `A flood of ${formatQuantity(report.connections.wanted, 'stream')}`,
    charts,
    bands: [],
    body: [
      ...(began === null ? [] : [`<p class="muted">${formatDate(began)}</p>`]),
      verdict(report, samples),
      `<div class="cards">${cards(report).join('')}</div>`,
      '<h2>Over time</h2>',
      '<p class="muted">Minutes and seconds since the start of the flood.</p>',
      ...chartBoxes(charts, 'The charts need JavaScript. All figures are in the tables below.'),
      '<h2>All figures</h2>',
      table(headRow(['', 'figure', 'value'], NUMBERS), figureRows(report)),
      '<h2>What ended connections</h2>',
      errorTable(report.errors),
      '<h2>How to repeat it</h2>',
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

function verdict(report: FloodReport, samples: readonly PageSample[]): string {
  const took = formatQuantity(samples.at(-1)?.seconds ?? 0, 'second')
  return isFlawless(report)
    ? `<p class="good">In ${took} every stream opened${sinceOpen(report)}, and no message came twice or out of order.</p>`
    : `<p class="bad">In ${took} something went wrong; the tables say what.</p>`
}

/** What the open streams did, in a run in which nothing went wrong. */
function sinceOpen({ behaviour }: FloodReport): string {
  const { churned, reopened, slow, slowEnded, vanished } = behaviour
  const ended = slowEnded > 0 ? `, ${formatCount(slowEnded)} of which the server ended` : ''
  const parts = [
    churned > 0 &&
      `${formatCount(churned)} were closed by the client to be reopened, ${formatCount(reopened)} of them were`,
    slow > 0 && `${formatCount(slow)} stopped reading${ended}`,
    vanished > 0 && `${formatCount(vanished)} vanished without FIN or RST`,
  ].filter((part) => part !== false)
  return parts.length === 0 ? ' and stayed open' : `; ${parts.join('; ')}`
}

function cards({ connections, connect, received, latency }: FloodReport): string[] {
  const lost = `${formatCount(connections.failed)} failed, ${formatCount(connections.closed)} closed early`
  const faults = `${formatCount(received.duplicated)} twice, ${formatCount(received.reordered)} out of order`
  return [
    card('streams opened', formatCount(connections.opened), lost),
    card('opened per second', formatCount(connect.perSecond)),
    card('messages received', formatCount(received.messages), faults),
    card('latency, p50', formatMs(latency.p50Ms)),
    card('latency, p99', formatMs(latency.p99Ms)),
    card('latency, slowest', formatMs(latency.maxMs), `p99.9 ${formatMs(latency.p999Ms)}`),
  ]
}

/** Every figure of the report under its name in the JSON, so that none can be forgotten. */
function figureRows(report: FloodReport): string[] {
  const { errors: _, storm, ...others } = report
  // The curve of a storm is a chart.
  const groups = { ...others, storm: storm === null ? null : { ...storm, curve: undefined } }
  return Object.entries(groups).flatMap(([group, figures]) =>
    figuresOf(figures).map(([name, value], at) =>
      bodyRow([at === 0 ? group : '', nameOf(name), figureText(name, value)], NUMBERS),
    ),
  )
}

/** The leaves of a value. */
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

/** Samples that are closer have no meaningful rate; the last one comes at the end of the run. */
const RATE_SECONDS_MIN = 0.5

function floodCharts(
  report: FloodReport,
  samples: readonly PageSample[],
  distribution: Distribution,
): Chart[] {
  const over = { across: 'seconds', places: samples.map(({ seconds }) => seconds) } as const
  const { storm } = report
  return [
    connections(withOpening(report, samples)),
    { ...rates(samples), ...over },
    { ...latencies(samples), ...over },
    ...(storm === null ? [] : [stormChart(storm)]),
    distributionChart(distribution),
  ]
}

function stormChart({ curve }: NonNullable<FloodReport['storm']>): Chart {
  const perSecond = (name: 'opened' | 'resumed' | 'replayed') =>
    curve.map((point) => (point[name] * 1000) / floodLimits.stormEveryMs)
  return {
    id: 'storm',
    title: 'Storm',
    words: 'A second, since all streams were cut at once: opened, resumed, and messages replayed.',
    across: 'seconds',
    places: curve.map(({ ms }) => ms / 1000),
    format: 'rate',
    axisName: 'per second',
    curves: [
      { name: 'opened', color: 'purple', values: perSecond('opened') },
      { name: 'resumed', color: 'blue', values: perSecond('resumed') },
      { name: 'replayed', color: 'green', values: perSecond('replayed') },
    ],
  }
}

type Untimed = Omit<Chart, 'across' | 'places'>

type Counts = Pick<PageSample, 'seconds' | 'open' | 'failed' | 'closed'>

/** With the beginning, and with the end of an opening that was over before the first sample. */
function withOpening(
  { connect, connections: { opened } }: FloodReport,
  samples: readonly PageSample[],
): Counts[] {
  const [first] = samples
  if (first === undefined) return []
  const seconds = connect.perSecond > 0 ? opened / connect.perSecond : 0
  return [
    { seconds: 0, open: 0, failed: 0, closed: 0 },
    ...(seconds > 0 && seconds < first.seconds ? [{ ...first, seconds }] : []),
    ...samples,
  ]
}

function connections(counts: readonly Counts[]): Chart {
  return {
    id: 'connections',
    title: 'Streams',
    words: 'Open at the moment; failed to open and closed early, in total so far.',
    across: 'seconds',
    places: counts.map(({ seconds }) => seconds),
    format: 'count',
    axisName: 'streams',
    curves: [
      {
        name: 'open',
        color: 'purple',
        values: counts.map(({ open }) => open),
      },
      { name: 'failed', color: 'orange', values: counts.map(({ failed }) => failed) },
      { name: 'closed', color: 'pink', values: counts.map(({ closed }) => closed) },
    ],
  }
}

function rates(samples: readonly PageSample[]): Untimed {
  return {
    id: 'rates',
    title: 'Received per second',
    words: 'By all streams together: messages, and bytes of chunks without those of HTTP.',
    format: 'rate',
    axisName: 'messages per second',
    rightFormat: 'bytes',
    rightName: 'bytes per second',
    curves: [
      { name: 'messages per second', color: 'blue', values: perSecond(samples, 'messages') },
      {
        name: 'bytes per second',
        color: 'green',
        values: perSecond(samples, 'bytes'),
        isRight: true,
        stroke: 'dashed',
      },
    ],
  }
}

function perSecond(samples: readonly PageSample[], name: 'messages' | 'bytes'): (number | null)[] {
  return samples.map((sample, at) => {
    const before = samples[at - 1]
    const passed = sample.seconds - (before?.seconds ?? 0)
    const grown = sample[name] - (before?.[name] ?? 0)
    return passed < RATE_SECONDS_MIN ? null : Math.round(grown / passed)
  })
}

function latencies(samples: readonly PageSample[]): Untimed {
  return {
    id: 'latency',
    title: 'Latency',
    words:
      'From the moment a message was due at its generator to its arrival, for the messages of each ' +
      'second, on a logarithmic scale. In a long run, of the slowest of several seconds.',
    format: 'milliseconds',
    axisName: 'latency',
    isLogarithmic: true,
    curves: latencyCurves((name) => samples.map((sample) => sample[name])),
  }
}

function distributionChart({ rests, latenciesMs }: Distribution): Chart {
  return {
    id: 'distribution',
    title: 'Latency by percentile',
    words:
      'Of all messages of the run: each tick to the right leaves a tenth of the messages before it.',
    across: 'percentiles',
    places: rests,
    format: 'milliseconds',
    axisName: 'latency',
    curves: [{ name: 'latency', color: 'blue', values: latenciesMs }],
  }
}

/**
 * The latency distribution as a curve, as HdrHistogram plots it: with as many points for the
 * slowest tenth as for the tenth of those.
 */
export interface Distribution {
  /** `1 / (1 - share)`: 1 for the fastest message, 10 where nine in ten are faster, and so on. */
  readonly rests: readonly number[]
  readonly latenciesMs: readonly number[]
}

export function distributionOf(latency: Histogram): Distribution {
  const rests: number[] = []
  const latenciesMs: number[] = []
  const { totalCount } = latency
  const add = (rest: number) => {
    const ms = percentileMs(latency, 100 - 100 / rest)
    if (ms === null) return
    rests.push(rest)
    latenciesMs.push(ms)
  }
  for (let at = 0; ; at++) {
    const rest = 2 ** (at / viewLimits.pointsPerHalving)
    if (rest >= totalCount) break
    add(rest)
  }
  // The slowest message.
  if (totalCount > 0) add(totalCount)
  if (latenciesMs.length > 0) latenciesMs[latenciesMs.length - 1] = percentileMs(latency, 100) ?? 0
  return { rests, latenciesMs }
}
