// Goal: the same bytes are UTF-8 here as elsewhere.
// Method: the first and last of all forms, and any bytes, against Node's own check.

import { describe, expect, test } from 'bun:test'
import { isUtf8 } from 'node:buffer'
import fc from 'fast-check'
import { Utf8 } from './utf8.ts'

function isValid(bytes: Iterable<number>): boolean {
  const utf8 = new Utf8()
  for (const byte of bytes) utf8.push(byte)
  utf8.end()
  return utf8.isValid
}

describe('bytes are UTF-8 as Node has it', () => {
  const edges = [0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec]
  const firsts = [...edges, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff]

  test('for all first bytes with all second ones', () => {
    for (let first = 0; first < 256; first++) {
      for (let second = 0; second < 256; second++) {
        for (const rest of [[], [0x80], [0x80, 0xbf], [0xbf, 0x80, 0x41]]) {
          const bytes = Buffer.from([first, second, ...rest])
          if (isValid(bytes) !== isUtf8(bytes)) expect(bytes.toString('hex')).toBe('as Node has it')
        }
      }
    }
  })

  test('for any bytes, and any text', () => {
    const byte = fc.oneof(fc.constantFrom(...firsts), fc.integer({ min: 0, max: 255 }))
    const property = fc.property(fc.array(byte, { maxLength: 12 }), fc.string(), (any, text) => {
      expect(isValid(any)).toBe(isUtf8(Buffer.from(any)))
      expect(isValid(Buffer.from(text))).toBe(true)
    })
    fc.assert(property, { numRuns: 2_000 })
  })
})

test('each line is judged by itself', () => {
  const utf8 = new Utf8()
  utf8.push(0xe2)
  expect(utf8.isInside).toBe(true)
  utf8.end()
  expect(utf8.isValid).toBe(false)
  utf8.begin()
  expect([utf8.isValid, utf8.isInside]).toEqual([true, false])
})
