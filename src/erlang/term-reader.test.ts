// Goal: the reader recognizes each kind of term, skips all of it or nothing, and never reads past
// it. Method: recorded terms; tables and properties of integers of every size and of atoms in each
// encoding.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { TERMS } from './recorded.terms.fixture.ts'
import { type TermKind, TermReader } from './term-reader.ts'
import { TAG, TermScanner } from './term-scanner.ts'
import {
  ATOM_TAGS,
  atomOf,
  bigOf,
  binaryOf,
  bytesOf,
  integerOf,
  largeTupleOf,
  listOf,
  NIL,
  placed,
  RECORDED,
  readerOf,
  recorded,
  stringOf,
  tupleOf,
  uint32,
} from './terms.fixture.ts'

/** Reads a term, all of which must be skipped. */
function skipping<T>(term: Uint8Array, read: (reader: TermReader) => T): T {
  const { reader, end } = readerOf(term)
  const value = read(reader)
  expect(reader.at).toBe(end)
  return value
}

/** Reads a term, none of which may be skipped. */
function staying<T>(term: Uint8Array, read: (reader: TermReader) => T): T {
  const { reader } = readerOf(term)
  const { at } = reader
  const value = read(reader)
  expect(reader.at).toBe(at)
  return value
}

const KINDS: Record<TermKind, (keyof typeof TERMS)[]> = {
  integer: ['zero', 'overByte', 'negative', 'uint64Max', 'largeBig'],
  atom: ['atom', 'atomEmpty', 'atomLatin1', 'atomUtf8', 'atomLong', 'atomLongUtf8'],
  tuple: ['emptyTuple', 'tuple', 'largeTuple'],
  nil: ['nil'],
  string: ['string', 'stringLatin1'],
  list: ['list', 'codePoints', 'improperList', 'ioList', 'manyToSend'],
  binary: ['binary', 'emptyBinary', 'binaryUtf8'],
  other: ['float', 'bitstring', 'map', 'pid', 'port', 'reference', 'alias', 'fun', 'externalFun'],
}

describe('a recorded term', () => {
  test('has its kind', () => {
    for (const [kind, names] of Object.entries(KINDS)) {
      for (const name of names) {
        expect([name, readerOf(recorded(name)).reader.kind]).toEqual([name, kind as TermKind])
      }
    }
  })

  test.each(RECORDED)('%s is skipped as a whole, and returned as raw bytes', (_, term) => {
    skipping(term, (reader) => reader.skipTerm())
    const raw = skipping(term, (reader) => reader.raw())
    expect(Buffer.compare(raw, term)).toBe(0)
  })

  test.each(RECORDED)('%s is not skipped when something else is expected', (_, term) => {
    const { kind } = readerOf(term).reader
    if (kind !== 'tuple') expect(staying(term, (reader) => reader.tuple())).toBe(-1)
    if (kind !== 'list') expect(staying(term, (reader) => reader.list())).toBe(-1)
    expect(staying(term, (reader) => reader.isAtom('no such name'))).toBe(false)
    if (kind === 'string' || kind === 'binary') return
    expect(staying(term, (reader) => reader.byteString())).toBeNull()
  })

  test.each(RECORDED)('%s is skipped when an integer is expected', (_, term) => {
    const { kind } = readerOf(term).reader
    const value = skipping(term, (reader) => reader.integer())
    if (kind !== 'integer') expect(value).toBeNaN()
  })

  test('is read piece by piece, as a call is', () => {
    const { reader, end } = readerOf(recorded('genCall'))
    expect([reader.tuple(), reader.isAtom('$gen_call'), reader.tuple()]).toEqual([3, true, 2])
    expect(reader.tag).toBe(TAG.newPid)
    reader.skipTerm()
    expect([reader.list(), reader.isAtom('alias'), reader.tag]).toEqual([
      ...[1, true, TAG.newerReference],
    ])
    expect(reader.raw().length).toBe(33)
    expect([reader.tuple(), reader.isAtom('send'), reader.integer()]).toEqual([3, true, 123])
    expect(Buffer.from(reader.byteString() ?? []).toString()).toBe('x')
    expect(reader.at).toBe(end)
  })
})

