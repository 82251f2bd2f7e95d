// Goal: the fuzzer finds nothing, and would find something. Method: a run with a fixed seed in this
// process, what came of a connection with errors in it, and the script as people start it.

import { expect, test } from 'bun:test'
import { succeed } from '../support/child-process.ts'
import { failureOf, firstFailure, inputOf } from './http-connections.ts'
import { wantedOf } from './http-handlers.ts'
import { readNaively } from './http-naive.ts'

test('two thousand connections of a fixed seed get what they are to get', async () => {
  expect(await firstFailure(20_261_129, 2_000)).toBeNull()
}, 60_000)

test('an input is the same for the same seed, and another for another', () => {
  expect(inputOf(7)).toEqual(inputOf(7))
  expect(inputOf(7)).not.toEqual(inputOf(8))
})

/** Pipelined requests that are answered at once, from their heads. */
const wire = Buffer.from(
  Array.from({ length: 200 }, (_, at) => `GET /${at} HTTP/1.1\r\nHost: x\r\n\r\n`)
    .filter((request) => {
      const [answer] = wantedOf(readNaively(request))
      return answer?.closes === false && answer.body?.includes('large') === false
    })
    .slice(0, 20)
    .join(''),
)
const input = { wire, cuts: [], leaving: 'half', isSlow: false, resetAt: 0 } as const
const seen = readNaively(wire.toString('latin1'))
const right = wantedOf(seen).map(({ status, body }) => {
  return `HTTP/1.1 ${status} OK\r\nContent-Length: ${body?.length}\r\n\r\n${body}`
})
const CLOSING = 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nextra'

test.each<[string, readonly string[], 'closed' | 'reset' | 'hung', RegExp]>([
  ['an answer too many', [...right, CLOSING], 'closed', /too many/],
  ['an answer too few', right.slice(0, -1), 'closed', /is missing/],
  ['none', [], 'closed', /is missing/],
  ['answers in another order', [...right].reverse(), 'closed', /answer \d+ is/],
  ['an answer twice', right.toSpliced(3, 0, right[3] ?? ''), 'closed', /answer \d+ is/],
  ['an end that is not said', [...right.slice(0, 5), CLOSING], 'closed', /answer 5 is/],
  ['a part of an answer', [...right, 'HTTP/1.1 200 OK\r\n'], 'closed', /at the end/],
  ['a reset', right, 'reset', /reset/],
  ['no end', right, 'hung', /hung/],
  [
    'a 100 that was not wanted',
    ['HTTP/1.1 100 Continue\r\n\r\n', ...right],
    'closed',
    /100 before/,
  ],
])('a connection with %s is found', (_, answers, end, expected) => {
  expect(failureOf(input, seen, { text: right.join(''), end: 'closed' })).toBeNull()
  expect(failureOf(input, seen, { text: answers.join(''), end })).toMatch(expected)
})

test('the script says how many inputs it read', async () => {
  const script = `${import.meta.dir}/http-connections.ts`
  const command = [process.execPath, script, '--inputs', '200', '--seed', '5']
  expect((await succeed(command)).stdout).toMatch(/^no failure in 200 inputs, [\d.]+ s\n$/)
})
