// Goal: in any bytes, the scanner finds the end of a term and rejects what is truncated, has a
// wrong length or exceeds a limit. Method: recorded terms, each of their prefixes and wrong
// lengths; tables of invalid terms; properties against a naive reader on random and damaged terms.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { erlangLimits } from '../core/limits.ts'
import { randomFrom } from '../core/random.ts'
import { readTermNaively } from './naive.fixture.ts'
import { TAG, TermScanner } from './term-scanner.ts'
import {
  ATOM_TAGS,
  atomOf,
  bigOf,
  bytesOf,
  damaged,
  deepOf,
  extentOf,
  listOf,
  NIL,
  placed,
  RECORDED,
  stringOf,
  termOf,
  tupleOf,
  uint16,
  uint32,
} from './terms.fixture.ts'

const TRUNCATED = 'a term is truncated or has a wrong length'

describe('a recorded term', () => {
  test.each(RECORDED)('%s ends at its last byte, whatever follows', (_, term) => {
    for (const behind of [bytesOf(), bytesOf(0), NIL, term, bytesOf(255, 255, 255, 255, 255)]) {
      expect(extentOf(bytesOf(term, behind))).toBe(term.length)
    }
  })

  test.each(RECORDED)('%s is truncated at each byte but its last', (_, term) => {
    for (let length = 0; length < term.length; length++) {
      expect(extentOf(term.subarray(0, length))).toBe(TRUNCATED)
      // The bytes after `end` may be there and belong to the next packet.
      const { bytes, at } = placed(term)
      const scanner = new TermScanner()
      expect([scanner.scan(bytes, at, at + length), scanner.failure]).toEqual([-1, TRUNCATED])
    }
  })
})

describe('any term', () => {
  test('ends where a naive reader finds its end', () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const term = termOf(randomFrom(seed))
        const { extent, differences } = readTermNaively(term)
        if (!differences.has('depth')) expect(extent).toBe(term.length)
        expect(extentOf(term)).toEqual(extent > 0 ? extent : expect.any(String))
      }),
      { numRuns: 1_000 },
    )
  })

  test('with damage ends where a naive reader finds its end, or is invalid', () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const random = randomFrom(seed)
        const term = damaged(random, termOf(random), termOf(random))
        const { extent } = readTermNaively(term)
        expect(extentOf(term)).toEqual(extent > 0 ? extent : expect.any(String))
      }),
      { numRuns: 2_000 },
    )
  })

  test('is scanned independently of the one before', () => {
    const scanner = new TermScanner()
    const cut = deepOf(100, bytesOf(TAG.smallTuple, 2, NIL), bytesOf()).subarray(0, 90)
    expect(extentOf(cut, scanner)).toBe(TRUNCATED)
    expect([extentOf(tupleOf(NIL, NIL), scanner), scanner.failure]).toEqual([4, null])
  })
})

