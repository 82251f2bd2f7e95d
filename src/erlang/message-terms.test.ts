// Goal: a body in any form that an Erlang programmer would call text arrives as that text, and
// everything else is refused with the right error. Method: tables of valid and invalid bodies;
// sizes at the limit; a property against a naive reader. What messages and batches do is in
// mailbox.test.ts.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { ErrorCode } from '../core/errors.ts'
import { erlangLimits, messageLimits } from '../core/limits.ts'
import { randomFrom } from '../core/random.ts'
import { readBody } from './message-terms.ts'
import { bodyNaively, readTermNaively } from './naive.fixture.ts'
import { TermReader } from './term-reader.ts'
import { TAG, TermScanner } from './term-scanner.ts'
import {
  atomOf,
  bigOf,
  binaryOf,
  bytesOf,
  charactersOf,
  deepOf,
  integerOf,
  listOf,
  mapOf,
  NIL,
  placed,
  readerOf,
  recorded,
  stringOf,
  termOf,
  tupleOf,
  uint32,
} from './terms.fixture.ts'

const MAX = messageLimits.bodyBytesMax

/** The body's bytes or the error code. Either way the term is skipped. */
function bodyOf(term: Uint8Array): Buffer | ErrorCode {
  const { reader, end } = readerOf(term)
  const body = readBody(reader)
  expect(reader.at).toBe(end)
  return body.ok ? Buffer.from(body.value) : body.why.code
}

function textOf(term: Uint8Array): string {
  return bodyOf(term).toString()
}

function bytes(...values: number[]): Uint8Array {
  return listOf(values.map(integerOf))
}

