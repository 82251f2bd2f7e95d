// Figures as the page shows them, beside the formats that reports share: a streaming server's latency
// is often less than a millisecond, and what is not known is a dash. Pure.

import { FORMATS, type FormatName } from '../report/format.ts'

export function figureText(format: FormatName, value: number | null | undefined): string {
  if (value === null || value === undefined) return '–'
  if (format === 'milliseconds' && value < 0.995) {
    return value === 0 ? '0' : `${Math.max(1, Math.round(value * 1_000))} µs`
  }
  return FORMATS[format].value(value)
}

/** `42 s`, `7 min`, `3 h 20 min`, `12 d 4 h`. */
export function durationText(seconds: number): string {
  const minutes = Math.floor(seconds / 60)
  const hours = Math.floor(minutes / 60)
  if (minutes === 0) return `${Math.floor(seconds)} s`
  if (hours === 0) return `${minutes} min`
  if (hours < 48) return `${hours} h ${minutes % 60} min`
  return `${Math.floor(hours / 24)} d ${hours % 24} h`
}

/** `1 stream`, `1,200 streams`. */
export function some(count: number, noun: string): string {
  return `${count.toLocaleString('en-US')} ${noun}${count === 1 ? '' : 's'}`
}
