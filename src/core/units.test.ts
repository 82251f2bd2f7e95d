// Goal: numbers with units are parsed and formatted. Method: tables both ways, with the texts that
// must be refused.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  ambiguousBytes,
  formatBytes,
  formatCount,
  formatMs,
  formatQuantity,
  parseBytes,
  parseCount,
  parseDurationMs,
  parseShare,
  writtenBytes,
  writtenCount,
  writtenDuration,
} from './units.ts'

describe('parseCount', () => {
  test.each([
    ['0', 0],
    ['7', 7],
    ['10k', 10_000],
    ['10K', 10_000],
    ['1m', 1_000_000],
    ['1.5m', 1_500_000],
    ['1.1k', 1_100],
    [' 2 k ', 2_000],
    ['4294967295', 4_294_967_295],
  ])('reads %p as %p', (text, value) => {
    expect(parseCount(text)).toBe(value)
  })

  test.each([
    [''],
    ['k'],
    ['-1'],
    ['+1'],
    ['1.5'],
    ['1.0001k'],
    ['.5k'],
    ['1.'],
    ['1e3'],
    ['0x10'],
    ['1_000'],
    ['1,000'],
    ['1g'],
    ['1k5'],
    ['9007199254740993'],
    ['Infinity'],
    ['٣'],
  ])('refuses %p', (text) => {
    expect(parseCount(text)).toBeUndefined()
  })

  test('reads every whole number that is written out', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 48 }), (value) => {
        expect(parseCount(String(value))).toBe(value)
      }),
    )
  })
})

describe('parseDurationMs', () => {
  test.each([
    ['250ms', 250],
    ['0.5ms', 0.5],
    ['30s', 30_000],
    ['1.5s', 1_500],
    ['5min', 300_000],
    ['2h', 7_200_000],
    ['10d', 864_000_000],
    ['0s', 0],
    ['2 H', 7_200_000],
    ['30m', 1_800_000],
    ['1h30m', 5_400_000],
    ['1h30min', 5_400_000],
    ['1d 2h 3min 4s 5ms', 93_784_005],
    ['1m1.5s', 61_500],
  ])('reads %p as %p ms', (text, ms) => {
    expect(parseDurationMs(text)).toBe(ms)
  })

  test.each([
    [''],
    ['30'],
    ['s'],
    ['-1s'],
    ['30m1h'],
    ['1m1min'],
    ['1h30'],
    ['1 week'],
    ['1constructor'],
  ])('refuses %p', (text) => {
    expect(parseDurationMs(text)).toBeUndefined()
  })
})

describe('a value in the form of an option is parsed as it was', () => {
  test.each([
    [3_600_000, '1h'],
    [90_000, '1min30s'],
    [250, '250ms'],
    [0, '0s'],
  ])('%p ms is written as %p', (ms, text) => {
    expect(writtenDuration(ms)).toBe(text)
    expect(parseDurationMs(text)).toBe(ms)
  })

  test.each([
    [65_536, '64KiB'],
    [1_073_741_824, '1GiB'],
    [1_000, '1000'],
  ])('%p bytes are written as %p', (bytes, text) => {
    expect(writtenBytes(bytes)).toBe(text)
    expect(parseBytes(text)).toBe(bytes)
  })

  test.each([
    [1_000_000, '1m'],
    [10_000, '10k'],
    [65_535, '65535'],
    [0, '0'],
  ])('the count %p is written as %p', (count, text) => {
    expect(writtenCount(count)).toBe(text)
    expect(parseCount(text)).toBe(count)
  })
})

test.each([
  ['64KB', 'KB is ambiguous, write KiB'],
  ['1mb', 'MB is ambiguous, write MiB'],
  ['4KB-8KB', 'KB is ambiguous, write KiB'],
  ['64KiB', null],
  ['64', null],
  ['many', null],
])('the size %p is ambiguous: %p', (text, why) => {
  expect(ambiguousBytes(text)).toBe(why)
})

describe('parseShare', () => {
  test.each([
    ['0%', 0],
    ['1%', 0.01],
    ['0.1%', 0.001],
    [' 12.5 % ', 0.125],
    ['100%', 1],
  ])('reads %p as %p', (text, share) => {
    expect(parseShare(text)).toBeCloseTo(share, 12)
  })

  test.each([
    [''],
    ['%'],
    ['1'],
    ['0.5'],
    ['-1%'],
    ['100.1%'],
    ['1%%'],
    ['1e1%'],
    ['.5%'],
    ['5.%'],
    ['1%/s'],
    ['NaN%'],
  ])('refuses %p', (text) => {
    expect(parseShare(text)).toBeUndefined()
  })
})

describe('parseBytes', () => {
  test.each([
    ['0', 0],
    ['512', 512],
    ['512B', 512],
    ['64KiB', 65_536],
    ['64kib', 65_536],
    ['1.5MiB', 1_572_864],
    ['1GiB', 1_073_741_824],
  ])('reads %p as %p', (text, bytes) => {
    expect(parseBytes(text)).toBe(bytes)
  })

  test.each([
    [''],
    ['64k'],
    ['64 KB s'],
    ['64KB'],
    ['64kB'],
    ['1gb'],
    ['1.5'],
    ['1.0001KiB'],
    ['-1KiB'],
    ['1TiB'],
    ['1toString'],
  ])('refuses %p', (text) => {
    expect(parseBytes(text)).toBeUndefined()
  })
})

describe('a text for people', () => {
  test.each([
    [0, '0'],
    [999, '999'],
    [1_234_567, '1,234,567'],
    [1234.6, '1,235'],
  ])('counts: %p as %p', (value, text) => {
    expect(formatCount(value)).toBe(text)
  })

  test('a quantity of one is singular, all others are plural', () => {
    const quantities = [1, 0, 1_200].map((count) => formatQuantity(count, 'user'))
    expect(quantities).toEqual(['1 user', '0 users', '1,200 users'])
    expect([0.6, 2].map((count) => formatQuantity(count, 'delivery', 'deliveries'))).toEqual([
      '1 delivery',
      '2 deliveries',
    ])
  })

  test.each([
    [null, '–'],
    [0, '0.00 ms'],
    [0.4234, '0.42 ms'],
    [17.31, '17.3 ms'],
    [214.2, '214 ms'],
    [1000, '1.00 s'],
    [2104, '2.10 s'],
    [61_000, '61.00 s'],
  ])('milliseconds: %p as %p', (ms, text) => {
    expect(formatMs(ms)).toBe(text)
  })

  test.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [3994, '3.9 KiB'],
    [60_922_266, '58.1 MiB'],
    [5 * 1024 ** 4, '5120.0 GiB'],
    [-2048, '-2.0 KiB'],
  ])('bytes: %p as %p', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text)
  })
})
