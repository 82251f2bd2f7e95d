// The charts of the page: which figures each shows, and how they follow the newest samples. Each
// legend has the newest values, or those under the pointer; screen readers get each chart as a
// sentence.

import type uPlot from 'uplot'
import { dashboardLimits } from '../core/limits.ts'
import { create, type PageElement, setText } from '../report/browser.ts'
import {
  axisStyle,
  type CurveStyle,
  curveSeries,
  drawAll,
  Plot,
  rangeFromZero,
  valueAxis,
} from '../report/chart.ts'
import { type FormatName, formatFigure } from '../report/format.ts'
import type { ColumnName, Samples } from './columns.ts'
import type { Span } from './history.ts'

interface LiveCurve extends CurveStyle {
  readonly column: ColumnName
}

export interface LiveChart {
  readonly id: string
  readonly title: string
  readonly format: FormatName
  readonly curves: readonly LiveCurve[]
}

/** Of the curves of a chart, the most important first. They differ in more than their color. */
const STYLES = [
  { color: 'blue', stroke: 'solid' },
  { color: 'orange', stroke: 'dashed' },
  { color: 'green', stroke: 'dotted' },
  { color: 'purple', stroke: 'solid' },
  { color: 'pink', stroke: 'dashed' },
] as const

type Named = readonly [name: string, column: ColumnName]

function chart(id: string, title: string, format: FormatName, curves: readonly Named[]): LiveChart {
  const styled = curves.map(([name, column], at) => {
    const style = STYLES[at]
    if (style === undefined) throw new Error(`the chart ${id} has too many curves`)
    return { name, column, ...style }
  })
  return { id, title, format, curves: styled }
}

/** What becomes of streams and messages. */
export const TRAFFIC_CHARTS: readonly LiveChart[] = [
  chart('streams', 'Streams', 'count', [
    ['open', 'streams'],
    ['users', 'users'],
  ]),
  chart('messages', 'Messages and deliveries per second', 'rate', [
    ['messages', 'messageRate'],
    ['deliveries', 'deliveryRate'],
  ]),
  chart('latency', 'Delivery latency, to the last stream', 'milliseconds', [
    ['p50', 'deliveryP50Ms'],
    ['p99', 'deliveryP99Ms'],
  ]),
  chart('turnover', 'Streams opened and closed per second', 'rate', [
    ['opened', 'openedRate'],
    ['closed', 'closedRate'],
    ['refused', 'refusedRate'],
    ['closed as slow', 'slowRate'],
    ['resumed', 'resumedRate'],
  ]),
  chart('undelivered', 'Messages not delivered per second', 'rate', [
    ['user not connected', 'droppedRate'],
    ['skipped', 'skippedRate'],
    ['lost with a stream', 'undeliveredRate'],
    ['rejected', 'rejectedRate'],
  ]),
  chart('loops', 'Event loop lag', 'milliseconds', [['slowest process', 'loopLateMs']]),
]

/** What that takes of the machine. */
export const MACHINE_CHARTS: readonly LiveChart[] = [
  chart('processors', 'CPU cores used by comet', 'cores', [
    ['control process', 'parentCores'],
    ['all workers', 'workersCores'],
    ['busiest worker', 'busiestCores'],
  ]),
  chart('memory', 'Memory of comet', 'bytes', [
    ['control process', 'parentBytes'],
    ['all workers', 'workersBytes'],
    ['outboxes', 'queuedBytes'],
  ]),
  chart('kernel', 'Memory of the kernel', 'bytes', [
    ['slabs, stacks, page tables', 'kernelBytes'],
    ['TCP buffers', 'tcpBytes'],
  ]),
  chart('machine', 'CPU cores used on this machine', 'cores', [
    ['user', 'userCores'],
    ['system', 'systemCores'],
    ['load average', 'load'],
  ]),
  chart('network', 'Network of this machine, bytes per second', 'bytes', [
    ['received', 'receivedBytesRate'],
    ['sent', 'sentBytesRate'],
    ['loopback', 'loopbackBytesRate'],
  ]),
  chart('packets', 'Network of this machine, packets per second', 'rate', [
    ['received', 'receivedPacketRate'],
    ['sent', 'sentPacketRate'],
    ['loopback', 'loopbackPacketRate'],
  ]),
]

/** Of a server that shares Redis with others. */
export const BUS_CHARTS: readonly LiveChart[] = [
  chart('trips', 'Round trip of messages through Redis', 'milliseconds', [
    ['p50', 'tripP50Ms'],
    ['p99', 'tripP99Ms'],
  ]),
  chart('bus-queue', 'Messages between this node and the log', 'count', [
    ['queued', 'busQueued'],
    ['not read yet', 'busBehind'],
  ]),
  chart('redis-memory', 'Memory of Redis', 'bytes', [['used', 'redisBytes']]),
]