describe('the body', () => {
  test.each([
    ['a binary', binaryOf('Grüße, 日本 😀'), 'Grüße, 日本 😀'],
    ['the recorded binary', recorded('binary'), 'Hello'],
    ['a binary with control characters', binaryOf('a\0b\n'), 'a\0b\n'],
    ['a string of ASCII', stringOf('bc'), 'bc'],
    ['a string of Latin-1 characters', stringOf('Grüße'), 'Grüße'],
    ['a string of the bytes of UTF-8', stringOf(Buffer.from('Grüße')), 'Grüße'],
    ['a list of Latin-1 characters', charactersOf('Grüße'), 'Grüße'],
    ['a list of the bytes of UTF-8', bytes(...Buffer.from('Grüße')), 'Grüße'],
    ['the recorded characters', recorded('codePoints'), '日本'],
    ['characters of every length', charactersOf('aü日😀\u{10ffff}\0'), 'aü日😀\u{10ffff}\0'],
    ['the characters around surrogates', charactersOf('\ud7ff\ue000'), '\ud7ff\ue000'],
    ['characters of which one is not a byte', bytes(0xfc, 0x100), 'üĀ'],
    ['characters that are bytes of UTF-8 except one', bytes(0xc3, 0xbc, 0x65e5), 'Ã¼日'],
    ['integers with explicit size', listOf([bigOf(97n), bigOf(98n, true, 3)]), 'ab'],
    ['the recorded iolist, with a binary for its tail', recorded('ioList'), 'abcd'],
    ['the recorded nested iolist', recorded('ioListDeep'), 'aéc'],
    ['a list of binaries', listOf([binaryOf('a'), binaryOf('ü')]), 'aü'],
    ['a character split in two parts', listOf([binaryOf(Buffer.of(0xc3)), bytes(0xbc)]), 'ü'],
    ['a list in a list in a list', listOf([listOf([listOf([stringOf('x')])])]), 'x'],
    ['a list whose tail is a string', listOf([binaryOf('a')], stringOf('bc')), 'abc'],
    ['a list whose tail is a list', listOf([binaryOf('a')], listOf([binaryOf('b')])), 'ab'],
    ['a list that is only a tail', listOf([], binaryOf('ab')), 'ab'],
    ['characters and binaries of UTF-8', listOf([integerOf(0xfc), binaryOf('ü')]), 'üü'],
    ['a string of Latin-1 in a list', listOf([stringOf('ß'), NIL, integerOf(0x65e5)]), 'ß日'],
    ['empty parts around a text', listOf([NIL, binaryOf(''), stringOf(''), stringOf('a')]), 'a'],
    ['a byte order mark', binaryOf('\ufeffa'), '\ufeffa'],
  ])('may be %s', (_, term, text) => {
    expect(textOf(term)).toBe(text)
  })

  test('may be nested as deep as a term', () => {
    const deepest = deepOf(erlangLimits.termDepthMax, bytesOf(TAG.list, uint32(1)), stringOf('a'))
    expect(textOf(deepest)).toBe('a'.repeat(erlangLimits.termDepthMax))
  })

  test.each([
    ['a single integer', integerOf(97)],
    ['a negative integer in a list', bytes(97, -1)],
    ['half of a surrogate pair', bytes(0xd800)],
    ['both halves of a surrogate pair', bytes(0xd83d, 0xde00)],
    ['the last half of a surrogate pair', bytes(0xdfff)],
    ['a number above the last character', bytes(97, 0x11_0000)],
    ['a large integer', listOf([bigOf(2n ** 53n)])],
    ['a negative large integer', listOf([bigOf(-97n)])],
    ['a float', recorded('float')],
    ['a float in a list', listOf([recorded('float')])],
    ['an atom', atomOf('hello')],
    ['an atom in a list', recorded('list')],
    ['a tuple', tupleOf(binaryOf('a'))],
    ['a tuple in a list', listOf([binaryOf('a'), tupleOf()])],
    ['a map', mapOf(binaryOf('a'), binaryOf('b'))],
    ['bits', recorded('bitstring')],
    ['bits after bytes', listOf([binaryOf('a'), recorded('bitstringLonger')])],
    ['a process', recorded('pid')],
    ['a reference', listOf([recorded('reference')])],
    ['a fun', recorded('fun')],
    ['a list with an integer for its tail', listOf([integerOf(97)], integerOf(98))],
    ['a list with a character for its tail', listOf([integerOf(0x65e5)], integerOf(0x672c))],
    ['a list with an atom for its tail', recorded('improperList')],
    ['a list inside with an integer for its tail', listOf([listOf([NIL], integerOf(97))])],
    ['a list that is only an integer as tail', listOf([], integerOf(97))],
    ['a text before an atom', listOf([binaryOf('a'.repeat(99)), stringOf('ü'), atomOf('b')])],
  ])('is not %s', (_, term) => {
    expect(bodyOf(term)).toBe('invalid_message')
  })

  test.each([
    ['a list', NIL],
    ['a binary', binaryOf('')],
    ['a string', stringOf('')],
    ['a list that is only an empty tail', listOf([])],
    ['a list of empty parts', listOf([NIL, binaryOf('')])],
    ['a list with an empty tail', listOf([NIL, stringOf('')], binaryOf(''))],
    ['a list of empty lists', listOf([listOf([NIL]), listOf([])])],
  ])('must not be empty: %s', (_, term) => {
    expect(bodyOf(term)).toBe('message_empty')
  })

  test.each([
    ['a binary', binaryOf(Buffer.of(0x61, 0xff))],
    ['half a character', binaryOf(Buffer.of(0xe6, 0x97))],
    ['Latin-1', binaryOf(Buffer.from('Grüße', 'latin1'))],
    ['a binary in a list', listOf([binaryOf(Buffer.of(0xff))])],
    ['half a surrogate pair', binaryOf(Buffer.of(0xed, 0xa0, 0x80))],
    ['a binary beside characters', listOf([integerOf(0x65e5), binaryOf(Buffer.of(0xfc))])],
  ])('must be UTF-8: %s', (_, term) => {
    expect(bodyOf(term)).toBe('invalid_utf8')
  })
})