describe('a length', () => {
  const node = atomOf('b@localhost')
  const content = bytesOf(1, new Uint8Array(24), uint32(1), NIL)
  /** The bytes before and after a length, its size and its correct value. */
  const LENGTHS: [string, Uint8Array, 1 | 2 | 4, number, Uint8Array][] = [
    ['a tuple', bytesOf(TAG.smallTuple), 1, 2, bytesOf(NIL, NIL)],
    ['a large tuple', bytesOf(TAG.largeTuple), 4, 2, bytesOf(NIL, NIL)],
    ['a list', bytesOf(TAG.list), 4, 2, bytesOf(NIL, NIL, NIL)],
    ['a map', bytesOf(TAG.map), 4, 1, bytesOf(NIL, NIL)],
    ['a binary', bytesOf(TAG.binary), 4, 3, bytesOf('abc')],
    ['a bitstring', bytesOf(TAG.bitBinary), 4, 3, bytesOf(4, 'abc')],
    ['a string', bytesOf(TAG.string), 2, 3, bytesOf('abc')],
    ['an integer', bytesOf(TAG.smallBig), 1, 3, bytesOf(0, 'abc')],
    ['a large integer', bytesOf(TAG.largeBig), 4, 3, bytesOf(0, 'abc')],
    ['an atom', bytesOf(TAG.atomUtf8), 2, 2, bytesOf('ok')],
    ['a small atom', bytesOf(TAG.smallAtomUtf8), 1, 2, bytesOf('ok')],
    ['a Latin-1 atom', bytesOf(TAG.atom), 2, 2, bytesOf('ok')],
    ['a small Latin-1 atom', bytesOf(TAG.smallAtom), 1, 2, bytesOf('ok')],
    [
      'the node of a process',
      bytesOf(TAG.newPid, TAG.atomUtf8),
      2,
      1,
      bytesOf('b', content.subarray(0, 12)),
    ],
    ['a reference', bytesOf(TAG.newerReference), 2, 2, bytesOf(node, new Uint8Array(12))],
    ['an older reference', bytesOf(TAG.newReference), 2, 2, bytesOf(node, new Uint8Array(9))],
    ['a fun', bytesOf(TAG.newFun), 4, 4 + content.length, content],
  ]

  function withLength(before: Uint8Array, width: number, length: number, behind: Uint8Array) {
    const bytes = uint32(length).subarray(4 - width)
    return bytesOf(before, bytes, behind)
  }

  test.each(LENGTHS)('of %s that is correct is accepted', (_, before, width, length, behind) => {
    const term = withLength(before, width, length, behind)
    expect(extentOf(term)).toBe(term.length)
  })

  test.each(LENGTHS)('of %s that is too large is rejected', (_, before, width, length, behind) => {
    const most = 2 ** (8 * width) - 1
    for (const wrong of [
      length + 1,
      length + 2,
      (most + 1) / 2 - 1,
      (most + 1) / 2,
      most - 1,
      most,
    ]) {
      expect([wrong, extentOf(withLength(before, width, wrong, behind))]).toEqual([
        wrong,
        TRUNCATED,
      ])
    }
  })

  test('of a fun that is less than its own four bytes is rejected', () => {
    for (const size of [0, 1, 2, 3]) {
      expect(extentOf(bytesOf(TAG.newFun, uint32(size), content))).toBe(TRUNCATED)
    }
  })

  test('may be 0', () => {
    const empty = [
      ...[TAG.map, TAG.largeTuple, TAG.binary].map((tag) => bytesOf(tag, uint32(0))),
      ...[stringOf(''), tupleOf(), bigOf(0n), bigOf(0n, true), atomOf(''), listOf([])],
    ]
    expect(empty.map((term) => extentOf(bytesOf(term, NIL)))).toEqual(
      empty.map((term) => term.length),
    )
  })
})

describe('a term within terms', () => {
  const MAX = erlangLimits.termDepthMax
  const TOO_DEEP = `a term is nested more than ${MAX} deep`
  test.each([
    ['the elements of lists', bytesOf(TAG.list, uint32(1)), NIL],
    ['the tails of lists', bytesOf(TAG.list, uint32(1), NIL), bytesOf()],
    ['the tails of lists without elements', bytesOf(TAG.list, uint32(0)), bytesOf()],
    ['tuples', bytesOf(TAG.smallTuple, 1), bytesOf()],
    ['first elements of tuples', bytesOf(TAG.smallTuple, 2), NIL],
    ['last elements of large tuples', bytesOf(TAG.largeTuple, uint32(2), NIL), bytesOf()],
    ['keys of maps', bytesOf(TAG.map, uint32(1)), NIL],
    ['values of maps', bytesOf(TAG.map, uint32(1), NIL), bytesOf()],
    ['external funs', bytesOf(TAG.export, atomOf('a'), atomOf('b')), bytesOf()],
  ])('may be nested in %s up to the limit', (_, before, behind) => {
    const deepest = deepOf(MAX, before, behind)
    expect(extentOf(deepest)).toBe(deepest.length)
    expect(extentOf(deepOf(MAX + 1, before, behind))).toBe(TOO_DEEP)
    expect(extentOf(deepOf(400_000, before, behind))).toBe(TOO_DEEP)
  })

  test('counts the terms around it, not those before it', () => {
    const deepest = deepOf(MAX - 1, bytesOf(TAG.list, uint32(1)), NIL)
    const many = tupleOf(...Array.from({ length: 20 }, () => deepest))
    expect(extentOf(many)).toBe(many.length)
    expect(extentOf(tupleOf(NIL, tupleOf(NIL, deepest)))).toBe(TOO_DEEP)
  })

  test('counts no level for empty terms', () => {
    for (const empty of [tupleOf(), bytesOf(TAG.map, uint32(0)), NIL, stringOf('a')]) {
      const [before, behind] = [bytesOf(TAG.list, uint32(1), empty), bytesOf()]
      const deepest = bytesOf(deepOf(MAX, before, behind).slice(0, -1), empty)
      expect(extentOf(deepest)).toBe(deepest.length)
    }
  })
})

