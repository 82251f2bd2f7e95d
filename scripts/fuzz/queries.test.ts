// Goal: the fuzzer finds nothing, and would find something. Method: a run with a fixed seed in this
// process, and one of the script as people start it.

import { expect, test } from 'bun:test'
import { succeed } from '../support/child-process.ts'
import { failureOf, firstFailure, inputOf, matchOf } from './queries.ts'

test('ten thousand queries of a fixed seed are taken as the rules say', () => {
  expect(firstFailure(20_261_130, 10_000)).toBeNull()
})

test('queries are valid and not, whole and damaged', () => {
  const kinds = new Set<string>()
  for (let seed = 0; seed < 2_000; seed++) {
    const { query, isDamaged } = inputOf(seed)
    kinds.add(`${'answer' in matchOf(query) ? 'refused' : 'taken'} ${isDamaged}`)
  }
  expect([...kinds].sort()).toEqual(['refused false', 'refused true', 'taken false', 'taken true'])
})

test('a port that takes what it should not, refuses what it should not, or throws, is told of', () => {
  const valid = { pairs: [['last', '10']], query: 'last=10', isDamaged: false } as const
  const invalid = { pairs: [['last', '0']], query: 'last=0', isDamaged: false } as const
  expect([failureOf(valid), failureOf(invalid)]).toEqual([null, null])
  expect(failureOf(valid, () => matchOf('last=0'))).toBe('it is refused, and is valid')
  expect(failureOf(invalid, () => matchOf('last=10'))).toBe('it is taken, and is not valid')
  const throwing = () => {
    throw new RangeError('out of bounds')
  }
  expect(failureOf(valid, throwing)).toContain('out of bounds')
})

test('the script says how many queries it asked', async () => {
  const script = `${import.meta.dir}/queries.ts`
  const command = [process.execPath, script, '--inputs', '200', '--seed', '5']
  expect((await succeed(command)).stdout).toMatch(/^no failure in 200 inputs, [\d.]+ s\n$/)
})
