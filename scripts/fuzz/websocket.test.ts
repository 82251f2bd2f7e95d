// Goal: the fuzzer finds nothing, and would find something. Method: a small run with a fixed seed
// in this process, and one of the script as people start it.

import { expect, test } from 'bun:test'
import { succeed } from '../support/child-process.ts'
import { failureOf, firstFailure, inputOf, readInPieces } from './websocket.ts'

test('a thousand inputs of a fixed seed are read as by the naive reader', () => {
  expect(firstFailure(20_261_130, 1_000)).toBeNull()
})

test('an input is the same for the same seed, and another for another', () => {
  expect(inputOf(7)).toEqual(inputOf(7))
  expect(inputOf(7)).not.toEqual(inputOf(8))
})

test('inputs have everything that a client may send, valid and not', () => {
  const kinds = new Set<string>()
  for (let seed = 0; seed < 1_000; seed++) {
    for (const frames of readInPieces(inputOf(seed))) {
      for (const told of frames)
        kinds.add(told.startsWith('invalid') ? told : (told.split(' ')[0] ?? ''))
    }
  }
  expect([...kinds].sort()).toEqual([
    'close',
    'invalid 1002',
    'invalid 1003',
    'invalid 1007',
    'invalid 1009',
    'ping',
    'text',
  ])
})

test('a reader that loses a byte, or throws, is told of', () => {
  const input = { wires: [Buffer.from('8182000000006869', 'hex')], pieces: [] }
  const whole = { ...input, pieces: [{ slot: 1, bytes: input.wires[0] ?? Buffer.of() }] }
  expect(failureOf(whole)).toBeNull()
  expect(failureOf(input)).toContain('and not as')
  const throwing = () => {
    throw new RangeError('out of bounds')
  }
  expect(failureOf(whole, throwing)).toContain('out of bounds')
})

test('the script says how many inputs it read', async () => {
  const script = `${import.meta.dir}/websocket.ts`
  const command = [process.execPath, script, '--inputs', '200', '--seed', '5']
  expect((await succeed(command)).stdout).toMatch(/^no failure in 200 inputs, [\d.]+ s\n$/)
})
