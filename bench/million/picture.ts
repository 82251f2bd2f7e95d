// The picture of a run for the README: memory and streams while the connections open, as an SVG that
// needs no font, no style and no network.

import { formatCount } from '../../src/core/units.ts'
import type { ColorName, Curve } from '../../src/report/chart.ts'
import { figureValue, type MillionReport } from './report.ts'

const WIDTH_PX = 820
const HEIGHT_PX = 470
/** Where the axes are: the rest is titles and labels. */
const FRAME = { left: 76, right: 730, top: 118, bottom: 400 }
/** Seconds shown after the last stream has opened: what they cost once all is still. */
const SECONDS_AFTER = 12

const GROUND = '#ffffff'
const WORDS = '#57606a'
const GRID = '#e4e8ec'
/** Of the page's style by day. */
const COLORS: Readonly<Record<ColorName, string>> = {
  ink: '#1f2328',
  orange: '#bc4c00',
  blue: '#0969da',
  green: '#1a7f37',
  purple: '#8250df',
  pink: '#bf3989',
}

const GB = 1e9

interface Axes {
  readonly fromSeconds: number
  readonly toSeconds: number
  readonly bytesMax: number
  readonly streamsMax: number
}

/** Memory over time, by what takes it. */
export function memoryCurves(column: (name: string) => (number | null)[]): Curve[] {
  const workers = column('serverWorkersBytes')
  const server = column('serverParentBytes').map((bytes, at) => (bytes ?? 0) + (workers[at] ?? 0))
  return [
    { name: 'taken from the machine', color: 'ink', values: column('takenBytes') },
    { name: 'kernel', color: 'orange', values: column('kernelBytes') },
    { name: 'server processes', color: 'blue', values: server },
    { name: 'client processes', color: 'green', values: column('floodBytes') },
  ]
}

export function openingSvg(report: MillionReport): string {
  const { seconds, opened, curves, axes } = openingOf(report)
  const title = `${formatCount(report.connections)} streams open on one machine, both ends`
  const size = `width="${WIDTH_PX}" height="${HEIGHT_PX}"`
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" ${size} viewBox="0 0 ${WIDTH_PX} ${HEIGHT_PX}"`,
    ` role="img" aria-label="${title}">`,
    `<rect ${size} rx="8" fill="${GROUND}"/>`,
    `<g font-family="'DejaVu Sans', Verdana, Helvetica, sans-serif" font-size="13"`,
    ` fill="${WORDS}">`,
    label(24, 34, title, `font-size="19" fill="${COLORS.ink}"`),
    label(24, 58, summary(report)),
    ...legend(curves),
    ...grid(axes),
    area(seconds, opened, axes),
    ...curves.map((curve) => line(seconds, curve, axes)),
    label((FRAME.left + FRAME.right) / 2, HEIGHT_PX - 24, 'seconds', 'text-anchor="middle"'),
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
    ...part('openedPerSecond', 'opened a second'),
    ...part('takenPerStream', 'bytes of memory a stream'),
    ...part('serverPerStream', 'of them the server’s processes'),
  ].join(', ')
}

function openingOf(report: MillionReport) {
  const { samples, phases } = report
  const all = samples['seconds'] ?? []
  const start = phases.find(({ name }) => name === 'start')?.fromSeconds ?? 0
  const end = (phases.find(({ name }) => name === 'open')?.toSeconds ?? 0) + SECONDS_AFTER
  const count = all.filter((at) => (at ?? 0) <= end).length
  const column = (name: string) => (samples[name] ?? []).slice(0, count)
  const seconds = column('seconds').map((at) => at ?? 0)
  const curves = memoryCurves(column)
  const bytesMost = Math.max(1, ...curves.flatMap(({ values }) => values.map((of) => of ?? 0)))
  const axes: Axes = {
    fromSeconds: start,
    toSeconds: Math.max(start + 1, ...seconds),
    bytesMax: niceMost(bytesMost),
    streamsMax: report.connections,
  }
  return { seconds, opened: column('opened'), curves, axes }
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

function xOf(seconds: number, { fromSeconds, toSeconds }: Axes): number {
  const share = (seconds - fromSeconds) / (toSeconds - fromSeconds)
  return FRAME.left + share * (FRAME.right - FRAME.left)
}

/** @param share of the axis, from 0 at its foot to 1 */
function yOf(share: number): number {
  return FRAME.bottom - share * (FRAME.bottom - FRAME.top)
}

function legend(curves: readonly Curve[]): string[] {
  const entries = [...curves, { name: 'streams open (right)', color: 'purple' as const }]
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

function grid(axes: Axes): string[] {
  const lines: string[] = []
  for (let tick = 0; tick <= 4; tick++) {
    const y = yOf(tick / 4)
    const bytes = (axes.bytesMax * tick) / 4
    const streams = (axes.streamsMax * tick) / 4
    lines.push(
      `<path d="M${FRAME.left} ${y.toFixed(1)}H${FRAME.right}" stroke="${GRID}"/>`,
      label(FRAME.left - 8, y + 4, memoryLabel(bytes), 'text-anchor="end"'),
      label(FRAME.right + 8, y + 4, formatCount(streams), `fill="${COLORS.purple}"`),
    )
  }
  const step = niceStep(axes.toSeconds - axes.fromSeconds, 8)
  for (let at = Math.ceil(axes.fromSeconds / step) * step; at <= axes.toSeconds; at += step) {
    const x = xOf(at, axes)
    lines.push(
      `<path d="M${x.toFixed(1)} ${FRAME.top}V${FRAME.bottom}" stroke="${GRID}"/>`,
      label(x, FRAME.bottom + 20, formatCount(at), 'text-anchor="middle"'),
    )
  }
  return lines
}

function memoryLabel(bytes: number): string {
  if (bytes === 0) return '0'
  return bytes >= GB ? `${Number((bytes / GB).toFixed(2))} GB` : `${Math.round(bytes / 1e6)} MB`
}

/** Points of a curve, its values as shares of their axis; gaps are passed over. */
function points(
  seconds: readonly number[],
  values: readonly (number | null)[],
  most: number,
  axes: Axes,
): string[] {
  return values.flatMap((value, at) => {
    if (value === null) return []
    const share = Math.min(1, Math.max(0, value / most))
    return `${xOf(seconds[at] ?? 0, axes).toFixed(1)} ${yOf(share).toFixed(1)}`
  })
}

function line(seconds: readonly number[], { color, values }: Curve, axes: Axes): string {
  const path = points(seconds, values, axes.bytesMax, axes)
  if (path.length === 0) return ''
  return `<path d="M${path.join('L')}" fill="none" stroke="${COLORS[color]}" stroke-width="2.5"/>`
}

function area(seconds: readonly number[], opened: readonly (number | null)[], axes: Axes): string {
  const path = points(seconds, opened, axes.streamsMax, axes)
  const [first, last] = [path[0]?.split(' ')[0], path.at(-1)?.split(' ')[0]]
  if (first === undefined || last === undefined) return ''
  const closed = `M${first} ${FRAME.bottom}L${path.join('L')}L${last} ${FRAME.bottom}Z`
  return (
    `<path d="${closed}" fill="${COLORS.purple}" fill-opacity="0.12"/>` +
    `<path d="M${path.join('L')}" fill="none" stroke="${COLORS.purple}" stroke-width="1.5"/>`
  )
}
