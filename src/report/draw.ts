// The script of a report's page: draws its charts from the data that the page has in it.

import uPlot from 'uplot'
import { byId, styleColor } from './browser.ts'
import {
  axisStyle,
  type Chart,
  type ChartData,
  type Curve,
  curveSeries,
  drawAll,
  namedAxis,
  Plot,
  rangeFromZero,
  valueAxis,
} from './chart.ts'
import { FORMATS, type FormatName, formatClock, formatPercentile } from './format.ts'

const HEIGHT_PX = 330
/** Above a chart, for the names of its bands. */
const NAMES_PX = 20
/** Seconds between two ticks that read well as minutes and seconds. */
const CLOCK_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 21_600, 86_400]

const { charts, bands }: ChartData = JSON.parse(byId('data').textContent ?? '')

drawAll(
  charts.map((chart) => new Plot(byId(chart.id), HEIGHT_PX, dataOf(chart), () => optionsOf(chart))),
  byId('charts'),
)

function dataOf({ places, curves }: Chart): uPlot.AlignedData {
  return [[...places], ...curves.map(({ values }) => [...values])]
}

function optionsOf(chart: Chart): Omit<uPlot.Options, 'width' | 'height'> {
  const isTime = chart.across === 'seconds'
  const across = isTime ? formatClock : formatPercentile
  const right = chart.rightFormat
  return {
    ...(isTime && bands.length > 0 ? { padding: [NAMES_PX, null, null, null] } : {}),
    scales: {
      x: isTime ? { time: false } : { time: false, distr: 3, log: 10, range: asIs },
      y: chart.isLogarithmic ? { distr: 3, log: 10 } : { range: rangeFromZero(chart.format) },
      ...(right === undefined ? {} : { right: { range: rangeFromZero(right) } }),
    },
    axes: [
      {
        ...axisStyle(),
        ...namedAxis(isTime ? 'minutes:seconds' : 'percentile of all messages'),
        values: (_, values) => values.map((at) => (at === null ? '' : across(at))),
        space: 60,
        size: 34,
        ...(isTime ? { incrs: CLOCK_STEPS } : { splits: powersOfTen }),
      },
      valueAxis(chart.format, chart.axisName),
      ...(right === undefined ? [] : [rightAxis(right, chart.rightName)]),
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

function rightAxis(format: FormatName, name?: string): uPlot.Axis {
  return { ...valueAxis(format, name), scale: 'right', side: 1, grid: { show: false } }
}

function seriesOf(curve: Curve, { format, rightFormat }: Chart): uPlot.Series {
  const isRight = curve.isRight === true && rightFormat !== undefined
  const { value: text } = FORMATS[isRight ? rightFormat : format]
  return {
    ...curveSeries(curve),
    spanGaps: true,
    value: (_, value) => (value === null ? '' : text(value)),
    ...(isRight ? { scale: 'right' } : {}),
  }
}

function asIs(_: uPlot, least: number, most: number): [number, number] {
  return most > least ? [least, most] : [least, least * 10]
}

function powersOfTen(_: uPlot, _axis: number, least: number, most: number): number[] {
  const powers: number[] = []
  for (let power = 1; power <= most; power *= 10) if (power >= least) powers.push(power)
  return powers
}

/**
 * Bands behind the curves, every other one darker. The names are above the chart, where no line of
 * the grid strikes them, and each only where there is room for it.
 */
function drawBands(plot: uPlot): void {
  const { ctx: pen, bbox } = plot
  const scale = uPlot.pxRatio
  pen.save()
  pen.textBaseline = 'bottom'
  pen.font = `${11 * scale}px system-ui, sans-serif`
  for (const [at, { name, fromSeconds, toSeconds }] of bands.entries()) {
    const left = Math.max(plot.valToPos(fromSeconds, 'x', true), bbox.left)
    const right = Math.min(plot.valToPos(toSeconds, 'x', true), bbox.left + bbox.width)
    if (right <= left) continue
    pen.fillStyle = styleColor(at % 2 === 0 ? 'band' : 'band-other')
    pen.fillRect(left, bbox.top, right - left, bbox.height)
    if (right - left < pen.measureText(name).width + 8 * scale) continue
    pen.fillStyle = styleColor('muted')
    pen.fillText(name, left + 4 * scale, bbox.top - 4 * scale)
  }
  pen.restore()
}
