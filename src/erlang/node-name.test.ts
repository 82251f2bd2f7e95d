// Goal: a node name is parsed as Erlang does it, and nothing else is accepted. Method: tables of
// valid and invalid texts, every character at every place, and random texts.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { erlangLimits } from '../core/limits.ts'
import { isLongName, parseNodeName } from './node-name.ts'

const { nameBytesMax } = erlangLimits

describe('parseNodeName', () => {
  test.each([
    ['comet@localhost', 'comet', 'localhost'],
    ['a@b', 'a', 'b'],
    ['comet-1_x@host.example.com', 'comet-1_x', 'host.example.com'],
    ['comet@127.0.0.1', 'comet', '127.0.0.1'],
    ['comet@::1', 'comet', '::1'],
    ["!#$%'*+/=?~@{|}", "!#$%'*+/=?~", '{|}'],
  ])('reads %p', (full, alive, host) => {
    expect(parseNodeName(full)).toEqual({ full, alive, host })
  })

  test.each([
    [''],
    ['comet'],
    ['@'],
    ['comet@'],
    ['@localhost'],
    ['a@b@c'],
    ['a@@c'],
    [' comet@localhost'],
    ['comet@localhost '],
    ['comet@local host'],
    ['comet@localhost\n'],
    ['comet\u0000@localhost'],
    ['\u001b[1mcomet@localhost'],
    ['comet\u007f@localhost'],
    ['grüße@localhost'],
    ['comet@日本'],
  ])('refuses %p', (text) => {
    expect(parseNodeName(text)).toBeUndefined()
  })

  test('accepts printable ASCII on either side of the sign only', () => {
    for (let code = 0; code < 0x180; code++) {
      const character = String.fromCharCode(code)
      const isValid = code > 0x20 && code < 0x7f && character !== '@'
      for (const text of [
        `${character}b@c`,
        `b${character}@c`,
        `b@${character}c`,
        `b@c${character}`,
      ]) {
        expect([text, parseNodeName(text) !== undefined]).toEqual([text, isValid])
      }
    }
  })

  test('accepts as many characters as an atom may have', () => {
    const name = (length: number) => `${'a'.repeat(length - 2)}@b`
    expect(parseNodeName(name(nameBytesMax))?.full).toBe(name(nameBytesMax))
    expect(parseNodeName(name(nameBytesMax + 1))).toBeUndefined()
  })

  test('returns the parts of any name', () => {
    const part = fc.stringMatching(/^[!-?A-~]{1,40}$/)
    fc.assert(
      fc.property(part, part, (alive, host) => {
        expect(parseNodeName(`${alive}@${host}`)).toEqual({
          ...{ full: `${alive}@${host}`, alive, host },
        })
      }),
    )
  })
})

describe('isLongName', () => {
  test.each([
    ['comet@localhost', false],
    ['comet.x@localhost', false],
    ['comet@localhost.localdomain', true],
    ['comet@127.0.0.1', true],
    ['comet@::1', true],
  ])('of %p is %p', (text, expected) => {
    const name = parseNodeName(text)
    expect(name && isLongName(name)).toBe(expected)
  })
})