const HEIGHT_PX = 200
const { secondsKept, sampleEveryMs, tensKept, foldMs } = dashboardLimits
const SPAN_SECONDS: Readonly<Record<Span, number>> = {
  seconds: (secondsKept * sampleEveryMs) / 1_000,
  tens: (tensKept * foldMs) / 1_000,
}
/** Seconds between two ticks that read well on a clock. */
const CLOCK_STEPS = [1, 5, 10, 30, 60, 120, 300, 600, 900, 1_800, 3_600]

class ChartFigure {
  readonly element: PageElement
  readonly plot: Plot
  readonly #chart: LiveChart
  readonly #values: readonly PageElement[]
  readonly #entries: readonly PageElement[]
  #span: Span = 'seconds'

  constructor(chart: LiveChart) {
    this.#chart = chart
    const place = create('div', 'chart')
    place.setAttribute('role', 'img')
    this.plot = new Plot(place, HEIGHT_PX, [[]], () => this.#options())
    this.#values = chart.curves.map(() => create('b', '', '–'))
    this.#entries = chart.curves.map(({ name, color, stroke }, at) => {
      const swatch = create('span', `swatch ${color} ${stroke}`)
      return create('li', '', swatch, `${name} `, this.#values[at] ?? '')
    })
    const legend = create('ul', 'legend', ...this.#entries)
    this.element = create('figure', '', create('h3', '', chart.title), legend, place)
    this.element.dataset['chart'] = chart.id
  }

  show(samples: Samples, span: Span): void {
    this.#span = span
    const curves = this.#chart.curves.map(({ column }) => [...samples.values[column]])
    this.plot.setData([samples.times.map((ms) => ms / 1000), ...curves])
    this.#describe()
  }

  /** Sets the legend to the values at that place in the data, or to the newest. */
  #setLegend(place: number | null | undefined): void {
    for (const [at, element] of this.#values.entries()) {
      const values = this.plot.data[at + 1] ?? []
      setText(element, formatFigure(this.#chart.format, values[place ?? values.length - 1]))
    }
  }

  /** Screen readers read the sentence when they reach the chart, not when it changes. */
  #describe(): void {
    const { title, curves, format } = this.#chart
    const text = (value: number) => formatFigure(format, value)
    const parts = curves.map(({ name }, at) => {
      const all = [...(this.plot.data[at + 1] ?? [])]
      const values = all.filter((value) => value != null)
      const entry = this.#entries[at]
      if (entry !== undefined) entry.hidden = values.length === 0 && at > 0
      if (values.length === 0) return `${name} unknown`
      const now = all.at(-1) ?? null
      return `${name} ${now === null ? 'unknown' : text(now)} now, between ${text(Math.min(...values))} and ${text(Math.max(...values))}`
    })
    this.plot.element.setAttribute('aria-label', `Chart. ${title}: ${parts.join('; ')}.`)
    if (this.plot.cursorPlace === null) this.#setLegend(null)
  }

  #options(): Omit<uPlot.Options, 'width' | 'height'> {
    const { format, curves } = this.#chart
    return {
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, points: { size: 6 } },
      scales: {
        x: { time: false, range: () => timeRange(this.plot.data[0], this.#span) },
        y: { range: rangeFromZero(format) },
      },
      axes: [
        {
          ...axisStyle(),
          space: 64,
          size: 34,
          incrs: CLOCK_STEPS,
          values: (_, seconds) => seconds.map((at) => clockText(at, this.#span)),
        },
        valueAxis(format),
      ],
      series: [{}, ...curves.map(curveSeries)],
      hooks: { setCursor: [(plot) => this.#setLegend(plot.cursor.idx)] },
    }
  }
}

/** The time that samples are known for: at least a tenth of the span, at most all of it. */
export function timeRange(seconds: ArrayLike<number>, span: Span): [number, number] {
  const last = seconds[seconds.length - 1] ?? Date.now() / 1000
  const first = seconds[0] ?? last
  const longest = SPAN_SECONDS[span]
  return [last - Math.min(longest, Math.max(longest / 10, last - first)), last]
}

/** `14:05`, and the seconds where they matter. */
function clockText(seconds: number, span: Span): string {
  const text = new Date(seconds * 1000).toTimeString()
  return text.slice(0, span === 'seconds' && seconds % 60 !== 0 ? 8 : 5)
}

export type ShowSamples = (samples: Samples, span: Span) => void

/** Puts charts on the page, in what is visible; returns what shows samples in them. */
export function placeCharts(charts: readonly LiveChart[], container: PageElement): ShowSamples {
  const figures = charts.map((chart) => new ChartFigure(chart))
  container.append(...figures.map(({ element }) => element))
  drawAll(
    figures.map(({ plot }) => plot),
    container,
  )
  return (samples, span) => {
    for (const figure of figures) figure.show(samples, span)
  }
}