describe('the size of a body is limited:', () => {
  const parts = (bytesOfAll: number) => {
    const some = Array.from({ length: 32 }, () => binaryOf('x'.repeat(bytesOfAll / 32)))
    return [...some, stringOf('x'.repeat(bytesOfAll % 32))]
  }
  test.each<[string, (bytes: number) => Uint8Array]>([
    ['a binary', (length) => binaryOf('x'.repeat(length))],
    ['a binary in a list', (length) => listOf([binaryOf('x'.repeat(length))])],
    ['a list of integers', (length) => charactersOf('x'.repeat(length))],
    [
      'a list of strings',
      (length) => listOf([stringOf('x'.repeat(length - 9)), stringOf('x'.repeat(9))]),
    ],
    ['a list of binaries', (length) => listOf(parts(length))],
    ['the tail of a list', (length) => listOf([integerOf(120)], binaryOf('x'.repeat(length - 1)))],
    ['characters of three bytes', (length) => charactersOf(`日${'x'.repeat(length - 3)}`)],
    ['the bytes of UTF-8', (length) => bytes(...Buffer.from(`日${'x'.repeat(length - 3)}`))],
    ['Latin-1', (length) => charactersOf(`${'ü'.repeat(32_000)}${'x'.repeat(length - 64_000)}`)],
  ])('%s', (_, make) => {
    const body = bodyOf(make(MAX))
    expect([typeof body, body.length]).toEqual(['object', MAX])
    expect(bodyOf(make(MAX + 1))).toBe('message_too_large')
  })

  test('the error names the size of a body that is too large', () => {
    const large = [binaryOf('x'.repeat(70_000)), charactersOf('日'.repeat(30_000))]
    const messages = large.map((term) => {
      const body = readBody(readerOf(term).reader)
      return body.ok ? '' : body.why.message
    })
    expect(messages).toEqual([
      expect.stringContaining('is 70000 bytes'),
      expect.stringContaining('is 90000 bytes'),
    ])
  })

  test('a body that is too large and invalid is invalid', () => {
    expect(bodyOf(listOf([binaryOf('x'.repeat(MAX + 1)), atomOf('a')]))).toBe('invalid_message')
  })

  test('an earlier body has no effect', () => {
    expect(bodyOf(binaryOf('x'.repeat(MAX + 1)))).toBe('message_too_large')
    expect(bodyOf(listOf([stringOf('long'.repeat(999)), atomOf('a')]))).toBe('invalid_message')
    expect(textOf(stringOf('short'))).toBe('short')
  })
})

describe('a frame', () => {
  test.each([
    ['a binary', binaryOf('text')],
    ['a string', stringOf('text')],
    ['a list', listOf([binaryOf('te'), stringOf('xt')])],
    ['characters', charactersOf('text')],
  ])(
    'of %s does not change when the packet buffer is reused, or when other bodies are read',
    (_, term) => {
      const { bytes: buffer, at, end } = placed(term)
      const scanner = new TermScanner()
      expect(scanner.scan(buffer, at, end)).toBe(end)
      const body = readBody(new TermReader(scanner, buffer, at))
      buffer.fill(0x21)
      readBody(readerOf(stringOf('other')).reader)
      readBody(readerOf(listOf([stringOf('other')])).reader)
      expect(body.ok ? Buffer.from(body.value).toString() : body.why).toBe('text')
      expect(body.ok && body.value.buffer !== buffer.buffer).toBe(true)
      // It occupies no more memory than it needs.
      expect(body.ok && body.value.buffer.byteLength).toBe(4)
    },
  )

  test('of any term is that of a naive reader', () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const random = randomFrom(seed)
        const term = listOf([termOf(random, 3)])
        const { value } = readTermNaively(term)
        if (value !== null) expect(bodyOf(term)).toEqual(bodyNaively(value))
        const inside = term.subarray(5, -1)
        const { value: alone } = readTermNaively(inside)
        if (alone !== null) expect(bodyOf(inside)).toEqual(bodyNaively(alone))
      }),
      { numRuns: 2_000 },
    )
  })
})
