// Goal: the reader tells of a term what it is, passes all of it or nothing, and never reads beyond it.
// Method: recorded terms, each with what is known of it; tables and properties of integers of every
// size and of atoms in each encoding.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { TAG } from './tags.ts'
import { type Kind, TermReader } from './term-reader.ts'
import { Scanner } from './term-scanner.ts'
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

/** Has something read a term, which must pass all of it. */
function passing<T>(term: Uint8Array, read: (reader: TermReader) => T): T {
  const { reader, end } = readerOf(term)
  const value = read(reader)
  expect(reader.at).toBe(end)
  return value
}

/** Has something read a term, which must not pass any of it. */
function staying<T>(term: Uint8Array, read: (reader: TermReader) => T): T {
  const { reader } = readerOf(term)
  const { at } = reader
  const value = read(reader)
  expect(reader.at).toBe(at)
  return value
}

const KINDS: Record<Kind, (keyof typeof import('./recorded.terms.fixture.ts').TERMS)[]> = {
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
  test.each(Object.entries(KINDS) as [Kind, (typeof KINDS)[Kind]][])(
    'is of kind %s',
    (kind, all) => {
      for (const name of all)
        expect([name, readerOf(recorded(name)).reader.kind]).toEqual([name, kind])
    },
  )

  test.each(RECORDED)('%s is passed as a whole, and its bytes are told', (_, term) => {
    passing(term, (reader) => reader.pass())
    const raw = passing(term, (reader) => reader.raw())
    expect(Buffer.compare(raw, term)).toBe(0)
  })

  test.each(RECORDED)('%s is not passed by who looks for something else', (_, term) => {
    const { kind } = readerOf(term).reader
    if (kind !== 'tuple') expect(staying(term, (reader) => reader.tuple())).toBe(-1)
    if (kind !== 'list') expect(staying(term, (reader) => reader.list())).toBe(-1)
    if (kind !== 'atom') expect(staying(term, (reader) => reader.atom())).toBeNull()
    expect(staying(term, (reader) => reader.isAtom('no such name'))).toBe(false)
    if (kind === 'string' || kind === 'binary') return
    expect(staying(term, (reader) => reader.chunk())).toBeNull()
  })

  test.each(RECORDED)('%s is passed by who wants an integer, whatever it is', (_, term) => {
    const { kind } = readerOf(term).reader
    const value = passing(term, (reader) => reader.integer())
    if (kind !== 'integer') expect(value).toBeNaN()
  })

  test('raw is a view of the bytes that were read', () => {
    const { reader } = readerOf(tupleOf(NIL, binaryOf('ab')))
    const { at } = reader
    const raw = reader.raw()
    expect([raw.buffer, raw.byteOffset]).toEqual([
      reader.bytes.buffer,
      reader.bytes.byteOffset + at,
    ])
  })

  test('is read piece by piece, as a message with its caller is', () => {
    const { reader, end } = readerOf(recorded('genCall'))
    expect([reader.tuple(), reader.isAtom('$gen_call'), reader.tuple()]).toEqual([3, true, 2])
    expect(reader.tag).toBe(TAG.newPid)
    reader.pass()
    expect([reader.list(), reader.atom(), reader.tag]).toEqual([1, 'alias', TAG.newerReference])
    expect(reader.raw().length).toBe(33)
    expect([reader.tuple(), reader.isAtom('send'), reader.integer()]).toEqual([3, true, 123])
    expect(Buffer.from(reader.chunk() ?? []).toString()).toBe('x')
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
    ['uint64Max', Number.NaN],
    ['overUint64', Number.NaN],
    ['power70', Number.NaN],
    ['negativePower70', Number.NaN],
    ['largeBig', Number.NaN],
  ] as const)('that was recorded as %s is %p', (name, value) => {
    expect(passing(recorded(name), (reader) => reader.integer())).toBe(value)
  })

  test.each([
    [2n ** 53n - 1n, 2 ** 53 - 1],
    [-(2n ** 53n) + 1n, -(2 ** 53) + 1],
    [2n ** 53n, Number.NaN],
    [-(2n ** 53n), Number.NaN],
    [2n ** 53n + 1n, Number.NaN],
    [2n ** 64n, Number.NaN],
    [2n ** 2039n, Number.NaN],
    [-(2n ** 2039n), Number.NaN],
    [1n, 1],
    [-1n, -1],
    [0n, 0],
  ])('of %p in a length of its own is %p', (big, value) => {
    for (const isLarge of [false, true]) {
      expect(passing(bigOf(big, isLarge), (reader) => reader.integer())).toBe(value)
    }
  })

  test('of any size is what it is, or NaN where a number is not exact', () => {
    const bits = fc.integer({ min: 1, max: 80 })
    const value = bits.chain((n) => fc.bigInt({ min: -(2n ** BigInt(n)), max: 2n ** BigInt(n) }))
    fc.assert(
      fc.property(value, fc.boolean(), fc.nat({ max: 9 }), (big, isLarge, zeros) => {
        const number = Number(big)
        const expected = Number.isSafeInteger(number) ? number : Number.NaN
        const read = passing(bigOf(big, isLarge, zeros), (reader) => reader.integer())
        // A nothing with a sign is one too.
        expect(read + 0).toBe(expected)
      }),
    )
  })

  test('of any four bytes is what it is', () => {
    fc.assert(
      fc.property(fc.integer(), (value) => {
        expect(passing(integerOf(value), (reader) => reader.integer())).toBe(value)
      }),
    )
  })
})

