// The options of a soak, and what is said of those that are invalid.

import { expect, test } from 'bun:test'
import { readOptions } from './options.ts'

test('without options it is an hour of ten thousand streams', () => {
  expect(readOptions([])).toEqual({
    ...{ connections: 10_000, ratePerSecond: 5_000, durationMs: 3_600_000, build: true },
  })
})

test('numbers are read as people write them', () => {
  const args = ['--connections', '20k', '--rate', '1.5k', '--duration', '10min', '--no-build']
  expect(readOptions(args)).toEqual({
    ...{ connections: 20_000, ratePerSecond: 1_500, durationMs: 600_000, build: false },
  })
})

test.each([
  ['--connections', '10'],
  ['--connections', 'many'],
  ['--rate', '1'],
  ['--duration', '10'],
  ['--duration', '1s'],
  ['--what', 'ever'],
])('%s %s is refused in a sentence about it', (option, value) => {
  expect(readOptions([option, value])).toContain(option)
})