describe('an integer', () => {
  test.each([
    ['zero', 0],
    ['byteMax', 255],
    ['overByte', 256],
    ['negative', -1],
    ['int32Max', 2 ** 31 - 1],
    ['overInt32', 2 ** 31],
    ['int32Min', -(2 ** 31)],
    ['underInt32', -(2 ** 31) - 1],
    ['int64Max', Number.NaN],
    ['overUint64', Number.NaN],
    ['negativePower70', Number.NaN],
    ['largeBig', Number.NaN],
  ] as const)('recorded as %s is %p', (name, value) => {
    expect(skipping(recorded(name), (reader) => reader.integer())).toBe(value)
  })

  test.each([
    [2n ** 53n - 1n, 2 ** 53 - 1],
    [-(2n ** 53n) + 1n, -(2 ** 53) + 1],
    [2n ** 53n, Number.NaN],
    [-(2n ** 53n), Number.NaN],
    [2n ** 2039n, Number.NaN],
    [-1n, -1],
    [0n, 0],
  ])('of value %p with explicit size is %p', (big, value) => {
    for (const isLarge of [false, true]) {
      expect(skipping(bigOf(big, isLarge), (reader) => reader.integer())).toBe(value)
    }
  })

  test('of any size has its value, or NaN if a number is not exact', () => {
    const bits = fc.integer({ min: 1, max: 80 })
    const value = bits.chain((n) => fc.bigInt({ min: -(2n ** BigInt(n)), max: 2n ** BigInt(n) }))
    fc.assert(
      fc.property(value, fc.boolean(), fc.nat({ max: 9 }), (big, isLarge, zeros) => {
        const number = Number(big)
        const expected = Number.isSafeInteger(number) ? number : Number.NaN
        const read = skipping(bigOf(big, isLarge, zeros), (reader) => reader.integer())
        // Makes 0 of -0.
        expect(read + 0).toBe(expected)
      }),
    )
  })

  test('of four bytes has its value', () => {
    fc.assert(
      fc.property(fc.integer(), (value) => {
        expect(skipping(integerOf(value), (reader) => reader.integer())).toBe(value)
      }),
    )
  })
})

describe('an atom', () => {
  test.each(ATOM_TAGS.map((tag) => [tag]))('with tag %p is recognized by its name', (tag) => {
    expect(skipping(atomOf('subject', tag), (reader) => reader.isAtom('subject'))).toBe(true)
    expect(skipping(atomOf('', tag), (reader) => reader.isAtom(''))).toBe(true)
    for (const other of ['', 'subjec', 'subjects', 'Subject', 'subjecT', 'xxxxxxx']) {
      expect(staying(atomOf('subject', tag), (reader) => reader.isAtom(other))).toBe(false)
    }
    expect(staying(atomOf('süb', tag), (reader) => reader.isAtom('sub'))).toBe(false)
  })

  test('differs from a binary, a string and a list with the same letters', () => {
    for (const term of [binaryOf('ok'), stringOf('ok'), listOf([atomOf('ok')])]) {
      expect(staying(term, (reader) => reader.isAtom('ok'))).toBe(false)
    }
  })
})

test.each([
  ['binary', 'Hello'],
  ['emptyBinary', ''],
  ['string', 'bc'],
  ['stringLatin1', 'é'],
] as const)('a byte string recorded as %s has its bytes', (name, text) => {
  const bytes = skipping(recorded(name), (reader) => reader.byteString())
  expect(Buffer.from(bytes ?? [255]).toString('latin1')).toBe(text)
})

describe('the bytes of an atom or a binary as Latin-1', () => {
  const terms = [...ATOM_TAGS.map((tag) => atomOf('alice', tag)), binaryOf('alice')]

  test('are returned if there are not too many', () => {
    for (const term of terms) {
      expect(skipping(term, (reader) => reader.latin1(5))).toBe('alice')
      expect(staying(term, (reader) => reader.latin1(4))).toBeNull()
    }
    expect(skipping(atomOf(''), (reader) => reader.latin1(0))).toBe('')
    expect(skipping(binaryOf('é'), (reader) => reader.latin1(9))).toBe('Ã©')
  })

  test.each(RECORDED)('are none of other terms, such as %s', (_, term) => {
    const { kind } = readerOf(term).reader
    if (kind === 'atom' || kind === 'binary') return
    expect(staying(term, (reader) => reader.latin1(64))).toBeNull()
  })
})

test('raw bytes and byte strings are views of the bytes read', () => {
  const { reader } = readerOf(binaryOf('abc'))
  const { at } = reader
  const { buffer, byteOffset } = reader.raw()
  expect([buffer, byteOffset]).toEqual([reader.bytes.buffer, reader.bytes.byteOffset + at])
  reader.at = at
  expect(reader.byteString()?.buffer).toBe(reader.bytes.buffer)
})

describe('stepping into a term', () => {
  test.each([
    ['a tuple', tupleOf(NIL, atomOf('a')), 2],
    ['a large tuple', largeTupleOf(NIL, atomOf('a')), 2],
    ['the recorded large tuple', recorded('largeTuple'), 300],
    ['an empty tuple', tupleOf(), 0],
    ['an empty large tuple', largeTupleOf(), 0],
  ])('stops before the first element of %s', (_, term, arity) => {
    skipping(term, (reader) => {
      expect(reader.tuple()).toBe(arity)
      for (let left = arity; left > 0; left--) reader.skipTerm()
    })
  })

  test.each([
    ['a list', recorded('list'), 3],
    ['an improper list', recorded('improperList'), 1],
    ['a list that is only a tail', listOf([]), 0],
  ])('stops before the first element of %s, whose tail is last', (_, term, length) => {
    skipping(term, (reader) => {
      expect(reader.list()).toBe(length)
      for (let left = length; left >= 0; left--) reader.skipTerm()
    })
  })
})

test('skipping a term that was never scanned and is invalid throws', () => {
  const { bytes, at } = placed(bytesOf(TAG.binary, uint32(99)))
  const reader = new TermReader(new TermScanner(), bytes, at)
  expect(() => reader.skipTerm()).toThrow('a scanned term is invalid')
})
