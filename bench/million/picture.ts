// The picture of a run for documents: memory and streams while the connections open, as an SVG
// that needs no font, no style and no network.

import { formatBytes, formatCount, formatQuantity } from '../../src/core/units.ts'
import type { ColorName, Curve } from '../../src/report/chart.ts'
import { formatDate } from '../../src/report/format.ts'
import { escaped } from '../../src/report/html.ts'
import { drawnColumns, memoryCurves, memoryUnit } from './curves.ts'
import { figureValue, type MillionReport } from './report.ts'

const WIDTH_PX = 820
const HEIGHT_PX = 480
/** Where the axes are: the rest is titles and labels. */
const FRAME = { left: 96, right: 718, top: 118, bottom: 400 }
/** Seconds shown after the last stream has opened: what they cost once all is still. */
const SECONDS_AFTER = 12

/** Of the page's style by day. */
const COLORS: Readonly<Record<ColorName, string>> = {
  ink: '#1f2328',
  orange: '#bc4c00',
  blue: '#0969da',
  green: '#1a7f37',
  purple: '#8250df',
  pink: '#bf3989',
}
const GRID = '#e4e8ec'

export function openingSvg(report: MillionReport): string {
  const title = `${formatCount(report.connections)} streams open on one machine, both ends`
  const size = `width="${WIDTH_PX}" height="${HEIGHT_PX}"`
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" ${size} viewBox="0 0 ${WIDTH_PX} ${HEIGHT_PX}"`,
    ` role="img" aria-label="${title}">`,
    `<rect ${size} rx="8" fill="#ffffff"/>`,
    `<g font-family="'DejaVu Sans', Verdana, Helvetica, sans-serif" font-size="13"`,
    ' fill="#57606a">',
    label(24, 34, title, `font-size="19" fill="${COLORS.ink}"`),
    label(24, 58, summary(report)),
    ...plot(report),
    label((FRAME.left + FRAME.right) / 2, FRAME.bottom + 42, 'seconds', 'text-anchor="middle"'),
    upright(18, 'memory', ''),
    upright(WIDTH_PX - 12, 'streams open', `fill="${COLORS.purple}"`),
    label(24, HEIGHT_PX - 14, conditionsOf(report), 'font-size="11"'),
    '</g>',
    '</svg>',
    '',
  ].join('\n')
}

function summary(report: MillionReport): string {
  const part = (name: string, words: string) => {
    const value = figureValue(report, name)
    return value === null ? [] : [`${formatCount(value)} ${words}`]
  }
  return [
    ...part('openedPerSecond', 'streams opened a second'),
    ...part('takenPerStream', 'bytes a stream taken from the machine'),
    ...part('serverPerStream', 'in the server’s processes'),
  ].join('; ')
}

/** When and on what it ran. */
function conditionsOf({ date, machine }: MillionReport): string {
  const memory = formatBytes(machine.memoryBytes)
  const cores = formatQuantity(machine.cores, 'core')
  return escaped(`${formatDate(new Date(date))}; ${machine.processor}, ${cores}, ${memory}`)
}

