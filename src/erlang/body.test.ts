// Goal: what an Erlang programmer would call the text of a message arrives as that text, whatever form
// it has, and everything else is refused by its reason. Method: tables of what people send and of what
// is none; sizes at the limit; a property that holds all against a naive reading of the same rule.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { ErrorCode } from '../core/errors.ts'
import { erlangLimits, messageLimits } from '../core/limits.ts'
import { randomFrom } from '../core/random.ts'
import { bodyNaively } from './body.fixture.ts'
import { readBody } from './body.ts'
import { readTermNaively } from './naive.fixture.ts'
import { TAG } from './tags.ts'
import { TermReader } from './term-reader.ts'
import { Scanner } from './term-scanner.ts'
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

/** The body's bytes, or the code of why there is none; the term is passed in any case. */
function bodyOf(term: Uint8Array): Buffer | ErrorCode {
  const { reader, end } = readerOf(term)
  const body = readBody(reader)
  expect(reader.at).toBe(end)
  return body.ok ? Buffer.from(body.value.bytes) : body.why.code
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
    ['a binary with bytes of nothing', binaryOf('a\0b\n'), 'a\0b\n'],
    ['a string of ASCII', stringOf('bc'), 'bc'],
    ['a string of Latin-1 characters', stringOf('Grüße'), 'Grüße'],
    ['a string of the bytes of UTF-8', stringOf(Buffer.from('Grüße')), 'Grüße'],
    ['a list of Latin-1 characters', charactersOf('Grüße'), 'Grüße'],
    ['a list of the bytes of UTF-8', bytes(...Buffer.from('Grüße')), 'Grüße'],
    ['the recorded characters', recorded('codePoints'), '日本'],
    ['characters of every length', charactersOf('aü日😀\u{10ffff}\0'), 'aü日😀\u{10ffff}\0'],
    ['the characters around surrogates', charactersOf('\ud7ff\ue000'), '\ud7ff\ue000'],
    ['characters of which one alone is no byte', bytes(0xfc, 0x100), 'üĀ'],
    ['characters that would be bytes of UTF-8 but for one', bytes(0xc3, 0xbc, 0x65e5), 'Ã¼日'],
    ['an integer in a length of its own', listOf([bigOf(97n), bigOf(98n, true, 3)]), 'ab'],
    ['the recorded iolist, with a binary for its tail', recorded('ioList'), 'abcd'],
    ['the recorded nested iolist', recorded('ioListDeep'), 'aéc'],
    ['a list of binaries', listOf([binaryOf('a'), binaryOf('ü')]), 'aü'],
    ['one of a character in two parts', listOf([binaryOf(Buffer.of(0xc3)), bytes(0xbc)]), 'ü'],
    ['a list in a list in a list', listOf([listOf([listOf([stringOf('x')])])]), 'x'],
    ['a list whose tail is a string', listOf([binaryOf('a')], stringOf('bc')), 'abc'],
    ['a list whose tail is a list', listOf([binaryOf('a')], listOf([binaryOf('b')])), 'ab'],
    ['a list of nothing but a tail', listOf([], binaryOf('ab')), 'ab'],
    ['characters and binaries of UTF-8', listOf([integerOf(0xfc), binaryOf('ü')]), 'üü'],
    ['a string of Latin-1 in a list', listOf([stringOf('ß'), NIL, integerOf(0x65e5)]), 'ß日'],
    ['empty parts around a text', listOf([NIL, binaryOf(''), stringOf(''), stringOf('a')]), 'a'],
    ['a byte order mark', binaryOf('\ufeffa'), '\ufeffa'],
  ])('may be %s', (_, term, text) => {
    expect(textOf(term)).toBe(text)
  })

  test('may be as deep as a term may', () => {
    const deepest = deepOf(erlangLimits.termDepthMax, bytesOf(TAG.list, uint32(1)), stringOf('a'))
    expect(textOf(deepest)).toBe('a'.repeat(erlangLimits.termDepthMax))
  })

  test.each([
    ['a lone integer', integerOf(97)],
    ['a negative integer in a list', bytes(97, -1)],
    ['half of a surrogate pair', bytes(0xd800)],
    ['both halves of a surrogate pair', bytes(0xd83d, 0xde00)],
    ['the last half of a surrogate pair', bytes(0xdfff)],
    ['a number past the last character', bytes(97, 0x11_0000)],
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
    ['a list of nothing but an integer for its tail', listOf([], integerOf(97))],
    ['a text before what is none', listOf([binaryOf('a'.repeat(99)), stringOf('ü'), atomOf('b')])],
  ])('is not %s', (_, term) => {
    expect(bodyOf(term)).toBe('invalid_message')
  })

  test.each([
    ['a list', NIL],
    ['a binary', binaryOf('')],
    ['a string', stringOf('')],
    ['a list of nothing', listOf([])],
    ['a list of empty ones', listOf([NIL, binaryOf('')])],
    ['a list with an empty tail', listOf([NIL, stringOf('')], binaryOf(''))],
    ['a list of lists of nothing', listOf([listOf([NIL]), listOf([])])],
  ])('is not empty as %s', (_, term) => {
    expect(bodyOf(term)).toBe('message_empty')
  })

  test.each([
    ['a binary', binaryOf(Buffer.of(0x61, 0xff))],
    ['half a character', binaryOf(Buffer.of(0xe6, 0x97))],
    ['Latin-1', binaryOf(Buffer.from('Grüße', 'latin1'))],
    ['a binary in a list', listOf([binaryOf(Buffer.of(0xff))])],
    ['half a surrogate pair', binaryOf(Buffer.of(0xed, 0xa0, 0x80))],
    ['a binary beside characters', listOf([integerOf(0x65e5), binaryOf(Buffer.of(0xfc))])],
  ])('is not %s that is not UTF-8', (_, term) => {
    expect(bodyOf(term)).toBe('invalid_utf8')
  })
})

describe('a body may have so many bytes and no more:', () => {
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

  test('what is too long says how long it would be', () => {
    const longs = [binaryOf('x'.repeat(70_000)), charactersOf('日'.repeat(30_000))]
    const words = longs.map((term) => {
      const body = readBody(readerOf(term).reader)
      return body.ok ? '' : body.why.message
    })
    expect(words).toEqual([
      expect.stringContaining('is 70000 bytes'),
      expect.stringContaining('is 90000 bytes'),
    ])
  })

  test('what is too long and none is none', () => {
    expect(bodyOf(listOf([binaryOf('x'.repeat(MAX + 1)), atomOf('a')]))).toBe('invalid_message')
  })

  test('the one before it does not matter', () => {
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
  ])('of %s stays as it is when the buffer it came in changes, and when others come', (_, term) => {
    const { bytes: buffer, at, end } = placed(term)
    const scanner = new Scanner()
    expect(scanner.scan(buffer, at, end)).toBe(end)
    const frame = readBody(new TermReader(scanner, buffer, at))
    buffer.fill(0x21)
    readBody(readerOf(stringOf('other')).reader)
    readBody(readerOf(listOf([stringOf('other')])).reader)
    expect(frame.ok ? Buffer.from(frame.value.bytes).toString() : frame.why).toBe('text')
    expect(frame.ok && frame.value.bytes.buffer !== buffer.buffer).toBe(true)
    // It holds no more memory than it needs.
    expect(frame.ok && frame.value.bytes.buffer.byteLength).toBe(4)
  })

  test('is that of a naive reading of the same rule, for any term', () => {
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
