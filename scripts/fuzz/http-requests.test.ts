// Goal: the fuzzer finds nothing, and would find something. Method: a run with a fixed seed in this
// process, readers with bugs, and the script as people start it.

import { expect, test } from 'bun:test'
import { type HeadResult, readRequestHead } from '../../src/http/request-head.ts'
import { succeed } from '../support/child-process.ts'
import { failureOf, firstFailure, inputOf } from './http-requests.ts'

test('twenty thousand inputs of a fixed seed are read as by the naive reader', () => {
  expect(firstFailure(20_261_129, 20_000)).toBeNull()
}, 60_000)

test('an input is the same for the same seed, and another for another', () => {
  expect(inputOf(7)).toEqual(inputOf(7))
  expect(inputOf(7)).not.toEqual(inputOf(8))
})

/** Changes what is read of complete heads. */
const changed =
  (change: (result: HeadResult & { kind: 'complete' }) => HeadResult): typeof readRequestHead =>
  (...args) => {
    const result = readRequestHead(...args)
    return result.kind === 'complete' ? change(result) : result
  }

const withHead = (change: object) =>
  changed((result) => {
    const head = Object.create(result.head, Object.getOwnPropertyDescriptors(change))
    return { ...result, head }
  })

test.each([
  ['sees a byte more', changed((result) => ({ ...result, length: result.length + 1 }))],
  ['loses the query', withHead({ query: '' })],
  ['keeps every connection', withHead({ keepAlive: true })],
  ['does not see bodies', withHead({ framing: { kind: 'none' } })],
  [
    'accepts a line without an end',
    ((bytes, start, end, searchedTo) => {
      const result = readRequestHead(bytes, start, end, searchedTo)
      return result.kind === 'rejected' && result.code === 'invalid_line_end'
        ? { kind: 'incomplete' }
        : result
    }) satisfies typeof readRequestHead,
  ],
  [
    'forgets what it searched',
    ((bytes, start, end, searchedTo = start) =>
      searchedTo > start && searchedTo < end
        ? readRequestHead(bytes, start, end, end)
        : readRequestHead(bytes, start, end, searchedTo)) satisfies typeof readRequestHead,
  ],
  [
    'throws',
    () => {
      throw new RangeError('out of bounds')
    },
  ],
])('a reader that %s is found', (_, readHead) => {
  const seeds = Array.from({ length: 500 }, (_, seed) => seed)
  expect(seeds.some((seed) => failureOf(inputOf(seed), readHead) !== null)).toBe(true)
})

test('the script says how many inputs it read', async () => {
  const script = `${import.meta.dir}/http-requests.ts`
  const command = [process.execPath, script, '--inputs', '200', '--seed', '5']
  expect((await succeed(command)).stdout).toMatch(/^no failure in 200 inputs, [\d.]+ s\n$/)
})