/** The legend, the grid, the streams as an area and memory as curves. */
function plot(report: MillionReport): string[] {
  const { phases, connections } = report
  const all = drawnColumns(report)
  const openSeconds = phases.find(({ name }) => name === 'open')?.toSeconds ?? 0
  const count = all('seconds').filter((at) => (at ?? 0) <= openSeconds + SECONDS_AFTER)
  const column = (name: string) => all(name).slice(0, count.length)
  const seconds = column('seconds').map((at) => at ?? 0)
  // Memory is known from the first sample on.
  const from = Math.floor(seconds[0] ?? 0)
  const to = Math.max(from + 1, ...seconds)
  const unit = memoryUnit(column)
  const curves = memoryCurves(column, unit)
  const most = Math.max(0.01, ...curves.flatMap(({ values }) => values.map((of) => of ?? 0)))
  const memoryMax = niceMost(most)
  const x = (at: number) =>
    (FRAME.left + ((at - from) / (to - from)) * (FRAME.right - FRAME.left)).toFixed(1)
  /** Points of values as shares of their axis; gaps are bridged. */
  const points = (values: Curve['values'], most: number) =>
    values.flatMap((value, at) => {
      if (value === null) return []
      const share = Math.min(1, Math.max(0, value / most))
      return `${x(seconds[at] ?? 0)} ${yOf(share).toFixed(1)}`
    })
  const lines = curves.map(({ color, values }) => {
    const path = points(values, memoryMax).join('L')
    if (path === '') return ''
    return `<path d="M${path}" fill="none" stroke="${COLORS[color]}" stroke-width="2.5"/>`
  })
  const step = niceStep(to - from, 8)
  const ticks: number[] = []
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) ticks.push(at)
  return [
    ...legend(curves),
    ...levels(memoryMax, unit.text, connections),
    ...ticks.flatMap((at) => [
      `<path d="M${x(at)} ${FRAME.top}V${FRAME.bottom}" stroke="${GRID}"/>`,
      label(Number(x(at)), FRAME.bottom + 20, formatCount(at), 'text-anchor="middle"'),
    ]),
    area(points(column('opened'), connections)),
    ...lines,
  ]
}

/** The end of an axis whose quarters are easily read, too. */
export function niceMost(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value))
  const factor = [1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10].find((of) => of * power >= value) ?? 10
  return factor * power
}

/** A step of whole, easily read numbers that gives about this many ticks. */
export function niceStep(span: number, ticks: number): number {
  const raw = span / ticks
  const power = 10 ** Math.floor(Math.log10(raw))
  return ([1, 2, 5, 10].find((of) => of * power >= raw) ?? 10) * power
}

function label(x: number, y: number, text: string, attributes = ''): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${text}</text>`
}

/** @param share of the axis, from 0 at its foot to 1 */
function yOf(share: number): number {
  return FRAME.bottom - share * (FRAME.bottom - FRAME.top)
}

function legend(curves: readonly Curve[]): string[] {
  const entries = [...curves, { name: 'streams open', color: 'purple' as const }]
  let x = FRAME.left
  return entries.flatMap(({ name, color }) => {
    const at = x
    x += 34 + name.length * 7
    return [
      `<path d="M${at} 84h16" stroke="${COLORS[color]}" stroke-width="3"/>`,
      label(at + 21, 88, name, 'font-size="12"'),
    ]
  })
}

/** Quarters of both axes: memory at the left, streams at the right. */
function levels(memoryMax: number, unit: string, streamsMax: number): string[] {
  return [0, 0.25, 0.5, 0.75, 1].flatMap((share) => {
    const y = yOf(share)
    const streams = formatCount(streamsMax * share)
    return [
      `<path d="M${FRAME.left} ${y.toFixed(1)}H${FRAME.right}" stroke="${GRID}"/>`,
      label(FRAME.left - 8, y + 4, memoryLabel(memoryMax * share, unit), 'text-anchor="end"'),
      label(FRAME.right + 8, y + 4, streams, `fill="${COLORS.purple}"`),
    ]
  })
}

function memoryLabel(value: number, unit: string): string {
  return value === 0 ? '0' : `${Number(value.toFixed(2))} ${unit}`
}

/** The name of an axis, along it. */
function upright(x: number, text: string, attributes: string): string {
  const y = (FRAME.top + FRAME.bottom) / 2
  const turned = `transform="rotate(-90 ${x} ${y})" text-anchor="middle"`
  return label(x, y, text, `${turned} ${attributes}`)
}

function area(points: readonly string[]): string {
  const [first, last] = [points[0]?.split(' ')[0], points.at(-1)?.split(' ')[0]]
  if (first === undefined || last === undefined) return ''
  const path = points.join('L')
  const closed = `M${first} ${FRAME.bottom}L${path}L${last} ${FRAME.bottom}Z`
  return (
    `<path d="${closed}" fill="${COLORS.purple}" fill-opacity="0.12"/>` +
    `<path d="M${path}" fill="none" stroke="${COLORS.purple}" stroke-width="1.5"/>`
  )
}
