// The options of a comparison, and what is said of those that are invalid.

import { expect, test } from 'bun:test'
import { PEER_NAMES } from './names.ts'
import { readOptions } from './options.ts'

test('without options it is the whole comparison', () => {
  expect(readOptions([])).toEqual({
    peers: [...PEER_NAMES],
    rounds: 5,
    work: {
      connections: 15_000,
      messages: 300_000,
      ratePerSecond: 10_000,
      steadyMs: 10_000,
      publishers: 64,
    },
    isWhole: true,
    build: true,
    task: 'run',
  })
})

test('more rounds are the whole comparison, too; less of anything is not', () => {
  const isWhole = (...args: string[]) => readOptions(args)
  expect(isWhole('--rounds', '9')).toMatchObject({ isWhole: true })
  expect(isWhole('--rounds', '2')).toMatchObject({ isWhole: false })
  expect(isWhole('--connections', '1k')).toMatchObject({ isWhole: false })
  expect(isWhole('--messages', '30k')).toMatchObject({ isWhole: false })
  expect(isWhole('--steady', '2s')).toMatchObject({ isWhole: false })
  expect(isWhole('--only', 'comet,floor')).toMatchObject({ isWhole: false })
})

test('servers keep their order, whatever order they are asked for in', () => {
  expect(readOptions(['--only', 'nchan,comet'])).toMatchObject({ peers: ['comet', 'nchan'] })
})

test.each([
  ['--only', 'apache'],
  ['--only', ''],
  ['--rounds', '0'],
  ['--rounds', 'five'],
  ['--connections', '10m'],
  ['--publishers', '1000'],
  ['--steady', '10'],
  ['--steady', '100ms'],
  ['--turns', '3'],
])('%s %s is invalid', (name, value) => {
  expect(readOptions([name, value])).toBeString()
})