describe('atoms', () => {
  const MAX = erlangLimits.atomsMax
  const TOO_MANY = `more than ${MAX} different atoms received`
  /** All names of two Latin-1 letters, which are as many as there may be. */
  const names = Array.from({ length: MAX }, (_, at) => uint16(at))

  function atoms(from: number, to: number): Uint8Array {
    return listOf(names.slice(from, to).map((name) => atomOf(name, TAG.smallAtom)))
  }

  test('are limited over all terms of one scanner', () => {
    const scanner = new TermScanner()
    for (let from = 0; from < MAX; from += 8_192) {
      const some = atoms(from, from + 8_192)
      expect(extentOf(some, scanner)).toBe(some.length)
    }
    expect(extentOf(atomOf('one more'), scanner)).toBe(TOO_MANY)
    expect(extentOf(tupleOf(NIL, atomOf('one more')), scanner)).toBe(TOO_MANY)
    expect(extentOf(bytesOf(TAG.newPid, atomOf('one more'), new Uint8Array(12)), scanner)).toBe(
      TOO_MANY,
    )
    // Repeated ones are accepted.
    const again = atoms(0, MAX)
    expect(extentOf(again, scanner)).toBe(again.length)
    expect(extentOf(atomOf('one more'), new TermScanner())).toBe(10)
  })

  test('are counted once, whatever their encoding', () => {
    const scanner = new TermScanner()
    for (let from = 1; from < MAX; from += 8_191) {
      extentOf(atoms(from, Math.min(MAX, from + 8_191)), scanner)
    }
    const same = listOf(
      Array.from({ length: 100_000 }, (_, at) => atomOf('the last', ATOM_TAGS[at % 4])),
    )
    expect(extentOf(same, scanner)).toBe(same.length)
    expect(extentOf(atomOf('one more'), scanner)).toBe(TOO_MANY)
  })

  test.each([
    ['an invalid first byte', [0xff]],
    ['half a character', [0xc3]],
    ['an overlong encoding', [0xc0, 0x80]],
    ['half of a surrogate pair', [0xed, 0xa0, 0x80]],
    ['a code point above the last', [0xf4, 0x90, 0x80, 0x80]],
  ])('are invalid UTF-8 with %s', (_, name) => {
    for (const tag of [TAG.atomUtf8, TAG.smallAtomUtf8]) {
      expect(extentOf(atomOf(bytesOf('a', Uint8Array.from(name)), tag))).toBe(
        'an atom is not UTF-8',
      )
    }
    for (const tag of [TAG.atom, TAG.smallAtom]) {
      const atom = atomOf(bytesOf('a', Uint8Array.from(name)), tag)
      expect(extentOf(atom)).toBe(atom.length)
    }
  })

  test.each([
    ['UTF-8', TAG.atomUtf8],
    ['Latin-1', TAG.atom],
  ])('of %s are limited in length', (_, tag) => {
    const longest = atomOf('x'.repeat(erlangLimits.atomBytesMax), tag)
    expect(extentOf(longest)).toBe(longest.length)
    const longer = atomOf('x'.repeat(erlangLimits.atomBytesMax + 1), tag)
    expect(extentOf(longer)).toBe('an atom is longer than 255 characters')
  })

  test('of 255 characters of four bytes are accepted', () => {
    const atom = atomOf('😀'.repeat(255), TAG.atomUtf8)
    expect(extentOf(atom)).toBe(atom.length)
  })
})

describe('a tag', () => {
  const KNOWN: readonly number[] = Object.values(TAG)
  const UNKNOWN = Array.from({ length: 256 }, (_, tag) => tag).filter((tag) => !KNOWN.includes(tag))

  test('that is unsupported is rejected by its number, wherever it is', () => {
    // Compressed terms, cached atoms, internal atoms, old funs, distribution headers, local terms.
    expect(UNKNOWN).toEqual(expect.arrayContaining([80, 82, 65, 73, 117, 68, 121, 131, 0, 255]))
    for (const tag of UNKNOWN) {
      const why = `a term has the unsupported tag ${tag}`
      const unknown = bytesOf(tag, new Uint8Array(64))
      expect(extentOf(unknown)).toBe(why)
      expect(extentOf(tupleOf(NIL, unknown))).toBe(why)
      expect(extentOf(listOf([NIL], unknown))).toBe(why)
    }
  })

  test('other than that of an atom is rejected where a node or a function is named', () => {
    const rest = new Uint8Array(64)
    const heads = [TAG.newPid, TAG.pid, TAG.newPort, TAG.port, TAG.v4Port, TAG.reference].map(
      (tag) => bytesOf(tag),
    )
    heads.push(bytesOf(TAG.newerReference, uint16(1)), bytesOf(TAG.newReference, uint16(1)))
    heads.push(bytesOf(TAG.export), bytesOf(TAG.export, atomOf('lists')))
    for (const head of heads) {
      for (const tag of [TAG.nil, TAG.smallInteger, TAG.binary, TAG.smallTuple, 82, 255]) {
        const why = `an identifier has the tag ${tag} instead of a node name`
        expect(extentOf(bytesOf(head, tag, rest))).toBe(why)
      }
    }
  })
})
