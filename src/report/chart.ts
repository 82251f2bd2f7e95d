// Charts: what describes one, and how uPlot draws it in the browser, in the colors of the page's
// style. Servers and reports import the types only; a report's page has its charts in it as JSON.

import uPlot from 'uplot'
import { onColorSchemeChange, onResize, type PageElement, styleColor } from './browser.ts'
import { FORMATS, type FormatName } from './format.ts'

/** Of the page's style, which has other ones for dark mode. */
export type ColorName = 'ink' | 'blue' | 'green' | 'orange' | 'purple' | 'pink'

export type Stroke = 'solid' | 'dashed' | 'dotted'

/** How a curve is named and drawn. */
export interface CurveStyle {
  readonly name: string
  readonly color: ColorName
  /** Solid if it is not given. */
  readonly stroke?: Stroke
}

export interface Curve extends CurveStyle {
  /** A value for each place across; null is a gap, which is bridged. */
  readonly values: readonly (number | null)[]
  /** On the axis at the right. */
  readonly isRight?: boolean
}

export interface Chart {
  readonly id: string
  readonly title: string
  /** What it shows, in a sentence. */
  readonly words: string
  /**
   * What the places across are: seconds, or `1 / (1 - share)` on a logarithmic axis, which gives
   * the slowest tenth as much room as the tenth of those, and is labelled with percentiles.
   */
  readonly across: 'seconds' | 'percentiles'
  readonly places: readonly number[]
  readonly format: FormatName
  /** What the axis at the left measures. */
  readonly axisName: string
  /** Of the axis at the right; without it there is none. */
  readonly rightFormat?: FormatName
  readonly rightName?: string
  readonly isLogarithmic?: boolean
  readonly curves: readonly Curve[]
}

/** A named stretch of time, shaded behind the curves. */
export interface Band {
  readonly name: string
  readonly fromSeconds: number
  readonly toSeconds: number
}

/** What a report's page has in it for its script. */
export interface ChartData {
  readonly charts: readonly Chart[]
  readonly bands: readonly Band[]
}

const DASHES: Readonly<Record<Stroke, number[]>> = { solid: [], dashed: [7, 4], dotted: [2, 3] }

/** A chart in its element: drawn once the element has a width, and again with each color scheme. */
export class Plot {
  readonly element: PageElement
  readonly #heightPx: number | null
  readonly #optionsOf: () => Omit<uPlot.Options, 'width' | 'height'>
  #data: uPlot.AlignedData
  #plot: uPlot | null = null

  /** @param heightPx null for that of the element */
  constructor(
    element: PageElement,
    heightPx: number | null,
    data: uPlot.AlignedData,
    optionsOf: () => Omit<uPlot.Options, 'width' | 'height'>,
  ) {
    this.element = element
    this.#heightPx = heightPx
    this.#data = data
    this.#optionsOf = optionsOf
  }

  get data(): uPlot.AlignedData {
    return this.#data
  }

  /** Place in the data that the pointer is at. */
  get cursorPlace(): number | null {
    return this.#plot?.cursor.idx ?? null
  }

  setData(data: uPlot.AlignedData): void {
    this.#data = data
    if (this.#plot === null) this.draw()
    else this.#plot.setData(data)
  }

  draw(): void {
    const width = this.element.clientWidth
    if (width === 0) return
    this.#plot?.destroy()
    this.element.replaceChildren()
    const options = { ...this.#optionsOf(), width, height: this.#height }
    // uPlot's types name elements of the browser, whose types are not loaded.
    this.#plot = new uPlot(options, this.#data, this.element as never)
  }

  fit(): void {
    const width = this.element.clientWidth
    if (this.#plot === null) this.draw()
    else if (width > 0 && width !== this.#plot.width) {
      this.#plot.setSize({ width, height: this.#height })
    }
  }

  get #height(): number {
    return this.#heightPx ?? this.element.clientHeight
  }
}

/**
 * Draws the plots, and keeps them in the colors of the page and in the width of their container.
 */
export function drawAll(plots: readonly Plot[], container: PageElement): void {
  const draw = () => {
    for (const plot of plots) plot.draw()
  }
  draw()
  onColorSchemeChange(draw)
  onResize(container, () => {
    for (const plot of plots) plot.fit()
  })
}

/** What all axes have in common. */
export function axisStyle(): uPlot.Axis {
  const line = { stroke: styleColor('line'), width: 1 }
  return { stroke: styleColor('muted'), grid: line, ticks: line }
}

/** The name of an axis beside it. */
export function namedAxis(name: string): uPlot.Axis {
  return { label: name, labelSize: 22, labelGap: 2, labelFont: '12px system-ui, sans-serif' }
}

/** An axis of values, as wide as its labels. */
export function valueAxis(format: FormatName, name?: string): uPlot.Axis {
  const { axis: text } = FORMATS[format]
  return {
    ...axisStyle(),
    ...(name === undefined ? {} : namedAxis(name)),
    size: labelsWidth,
    values: (_, values) => values.map((value) => (value === null ? '' : text(value))),
  }
}

export function curveSeries({ name, color, stroke = 'solid' }: CurveStyle): uPlot.Series {
  return {
    label: name,
    stroke: styleColor(color),
    width: 1.75,
    dash: DASHES[stroke],
    points: { show: false },
  }
}

/** What an axis reaches at least, so that a small value does not look like much. */
const AXIS_TOPS: Readonly<Record<FormatName, number>> = {
  count: 5,
  rate: 5,
  bytes: 1_000,
  gibibytes: 0.01,
  mebibytes: 1,
  milliseconds: 1,
  cores: 0.1,
}

/** From zero to a little above the largest. */
export function rangeFromZero(format: FormatName) {
  return (_: uPlot, _least: number, most: number): [number, number] => [
    0,
    Math.max(AXIS_TOPS[format], most * 1.08),
  ]
}

/**
 * Room for the ticks and the longest label of an axis, in any font; and for half of a time below,
 * which is centered at its tick and would be cut off if that is at the edge.
 */
function labelsWidth(plot: uPlot, labels: string[] | null, at: number): number {
  const { gap = 5, ticks, font } = plot.axes[at] ?? {}
  // uPlot has read the font by now: a list with the font for the pixels of this screen first.
  const [text] = Array.isArray(font) ? font : [font]
  if (typeof text === 'string') plot.ctx.font = text
  const widthOf = (label: string) => plot.ctx.measureText(label).width / uPlot.pxRatio
  const widest = Math.max(0, ...(labels ?? []).map(widthOf))
  return Math.ceil(Math.max((ticks?.size ?? 10) + gap + widest, widthOf('00:00:00') / 2) + 1)
}
