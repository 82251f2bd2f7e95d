// Goal: figures on charts and pages are short and true. Method: tables.

import { expect, test } from 'bun:test'
import {
  FORMATS,
  type FormatName,
  formatBulk,
  formatClock,
  formatCompact,
  formatDate,
  formatDuration,
  formatFigure,
  formatLatency,
  formatPercentile,
} from './format.ts'

test.each<[FormatName, number | null, string]>([
  ['count', null, '–'],
  ['count', 1_234, '1,234'],
  ['milliseconds', 0, '0'],
  ['milliseconds', 0.0004, '1 µs'],
  ['milliseconds', 0.9949, '995 µs'],
  ['milliseconds', 0.996, '0.996 ms'],
  ['milliseconds', 17.34, '17.3 ms'],
  ['cores', 0.5, '0.50'],
])('as a figure of the dashboard, %s of %p is %s', (format, value, text) => {
  expect(formatFigure(format, value)).toBe(text)
})

test.each([
  [0, '0'],
  [999, '999'],
  [1_500, '1.5 kB'],
  [316_700, '317 kB'],
  [1_940_000, '1.9 MB'],
  [340_000_000, '340 MB'],
  [1_234_000_000, '1.23 GB'],
])('%d bytes are %s', (bytes, text) => {
  expect(formatBulk(bytes)).toBe(text)
})

test.each([
  [0, '0'],
  [950.4, '950'],
  [9_500, '9,500'],
  [16_666, '16.7k'],
  [1_200_000, '1.2m'],
])('%d is %s', (value, text) => {
  expect(formatCompact(value)).toBe(text)
})

test.each([
  [0.001, '0.001 ms'],
  [17.34, '17.3 ms'],
  [999, '999 ms'],
  [2_140, '2.1 s'],
])('%d ms are %s', (ms, text) => {
  expect(formatLatency(ms)).toBe(text)
})

test.each([
  [0, '0:00'],
  [59.6, '1:00'],
  [754, '12:34'],
  [3_723, '1:02:03'],
  [90_000, '25:00:00'],
])('%d seconds are %s', (seconds, text) => {
  expect(formatClock(seconds)).toBe(text)
})

test.each([
  [0, '0 s'],
  [59.9, '59 s'],
  [60, '1 min'],
  [7_500, '2 h 5 min'],
  [176_400, '2 d 1 h'],
])('a duration of %d seconds is %s', (seconds, text) => {
  expect(formatDuration(seconds)).toBe(text)
})

test.each([
  [1, '0%'],
  [2, '50%'],
  [10, '90%'],
  [100, '99%'],
  [1_000, '99.9%'],
  [10_000, '99.99%'],
  [1e9, '99.9999999%'],
])('of 1 in %d being slower, %s lie below', (rest, text) => {
  expect(formatPercentile(rest)).toBe(text)
})

test('a date is short, and says in which time zone it is', () => {
  expect(formatDate(new Date('2026-11-30T10:19:33.658Z'))).toBe('2026-11-30, 10:19 UTC')
})

test('memory in binary units has its unit beside each tick', () => {
  expect([FORMATS.gibibytes.axis(2.5), FORMATS.gibibytes.value(9.387)]).toEqual([
    ...['2.5 GiB', '9.39 GiB'],
  ])
  expect([FORMATS.mebibytes.axis(0.5), FORMATS.mebibytes.value(75.4)]).toEqual([
    ...['0.5 MiB', '75 MiB'],
  ])
})
