// The four figures at the top of the page, each with its last minutes as a small curve: how many
// are connected, what they get, how fast, and what did not reach them. The charts below have the
// same in full, so the curves say nothing to screen readers.

import type uPlot from 'uplot'
import { formatCount } from '../core/units.ts'
import { byId, create, onResize, type PageElement, setText, styleColor } from '../report/browser.ts'
import { drawAll, Plot, rangeFromZero } from '../report/chart.ts'
import { type FormatName, formatFigure } from '../report/format.ts'
import type { ColumnName, Samples } from './columns.ts'
import type { Live } from './live.ts'
import { timeRange } from './plots.ts'

type Now = Live['now']

interface Figure {
  readonly value: string
  readonly note: string
  /** Is it one that should not be? */
  readonly isBad?: boolean
}

interface TileOptions {
  readonly title: string
  readonly format: FormatName
  /** What the curve is the sum of. */
  readonly columns: readonly ColumnName[]
  readonly color: 'blue' | 'purple' | 'green' | 'orange'
  readonly figure: (now: Now, last: (column: ColumnName) => number | null) => Figure
}

const TILES: readonly TileOptions[] = [
  {
    title: 'Streams',
    format: 'count',
    columns: ['streams'],
    color: 'purple',
    figure: ({ limit }, last) => ({
      value: formatFigure('count', last('streams')),
      note: `of at most ${formatCount(limit)}; users: ${formatFigure('count', last('users'))}`,
    }),
  },
  {
    title: 'Deliveries per second',
    format: 'rate',
    columns: ['deliveryRate'],
    color: 'blue',
    figure: ({ totals }, last) => ({
      value: formatFigure('rate', last('deliveryRate')),
      note: `of ${formatFigure('rate', last('messageRate'))} messages; ${formatCount(totals.deliveries)} in total`,
    }),
  },
  {
    title: 'Delivery latency, p99',
    format: 'milliseconds',
    columns: ['deliveryP99Ms'],
    color: 'green',
    figure: (_, last) => ({
      value: formatFigure('milliseconds', last('deliveryP99Ms')),
      note: `p50 ${formatFigure('milliseconds', last('deliveryP50Ms'))}; to the last stream`,
    }),
  },
  {
    title: 'Lost deliveries',
    format: 'rate',
    columns: ['undeliveredRate', 'skippedRate'],
    color: 'orange',
    figure: ({ totals, lostLately }) => ({
      value: formatCount(totals.lost),
      note:
        totals.lost === 0
          ? 'none since the start'
          : `since the start; ${formatCount(lostLately)} in the last minute`,
      isBad: lostLately > 0,
    }),
  },
]

class Tile {
  readonly element: PageElement
  readonly plot: Plot
  readonly #options: TileOptions
  readonly #value = create('b', '', '–')
  readonly #note = create('span', '', '')

  constructor(options: TileOptions) {
    this.#options = options
    const place = create('dd', 'spark')
    place.setAttribute('aria-hidden', 'true')
    this.plot = new Plot(place, null, [[]], () => this.#plotOptions())
    const figure = create('dd', '', this.#value, this.#note)
    this.element = create('div', 'card tile', create('dt', '', options.title), figure, place)
  }

  show(now: Now, { times, values }: Samples): void {
    const { figure, columns } = this.#options
    const { value, note, isBad = false } = figure(now, (column) => values[column].at(-1) ?? null)
    setText(this.#value, value)
    setText(this.#note, note)
    this.#value.classList.toggle('bad', isBad)
    const curve = times.map((_, at) => {
      const known = columns.map((column) => values[column][at]).filter((each) => each != null)
      return known.length === 0 ? null : known.reduce((sum, each) => sum + each, 0)
    })
    this.plot.setData([times.map((ms) => ms / 1000), curve])
  }

  #plotOptions(): Omit<uPlot.Options, 'width' | 'height'> {
    const { format, color } = this.#options
    const stroke = styleColor(color)
    return {
      legend: { show: false },
      cursor: { show: false },
      padding: [3, 0, 1, 0],
      scales: {
        x: { time: false, range: () => timeRange(this.plot.data[0], 'seconds') },
        y: { range: rangeFromZero(format) },
      },
      axes: [{ show: false }, { show: false }],
      series: [{}, { stroke, width: 1.75, fill: `${stroke}22`, points: { show: false } }],
    }
  }
}

/** Puts the figures on the page; returns what shows samples in them. */
export function placeTiles(): (now: Now, samples: Samples) => void {
  const tiles = TILES.map((options) => new Tile(options))
  const container = byId('tiles')
  container.append(...tiles.map(({ element }) => element))
  const plots = tiles.map(({ plot }) => plot)
  drawAll(plots, container)
  // A longer figure leaves its curve less room.
  for (const plot of plots) onResize(plot.element, () => plot.fit())
  return (now, samples) => {
    for (const tile of tiles) tile.show(now, samples)
  }
}
