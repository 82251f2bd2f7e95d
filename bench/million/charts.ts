// The charts of a page, drawn in the browser from the result that lies in it. Bundled into the page
// by page.ts, and run nowhere else: it reads the document and nothing beyond.

import uPlot from 'uplot'
import type { MillionReport } from './report.ts'

/** The little of a browser that is used. Its own types would be those of the whole project. */
interface Box {
  textContent: string | null
  clientWidth: number
  replaceChildren(): void
}
declare const document: { getElementById(id: string): Box | null; documentElement: Box }
declare function getComputedStyle(of: Box): { getPropertyValue(name: string): string }
declare function matchMedia(query: string): {
  addEventListener(event: 'change', listener: () => void): void
}
declare class ResizeObserver {
  constructor(listener: () => void)
  observe(box: Box): void
}

type Values = (number | null)[]

interface Curve {
  readonly name: string
  /** A color of the page's style. */
  readonly color: string
  readonly values: Values
  readonly scale?: string
  readonly dash?: number[]
}

interface Chart {
  readonly id: string
  readonly fromSeconds: number
  readonly toSeconds: number
  readonly format: (value: number) => string
  readonly log?: boolean
  readonly curves: readonly Curve[]
}

const HEIGHT_PX = 300
/** Seconds between two ticks that read well as minutes and seconds. */
const CLOCK_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200]

const report: MillionReport = JSON.parse(document.getElementById('report')?.textContent ?? '{}')
const { phases, samples } = report

function column(name: string): Values {
  return samples[name] ?? []
}

function sum(...names: string[]): Values {
  const columns = names.map(column)
  return column('seconds').map((_, at) => columns.reduce((all, of) => all + (of[at] ?? 0), 0))
}

function begin(name: string): number {
  return phases.find((of) => of.name === name)?.fromSeconds ?? 0
}

function end(name: string): number {
  return phases.find((of) => of.name === name)?.toSeconds ?? lastSeconds
}

const lastSeconds = column('seconds').at(-1) ?? 1
const openEnd = Math.min(lastSeconds, end('open') + 15)
const flowBegin = begin('silent') > 0 ? begin('silent') : end('open')
const closeBegin = begin('close') > 0 ? begin('close') : lastSeconds

const memoryCurves: Curve[] = [
  { name: 'taken from the machine', color: 'ink', values: column('takenBytes') },
  { name: 'kernel', color: 'orange', values: column('kernelBytes') },
  {
    name: 'server processes',
    color: 'blue',
    values: sum('serverParentBytes', 'serverWorkersBytes'),
  },
  { name: 'client processes', color: 'green', values: column('floodBytes') },
]

const CHARTS: readonly Chart[] = [
  {
    id: 'memory-opening',
    fromSeconds: 0,
    toSeconds: openEnd,
    format: memory,
    curves: [
      ...memoryCurves,
      {
        name: 'streams open',
        color: 'purple',
        values: column('opened'),
        scale: 'streams',
        dash: [6, 4],
      },
    ],
  },
  {
    id: 'opening',
    fromSeconds: 0,
    toSeconds: openEnd,
    format: compact,
    curves: [{ name: 'opened a second', color: 'purple', values: column('openedPerSecond') }],
  },
  {
    id: 'memory-flow',
    fromSeconds: flowBegin,
    toSeconds: closeBegin,
    format: memory,
    curves: memoryCurves,
  },
  {
    id: 'latency',
    fromSeconds: flowBegin,
    toSeconds: closeBegin,
    format: milliseconds,
    log: true,
    curves: [
      { name: 'p50', color: 'green', values: positive('p50Ms') },
      { name: 'p99', color: 'blue', values: positive('p99Ms') },
      { name: 'p99.9', color: 'orange', values: positive('p999Ms') },
      { name: 'slowest', color: 'pink', values: positive('maxMs'), dash: [2, 3] },
    ],
  },
  {
    id: 'deliveries',
    fromSeconds: flowBegin,
    toSeconds: closeBegin,
    format: compact,
    curves: [{ name: 'received a second', color: 'blue', values: column('messagesPerSecond') }],
  },
  {
    id: 'cpu',
    fromSeconds: 0,
    toSeconds: lastSeconds,
    format: (cores) => cores.toFixed(2),
    curves: [
      { name: 'whole machine', color: 'ink', values: column('machineCores') },
      { name: 'server, parent', color: 'purple', values: column('serverParentCores') },
      { name: 'server, workers', color: 'blue', values: column('serverWorkersCores') },
      { name: 'client', color: 'green', values: column('floodCores') },
      { name: 'generator', color: 'orange', values: column('genCores') },
      { name: 'this benchmark', color: 'pink', values: column('benchCores'), dash: [2, 3] },
    ],
  },
]

/** A logarithmic axis has no zero. */
function positive(name: string): Values {
  return column(name).map((value) => (value === null ? null : Math.max(0.01, value)))
}

function memory(bytes: number): string {
  if (bytes === 0) return '0'
  return Math.abs(bytes) >= 1e9
    ? `${Number((bytes / 1e9).toFixed(2))} GB`
    : `${Math.round(bytes / 1e6)} MB`
}

