// Draws the charts of a page, in the browser, from the data that lies in it. Bundled with uPlot into
// every page by assets.ts, and run nowhere else: it reads the document and nothing beyond.

import uPlot from 'uplot'
import type { Band, Chart, Charts, Curve } from './chart.ts'
import { FORMATS, formatClock, formatPercentile } from './format.ts'

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

const HEIGHT_PX = 300
/** Seconds between two ticks that read well as minutes and seconds. */
const CLOCK_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 21_600, 86_400]

const { charts, bands }: Charts = JSON.parse(
  document.getElementById('data')?.textContent ?? '{"charts":[],"bands":[]}',
)

function color(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()
}

/** Bands behind the curves, every other one shaded, with its name where there is room. */
function drawBands(plot: uPlot): void {
  const { ctx: pen, bbox } = plot
  pen.save()
  pen.beginPath()
  pen.rect(bbox.left, bbox.top, bbox.width, bbox.height)
  pen.clip()
  pen.textBaseline = 'top'
  const scale = uPlot.pxRatio
  pen.font = `${11 * scale}px system-ui, sans-serif`
  bands.forEach(({ name, fromSeconds, toSeconds }: Band, at) => {
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

/** From nothing to a little above the largest. */
function fromZero(_: uPlot, _least: number, most: number): [number, number] {
  return [0, most * 1.08 || 1]
}

function asIs(_: uPlot, least: number, most: number): [number, number] {
  return most > least ? [least, most] : [least, least * 10]
}

function powersOfTen(_: uPlot, _axis: number, least: number, most: number): number[] {
  const powers: number[] = []
  for (let power = 1; power <= most; power *= 10) if (power >= least) powers.push(power)
  return powers
}

function optionsOf(chart: Chart, width: number): uPlot.Options {
  const [ink, line] = [color('muted'), color('line')]
  const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } }
  const labels = (format: (value: number) => string) => (_: uPlot, values: (number | null)[]) =>
    values.map((value) => (value === null ? '' : format(value)))
  const isTime = chart.across === 'seconds'
  const across = isTime ? formatClock : formatPercentile
  const right = chart.rightFormat
  return {
    width,
    height: HEIGHT_PX,
    scales: {
      x: isTime ? { time: false } : { time: false, distr: 3, log: 10, range: asIs },
      y: chart.isLogarithmic ? { distr: 3, log: 10 } : { range: fromZero },
      ...(right === undefined ? {} : { right: { range: fromZero } }),
    },
    axes: [
      {
        ...axis,
        values: labels(across),
        space: 60,
        ...(isTime ? { incrs: CLOCK_STEPS } : { splits: powersOfTen }),
      },
      { ...axis, values: labels(FORMATS[chart.format].axis), size: 68 },
      ...(right === undefined
        ? []
        : [
            {
              ...axis,
              scale: 'right',
              side: 1 as const,
              size: 64,
              grid: { show: false },
              values: labels(FORMATS[right].axis),
            },
          ]),
    ],
    series: [
      {
        label: isTime ? 'time' : 'percentile',
        value: (_, at) => (at === null ? '' : across(at)),
      },
      ...chart.curves.map((curve) => seriesOf(curve, chart)),
    ],
    hooks: { drawClear: isTime ? [drawBands] : [] },
    cursor: { drag: { x: true, y: false } },
  }
}

function seriesOf(curve: Curve, { format, rightFormat }: Chart): uPlot.Series {
  const { name, isRight = false, dash } = curve
  const text = FORMATS[isRight && rightFormat !== undefined ? rightFormat : format].value
  return {
    label: name,
    stroke: color(curve.color),
    width: 1.75,
    spanGaps: true,
    points: { show: false },
    value: (_, value) => (value === null ? '' : text(value)),
    ...(isRight ? { scale: 'right' } : {}),
    ...(dash === undefined ? {} : { dash: [...dash] }),
  }
}

function dataOf({ places, curves }: Chart): uPlot.AlignedData {
  return [[...places], ...curves.map(({ values }) => [...values])]
}

function draw(): void {
  for (const chart of charts) {
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
