// The order of servers: each round begins with another one, and none is left out.

import { expect, test } from 'bun:test'
import { FLOOR, OURS, PEER_NAMES, PEER_TEXTS, rotated } from './names.ts'

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

test('comet is sent messages as the floor is', () => {
  expect(PEER_TEXTS[OURS].publishing).toBe(PEER_TEXTS[FLOOR].publishing)
  expect(new Set(PEER_NAMES.map((name) => PEER_TEXTS[name].title)).size).toBe(PEER_NAMES.length)
})
