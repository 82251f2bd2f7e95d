// Goal: JSON is read exactly as JSON.parse takes it, wherever it lies in a buffer. Method: a
// property over generated and damaged texts, with JSON.parse as the judge.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { JsonReader } from './json-reader.ts'

const reader = new JsonReader()

/** Reads a text that lies between others. */
function isJson(text: string): boolean {
  const bytes = Buffer.from(text)
  const around = Buffer.concat([Buffer.from('{"'), bytes, Buffer.from('"1]}')])
  reader.begin(around, 2, 2 + bytes.length)
  return reader.value() && reader.isOver()
}

function parses(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

describe('a value', () => {
  test('is valid if JSON.parse takes it, also with a letter too many or too few', () => {
    const damage = fc.tuple(fc.nat(), fc.constantFrom('', '"', '\\', ',', ']', '{', '0', '\n', 'u'))
    fc.assert(
      fc.property(fc.json(), damage, fc.boolean(), (text, [place, letter], isPlain) => {
        const at = place % (text.length + 1)
        const damaged = isPlain ? text : text.slice(0, at) + letter + text.slice(at + 1)
        expect([damaged, isJson(damaged)]).toEqual([damaged, parses(damaged)])
      }),
      { numRuns: 2_000 },
    )
  })

  test.each([
    ...[
      '{}',
      '[]',
      '[[],{}]',
      '{"a":{"b":[1,2,{"c":null}]}}',
      ' { "a" : [ 1 , 2 ] } ',
      '"\\u00ff"',
    ],
    ...['', '{', '{,}', '{"a"}', '{"a":}', '{"a":1,}', '[1,]', '[,1]', '[1}', '{"a":1]', '1 2'],
    ...[
      '01',
      '-',
      '-0',
      '1.',
      '.1',
      '1e',
      '1e+5',
      '0.5E-7',
      '+1',
      'tru',
      'nulll',
      '"\\x"',
      '"\\u12g4"',
    ],
    ...['"\t"', '"a', '"\\', '"\\u123', '{1:2}', "{'a':1}", '[1 2]', 'NaN'],
  ])('%p is judged as by JSON.parse', (text) => {
    expect(isJson(text)).toBe(parses(text))
  })

  test('may be as deep as a body is long, and no deeper', () => {
    expect(isJson('['.repeat(65_536) + ']'.repeat(65_536))).toBe(true)
    expect(isJson('['.repeat(65_537) + ']'.repeat(65_537))).toBe(false)
  })
})

test('a string is where its quotes are, and says that it needs a check for UTF-8', () => {
  const bytes = Buffer.from('  "a\\"ü" ')
  reader.begin(bytes, 0, bytes.length)
  expect(reader.string()).toBe(true)
  expect(bytes.subarray(reader.start, reader.end).toString()).toBe('a\\"ü')
  expect(reader.hasHighBytes).toBe(true)
  expect(reader.isOver()).toBe(true)
})