function compact(value: number): string {
  const [divided, suffix] =
    value >= 1e6 ? [value / 1e6, 'm'] : value >= 1e4 ? [value / 1e3, 'k'] : [value, '']
  return `${Number(divided.toFixed(suffix === '' ? 0 : 1)).toLocaleString('en-US')}${suffix}`
}

function milliseconds(ms: number): string {
  return ms >= 1_000 ? `${Number((ms / 1_000).toFixed(1))} s` : `${Number(ms.toPrecision(3))} ms`
}

function clock(seconds: number): string {
  const whole = Math.round(seconds)
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`
}

function color(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()
}

/** The chart's part of all samples; uPlot would otherwise scale its axes by what is not shown. */
function dataOf({ curves, fromSeconds, toSeconds }: Chart): uPlot.AlignedData {
  const seconds = column('seconds').map((at) => at ?? 0)
  const inside = (_: unknown, at: number) =>
    (seconds[at] ?? 0) >= fromSeconds && (seconds[at] ?? 0) <= toSeconds
  return [seconds.filter(inside), ...curves.map(({ values }) => values.filter(inside))]
}

/** Phases behind the curves, every other one shaded, with its name where there is room. */
function drawPhases(plot: uPlot): void {
  const { ctx: pen, bbox } = plot
  pen.save()
  pen.beginPath()
  pen.rect(bbox.left, bbox.top, bbox.width, bbox.height)
  pen.clip()
  pen.textBaseline = 'top'
  const scale = uPlot.pxRatio
  pen.font = `${11 * scale}px system-ui, sans-serif`
  phases.forEach(({ name, fromSeconds, toSeconds }, at) => {
    const left = plot.valToPos(fromSeconds, 'x', true)
    const right = plot.valToPos(toSeconds, 'x', true)
    pen.fillStyle = color(at % 2 === 0 ? 'band' : 'band-other')
    pen.fillRect(left, bbox.top, right - left, bbox.height)
    const visibleLeft = Math.max(left, bbox.left)
    const width = Math.min(right, bbox.left + bbox.width) - visibleLeft
    if (width < pen.measureText(name).width + 8 * scale) return
    pen.fillStyle = color('muted')
    pen.fillText(name, visibleLeft + 4 * scale, bbox.top + 3 * scale)
  })
  pen.restore()
}

function optionsOf(chart: Chart, width: number): uPlot.Options {
  const [ink, line] = [color('muted'), color('line')]
  const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } }
  const format = (_: uPlot, values: number[]) =>
    values.map((of) => (of === null ? '' : chart.format(of)))
  const streams = chart.curves.some(({ scale }) => scale === 'streams')
  return {
    width,
    height: HEIGHT_PX,
    scales: {
      x: { time: false },
      y: chart.log ? { distr: 3, log: 10 } : { range: (_, __, most) => [0, most * 1.08 || 1] },
      ...(streams ? { streams: { range: (_, __, most) => [0, most * 1.08 || 1] } } : {}),
    },
    axes: [
      { ...axis, values: (_, values) => values.map(clock), space: 60, incrs: CLOCK_STEPS },
      { ...axis, values: format, size: 64 },
      ...(streams
        ? [
            {
              ...axis,
              scale: 'streams',
              side: 1 as const,
              size: 56,
              grid: { show: false },
              values: (_: uPlot, values: number[]) => values.map(compact),
            },
          ]
        : []),
    ],
    series: [
      { label: 'time', value: (_, at) => (at === null ? '' : clock(at)) },
      ...chart.curves.map((curve) => seriesOf(curve, chart)),
    ],
    hooks: { drawClear: [drawPhases] },
    cursor: { drag: { x: true, y: false } },
  }
}

function seriesOf({ name, color: of, scale, dash }: Curve, { format }: Chart): uPlot.Series {
  const text =
    scale === 'streams' ? (value: number) => Math.round(value).toLocaleString('en-US') : format
  return {
    label: name,
    stroke: color(of),
    width: 1.75,
    spanGaps: true,
    points: { show: false },
    value: (_, value) => (value === null ? '' : text(value)),
    ...(scale === undefined ? {} : { scale }),
    ...(dash === undefined ? {} : { dash }),
  }
}

function draw(): void {
  for (const chart of CHARTS) {
    const box = document.getElementById(chart.id)
    if (box === null) continue
    plots.get(chart.id)?.destroy()
    box.replaceChildren()
    plots.set(chart.id, new uPlot(optionsOf(chart, box.clientWidth), dataOf(chart), box))
  }
}

const plots = new Map<string, uPlot>()
draw()
// The colors are the style's, which has other ones in the dark.
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw)
const page = document.getElementById('charts')
if (page !== null) {
  new ResizeObserver(() => {
    for (const [id, plot] of plots) {
      const width = document.getElementById(id)?.clientWidth ?? plot.width
      if (width !== plot.width) plot.setSize({ width, height: HEIGHT_PX })
    }
  }).observe(page)
}
