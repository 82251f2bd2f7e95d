// Goal: the fuzzer finds nothing, and would find something. Method: a small run with a fixed seed
// in this process, and one of the script as people start it.

import { expect, test } from 'bun:test'
import { readInPieces } from '../../src/flood/pieces.fixture.ts'
import { succeed } from '../support/child-process.ts'
import { failureOf, firstFailure, inputOf } from './responses.ts'

test('two thousand responses of a fixed seed are read as by the naive reader', () => {
  expect(firstFailure(20_261_124, 2_000)).toBeNull()
})

test('an input is the same for the same seed, and another for another', () => {
  expect(inputOf(7)).toEqual(inputOf(7))
  expect(inputOf(7)).not.toEqual(inputOf(8))
})

test('a reader that loses a byte, or throws, is told of', () => {
  const wire = Buffer.from('HTTP/1.1 200 OK\r\n\r\na\nb\n')
  const input = { framing: 'line', wire, cuts: [20] } as const
  expect(failureOf(input)).toBeNull()
  const losing = (parts: readonly Uint8Array[]) => readInPieces(parts.slice(0, -1), 'line')
  expect(failureOf(input, losing)).toContain('and not as')
  const throwing = () => {
    throw new RangeError('out of bounds')
  }
  expect(failureOf(input, throwing)).toContain('out of bounds')
})

test('the script says how many inputs it read', async () => {
  const script = `${import.meta.dir}/responses.ts`
  const command = [process.execPath, script, '--inputs', '200', '--seed', '5']
  expect((await succeed(command)).stdout).toMatch(/^no failure in 200 inputs, [\d.]+ s\n$/)
})
