// Figures as charts, pages and live views show them: short, and of a steady width. Pure, with
// nothing of Bun in it or in what it imports, since pages carry it into the browser.

import { formatCount } from '../core/units.ts'

/** A kind of figure beside an axis, and where there is room for more digits. */
interface Format {
  readonly axis: (value: number) => string
  readonly value: (value: number) => string
}

export type FormatName =
  | 'bytes'
  | 'gibibytes'
  | 'mebibytes'
  | 'count'
  | 'rate'
  | 'milliseconds'
  | 'cores'

export const FORMATS: Readonly<Record<FormatName, Format>> = {
  bytes: both(formatBulk),
  // Of numbers that count these, so that axes have round steps.
  gibibytes: {
    axis: (of) => `${Number(of.toFixed(3))} GiB`,
    value: (of) => `${of.toFixed(2)} GiB`,
  },
  mebibytes: {
    axis: (of) => `${Number(of.toFixed(1))} MiB`,
    value: (of) => `${of.toFixed(0)} MiB`,
  },
  count: { axis: formatCompact, value: formatCount },
  rate: both(formatCompact),
  milliseconds: both(formatLatency),
  // At low use, ticks lie between hundredths.
  cores: { axis: (cores) => `${Number(cores.toFixed(3))}`, value: (cores) => cores.toFixed(2) },
}

function both(format: (value: number) => string): Format {
  return { axis: format, value: format }
}

/**
 * A figure of the dashboard: an unknown one is a dash, and a latency may be below a millisecond.
 */
export function formatFigure(format: FormatName, value: number | null | undefined): string {
  if (value === null || value === undefined) return '–'
  if (format === 'milliseconds' && value < 0.995) {
    return value === 0 ? '0' : `${Math.max(1, Math.round(value * 1_000))} µs`
  }
  return FORMATS[format].value(value)
}

/** Bytes in decimal units, as axes have decimal steps: `1.2 GB`, `340 MB`, `12 kB`. */
export function formatBulk(bytes: number): string {
  const size = Math.abs(bytes)
  if (size >= 1e9) return `${Number((bytes / 1e9).toFixed(2))} GB`
  if (size >= 1e6) return `${Number((bytes / 1e6).toFixed(size >= 1e8 ? 0 : 1))} MB`
  if (size >= 1e3) return `${Number((bytes / 1e3).toFixed(size >= 1e5 ? 0 : 1))} kB`
  return String(Math.round(bytes))
}

/** `950`, `9,500`, `16.7k`, `1.2m`. */
export function formatCompact(value: number): string {
  const [divided, suffix] =
    value >= 1e6 ? [value / 1e6, 'm'] : value >= 1e4 ? [value / 1e3, 'k'] : [value, '']
  return `${Number(divided.toFixed(suffix === '' ? 0 : 1)).toLocaleString('en-US')}${suffix}`
}

/** `0.42 ms`, `17.3 ms`, `2.1 s`. */
export function formatLatency(ms: number): string {
  return ms >= 1_000 ? `${Number((ms / 1_000).toFixed(1))} s` : `${Number(ms.toPrecision(3))} ms`
}

/** Seconds as `0:07`, `12:34`, `1:02:03`. */
export function formatClock(seconds: number): string {
  const whole = Math.round(seconds)
  const [hours, minutes] = [Math.floor(whole / 3_600), Math.floor(whole / 60) % 60]
  const rest = String(whole % 60).padStart(2, '0')
  return hours === 0 ? `${minutes}:${rest}` : `${hours}:${String(minutes).padStart(2, '0')}:${rest}`
}

/** `42 s`, `7 min`, `3 h 20 min`, `12 d 4 h`. */
export function formatDuration(seconds: number): string {
  const minutes = Math.floor(seconds / 60)
  const hours = Math.floor(minutes / 60)
  if (minutes === 0) return `${Math.floor(seconds)} s`
  if (hours === 0) return `${minutes} min`
  if (hours < 48) return `${hours} h ${minutes % 60} min`
  return `${Math.floor(hours / 24)} d ${hours % 24} h`
}

/** `2026-11-30, 10:19 UTC`. */
export function formatDate(date: Date): string {
  const text = date.toISOString()
  return `${text.slice(0, 10)}, ${text.slice(11, 16)} UTC`
}

/** The share that lies below, of `1 / (1 - share)`: 1 is `0%`, 10 is `90%`, 1,000 is `99.9%`. */
export function formatPercentile(rest: number): string {
  const digits = Math.max(0, Math.ceil(Math.log10(rest) - 1e-9) - 2)
  return `${Number((100 - 100 / rest).toFixed(digits))}%`
}
