// The options of a run, and what is said of those that are invalid.

import { expect, test } from 'bun:test'
import { readOptions, sizeName } from './options.ts'

test('without options it is the whole run', () => {
  expect(readOptions([])).toMatchObject({
    connections: 1_000_000,
    holdMs: 600_000,
    silenceMs: 300_000,
    attemptMs: 15_000,
    searchesTo: false,
    keep: null,
    build: true,
    work: 'run',
  })
})

test('numbers are read as people write them', () => {
  const args = ['--connections', '100k', '--hold', '2m', '--silence', '1500ms', '--no-build']
  expect(readOptions(args)).toMatchObject({
    connections: 100_000,
    holdMs: 120_000,
    silenceMs: 1_500,
    build: false,
  })
})

test.each([
  ['--connections', 'many'],
  ['--connections', '10'],
  ['--hold', '10'],
  ['--hold', '0s'],
  ['--stay', '10s'],
])('%s %s is invalid', (name, value) => {
  expect(readOptions([name, value])).toBeString()
})

test('sizes have short names', () => {
  expect([1_000_000, 2_000_000, 100_000, 10_000, 1_500, 12_345].map(sizeName)).toEqual([
    '1m',
    '2m',
    '100k',
    '10k',
    '1500',
    '12345',
  ])
})