describe('an atom', () => {
  const LATIN = Array.from({ length: 255 }, (_, at) => String.fromCharCode(at + 1)).join('')

  test.each([
    ['atom', 'ok'],
    ['atomBoolean', 'true'],
    ['atomEmpty', ''],
    ['atomLatin1', 'é'],
    ['atomUtf8', '日本'],
    ['atomNode', 'b@localhost'],
    ['atomLong', 'a'.repeat(255)],
    ['atomLongUtf8', '日'.repeat(255)],
  ] as const)('that was recorded as %s has its name', (name, text) => {
    expect(passing(recorded(name), (reader) => reader.atom())).toBe(text)
  })

  test.each(ATOM_TAGS.map((tag) => [tag]))(
    'with the tag %p may be of any Latin-1 letters',
    (tag) => {
      for (const name of ['', 'ok', 'é', ...(LATIN.match(/.{1,100}/gs) ?? [])]) {
        expect(passing(atomOf(name, tag), (reader) => reader.atom())).toBe(name)
      }
    },
  )

  test.each([TAG.atomUtf8, TAG.smallAtomUtf8])('with the tag %p may be of any letters', (tag) => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (name) => {
        expect(passing(atomOf(name, tag), (reader) => reader.atom())).toBe(name)
      }),
    )
    // A byte order mark, which readers of text like to lose.
    const name = '\ufeffa\ufeff'
    expect(passing(atomOf(name, tag), (reader) => reader.atom())).toBe(name)
  })

  test.each(ATOM_TAGS.map((tag) => [tag]))('with the tag %p is known by its name', (tag) => {
    expect(passing(atomOf('subject', tag), (reader) => reader.isAtom('subject'))).toBe(true)
    expect(passing(atomOf('', tag), (reader) => reader.isAtom(''))).toBe(true)
    for (const other of ['', 'subjec', 'subjects', 'Subject', 'subjecT', 'xxxxxxx']) {
      expect(staying(atomOf('subject', tag), (reader) => reader.isAtom(other))).toBe(false)
    }
    expect(staying(atomOf('süb', tag), (reader) => reader.isAtom('sub'))).toBe(false)
  })

  test('is no text and no list of the same letters', () => {
    for (const term of [binaryOf('ok'), stringOf('ok'), listOf([atomOf('ok')])]) {
      expect(staying(term, (reader) => reader.isAtom('ok'))).toBe(false)
      expect(staying(term, (reader) => reader.atom())).toBeNull()
    }
  })
})

describe('a chunk', () => {
  test.each([
    ['binary', 'Hello'],
    ['emptyBinary', ''],
    ['string', 'bc'],
    ['stringLatin1', 'é'],
  ] as const)('that was recorded as %s is its bytes', (name, text) => {
    const chunk = passing(recorded(name), (reader) => reader.chunk())
    expect(Buffer.from(chunk ?? [255]).toString('latin1')).toBe(text)
  })

  test('is a view of the bytes that were read', () => {
    const { reader } = readerOf(binaryOf('abc'))
    expect(reader.chunk()?.buffer).toBe(reader.bytes.buffer)
  })
})

describe('a step', () => {
  test.each([
    ['a tuple', tupleOf(NIL, atomOf('a')), 2],
    ['a large tuple', largeTupleOf(NIL, atomOf('a')), 2],
    ['the recorded large tuple', recorded('largeTuple'), 300],
    ['a tuple without elements', tupleOf(), 0],
    ['a large tuple without elements', largeTupleOf(), 0],
  ])('into %s is before its first element', (_, term, terms) => {
    passing(term, (reader) => {
      expect(reader.tuple()).toBe(terms)
      for (let left = terms; left > 0; left--) reader.pass()
    })
  })

  test.each([
    ['a list', recorded('list'), 3],
    ['an improper list', recorded('improperList'), 1],
    ['a list of nothing but a tail', listOf([]), 0],
  ])('into %s is before its first element, and its tail is the last', (_, term, terms) => {
    passing(term, (reader) => {
      expect(reader.list()).toBe(terms)
      for (let left = terms; left >= 0; left--) reader.pass()
    })
  })

  test('over what was never checked, and is no term, is an error', () => {
    const { bytes, at } = placed(bytesOf(TAG.binary, uint32(99)))
    const reader = new TermReader(new Scanner(), bytes, at)
    expect(() => reader.pass()).toThrow('a term that was checked is none')
  })
})
