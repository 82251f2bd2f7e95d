// The comparison that options ask for, and the order of its turns.

import { expect, test } from 'bun:test'
import { readOptions } from '../harness/command.ts'
import { comparisonOf, OPTIONS, rotated } from './peers.ts'
import { FLOOR, OURS, PEER_NAMES, PEERS } from './servers.ts'

function comparison(args: readonly string[]) {
  const options = readOptions(OPTIONS, args)
  return options.ok ? comparisonOf(options.values) : options.why
}

test('without options it is the whole comparison', () => {
  expect(comparison([])).toMatchObject({
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
  })
})

test.each([
  [['--rounds', '9'], true],
  [['--publishers', '32'], true],
  [['--rounds', '2'], false],
  [['--connections', '1k'], false],
  [['--messages', '30k'], false],
  [['--rate', '1k'], false],
  [['--steady', '2s'], false],
  [['--only', 'comet,floor'], false],
])('whether %j is the whole comparison is %j', (args, isWhole) => {
  expect(comparison(args)).toMatchObject({ isWhole })
})

test('servers keep their order, whichever order is asked for', () => {
  expect(comparison(['--only', 'nchan,comet'])).toMatchObject({ peers: ['comet', 'nchan'] })
})

test.each(['apache', ''])('there is no server %j', (name) => {
  expect(comparison(['--only', name])).toContain('only comet, comet-batch')
})

test('over as many rounds as servers, each has every place once', () => {
  const all = ['a', 'b', 'c']
  const rounds = [0, 1, 2].map((round) => rotated(all, round))
  expect(rounds).toEqual([
    ['a', 'b', 'c'],
    ['b', 'c', 'a'],
    ['c', 'a', 'b'],
  ])
  expect(rotated(all, 3)).toEqual(all)
  expect(rotated([], 2)).toEqual([])
})

test('comet is sent messages in the same way as the floor', () => {
  expect(PEERS[OURS].publishing).toBe(PEERS[FLOOR].publishing)
  expect(new Set(PEER_NAMES.map((name) => PEERS[name].title)).size).toBe(PEER_NAMES.length)
})
