// Draws the charts, in the browser, and keeps each legend at the newest values, or at those under the
// pointer. What is drawn is told in words to those who cannot see it.

import uPlot from 'uplot'
import { FORMATS, type FormatName } from '../report/format.ts'
import { CHARTS, type LiveChart, type LiveCurve, type Stroke } from './charts.ts'
import type { Samples } from './columns.ts'
import { type Box, byId, color, make, onColors, onResize, say } from './dom.ts'
import type { Span } from './kept.ts'
import { figureText } from './text.ts'

const HEIGHT_PX = 200
const SPAN_SECONDS: Readonly<Record<Span, number>> = { seconds: 600, tens: 3_600 }
const DASHES: Readonly<Record<Stroke, number[]>> = { solid: [], dashed: [7, 4], dotted: [2, 3] }
/** Seconds between two ticks that read well on a clock. */
const CLOCK_STEPS = [1, 5, 10, 30, 60, 120, 300, 600, 900, 1_800, 3_600]

/** One chart on the page. */
class Plot {
  readonly box: Box
  readonly #chart: LiveChart
  readonly #place: Box
  readonly #values: readonly Box[]
  readonly #entries: readonly Box[]
  #plot: uPlot | null = null
  #data: uPlot.AlignedData = [[]]
  #span: Span = 'seconds'

  constructor(chart: LiveChart) {
    this.#chart = chart
    this.#place = make('div', 'chart')
    this.#place.setAttribute('role', 'img')
    this.#values = chart.curves.map(() => make('b', '', '–'))
    this.#entries = chart.curves.map((curve, at) => this.#entry(curve, at))
    const legend = make('ul', 'legend', ...this.#entries)
    this.box = make('figure', '', make('h3', '', chart.title), legend, this.#place)
    this.box.dataset['chart'] = chart.id
  }

  show(samples: Samples, span: Span): void {
    const curves = this.#chart.curves.map(({ column }) => [...samples.values[column]])
    this.#data = [samples.times.map((ms) => ms / 1000), ...curves]
    this.#span = span
    if (this.#plot === null) this.draw()
    else this.#plot.setData(this.#data)
    this.#tell()
  }

  /** Anew, with the colors and the width of now. */
  draw(): void {
    const width = this.#place.clientWidth
    if (width === 0) return
    this.#plot?.destroy()
    this.#place.replaceChildren()
    // The types of uPlot name elements of the browser, which is not known here.
    this.#plot = new uPlot(this.#options(width), this.#data, this.#place as never)
  }

  fit(): void {
    const width = this.#place.clientWidth
    if (this.#plot === null) this.draw()
    else if (width > 0 && width !== this.#plot.width) {
      this.#plot.setSize({ width, height: HEIGHT_PX })
    }
  }

  #entry({ name, color, stroke }: LiveCurve, at: number): Box {
    const swatch = make('span', `swatch ${color} ${stroke}`)
    return make('li', '', swatch, `${name} `, this.#values[at] ?? '')
  }

  /** The values at that place in the data, or the newest. */
  #legend(place: number | null | undefined): void {
    for (const [at, box] of this.#values.entries()) {
      const values = this.#data[at + 1] ?? []
      const value = values[place ?? values.length - 1]
      say(box, figureText(this.#chart.format, value))
    }
  }

  /** The chart in a sentence: it is not read out by itself, only when somebody comes to it. */
  #tell(): void {
    const { title, curves, format } = this.#chart
    const text = (value: number) => figureText(format, value)
    const parts = curves.map(({ name }, at) => {
      const all = [...(this.#data[at + 1] ?? [])]
      const values = all.filter((value) => value != null)
      const entry = this.#entries[at]
      if (entry !== undefined) entry.hidden = values.length === 0 && at > 0
      if (values.length === 0) return `${name} not known`
      const now = all.at(-1) ?? null
      return `${name} ${now === null ? 'not known' : text(now)} now, between ${text(Math.min(...values))} and ${text(Math.max(...values))}`
    })
    this.#place.setAttribute('aria-label', `Chart. ${title}: ${parts.join('; ')}.`)
    if (this.#plot?.cursor.idx == null) this.#legend(null)
  }

  #options(width: number): uPlot.Options {
    const [ink, line] = [color('muted'), color('line')]
    const axis = {
      stroke: ink,
      grid: { stroke: line, width: 1 },
      ticks: { stroke: line, width: 1 },
    }
    const { axis: text } = FORMATS[this.#chart.format]
    return {
      width,
      height: HEIGHT_PX,
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, points: { size: 6 } },
      scales: {
        x: { time: false, range: () => this.#range() },
        y: { range: fromZero(this.#chart.format) },
      },
      axes: [
        {
          ...axis,
          space: 64,
          size: 34,
          incrs: CLOCK_STEPS,
          values: (_, seconds) => seconds.map((at) => clockText(at, this.#span)),
        },
        { ...axis, size: labelsWidth, values: (_, values) => values.map((at) => text(at)) },
      ],
      series: [
        {},
        ...this.#chart.curves.map(({ color: name, stroke }) => ({
          stroke: color(name),
          width: 1.75,
          dash: DASHES[stroke],
          points: { show: false },
          spanGaps: false,
        })),
      ],
      hooks: { setCursor: [(plot) => this.#legend(plot.cursor.idx)] },
    }
  }

  /** The stretch of time that is known, at most the one that was wished, and never a mere moment. */
  #range(): [number, number] {
    const last = this.#data[0].at(-1) ?? Date.now() / 1000
    const first = this.#data[0][0] ?? last
    const longest = SPAN_SECONDS[this.#span]
    return [last - Math.min(longest, Math.max(longest / 10, last - first)), last]
  }
}

/** Room for the ticks and the longest label of an axis, whatever the font of the reader is. */
function labelsWidth(plot: uPlot, labels: string[] | null, at: number): number {
  const { gap = 5, ticks, font } = plot.axes[at] ?? {}
  // uPlot has read the font by now: a list with the font for the pixels of this screen first.
  const [text] = Array.isArray(font) ? font : [font]
  if (typeof text === 'string') plot.ctx.font = text
  const widths = (labels ?? []).map((label) => plot.ctx.measureText(label).width)
  return Math.ceil((ticks?.size ?? 10) + gap + Math.max(0, ...widths) / uPlot.pxRatio + 1)
}

/** What an axis reaches at least, so that next to nothing does not look like much. */
const TOPS: Readonly<Record<FormatName, number>> = {
  ...{ count: 5, rate: 5, bytes: 1_000, milliseconds: 1, cores: 0.1 },
}

/** From nothing to a little above the largest. */
function fromZero(format: FormatName) {
  return (_: uPlot, _least: number, most: number): [number, number] => [
    0,
    Math.max(TOPS[format], most * 1.08),
  ]
}

/** `14:05`, and the seconds where they matter. */
function clockText(seconds: number, span: Span): string {
  const text = new Date(seconds * 1000).toTimeString()
  return text.slice(0, span === 'seconds' && seconds % 60 !== 0 ? 8 : 5)
}

/** Puts all charts on the page; answers how they are told of samples. */
export function placeCharts(): (samples: Samples, span: Span) => void {
  const plots = CHARTS.map((chart) => new Plot(chart))
  const place = byId('charts')
  place.append(...plots.map(({ box }) => box))
  onColors(() => {
    for (const plot of plots) plot.draw()
  })
  onResize(place, () => {
    for (const plot of plots) plot.fit()
  })
  return (samples, span) => {
    for (const plot of plots) plot.show(samples, span)
  }
}
