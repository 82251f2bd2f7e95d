// Goal: the writer writes the intended terms, as Erlang would. Method: properties that read them
// with the reader and with a naive one; the bytes of recorded terms.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { readTermNaively, type Value } from './naive.fixture.ts'
import { TermWriter } from './term-writer.ts'
import { bytesOf, readerOf, recorded } from './terms.fixture.ts'

function written(write: (writer: TermWriter) => void): Uint8Array {
  const writer = new TermWriter()
  write(writer)
  return bytesOf(writer.take())
}

/** The terms that comet writes. */
type Term =
  | { readonly integer: number }
  | { readonly atom: string }
  | { readonly binary: string }
  | { readonly tuple: readonly Term[] }
  | { readonly list: readonly Term[] }
  | { readonly raw: 'pid' | 'alias' }

const name = fc.string({ unit: 'binary', maxLength: 63 })
const terms = fc.letrec<{ term: Term }>((tie) => ({
  term: fc.oneof(
    { maxDepth: 5 },
    fc.record({ integer: fc.maxSafeNat() }),
    fc.record({ integer: fc.nat({ max: 300 }) }),
    fc.record({ atom: name }),
    fc.record({ binary: fc.string({ unit: 'binary', maxLength: 400 }) }),
    fc.record({ raw: fc.constantFrom('pid' as const, 'alias' as const) }),
    fc.record({ tuple: fc.array(tie('term'), { maxLength: 6 }) }),
    fc.record({ list: fc.array(tie('term'), { maxLength: 6 }) }),
  ),
})).term

function write(writer: TermWriter, term: Term): void {
  if ('integer' in term) writer.integer(term.integer)
  else if ('atom' in term) writer.atom(term.atom)
  else if ('binary' in term) writer.binary(term.binary)
  else if ('raw' in term) writer.append(recorded(term.raw))
  else if ('tuple' in term) {
    writer.tuple(term.tuple.length)
    for (const inside of term.tuple) write(writer, inside)
  } else {
    writer.list(term.list.length)
    for (const inside of term.list) write(writer, inside)
    writer.nil()
  }
}

function meaningOf(term: Term): Value {
  if ('integer' in term) return { kind: 'integer', value: BigInt(term.integer) }
  if ('atom' in term) return { kind: 'atom', name: term.atom }
  if ('binary' in term) return { kind: 'binary', bytes: Buffer.from(term.binary) }
  if ('raw' in term) return readTermNaively(recorded(term.raw)).value ?? { kind: 'nil' }
  if ('tuple' in term) return { kind: 'tuple', terms: term.tuple.map(meaningOf) }
  if (term.list.length === 0) return { kind: 'nil' }
  return { kind: 'list', terms: term.list.map(meaningOf), tail: { kind: 'nil' } }
}

describe('a written term', () => {
  test('has the intended value, and Erlang accepts it', () => {
    fc.assert(
      fc.property(terms, (term) => {
        const bytes = written((writer) => write(writer, term))
        const { value, extent, differences } = readTermNaively(bytes)
        expect(value).toEqual(meaningOf(term))
        expect([extent, [...differences]]).toEqual([bytes.length, []])
      }),
    )
  })

  test.each([
    'zero',
    'byteMax',
    'overByte',
    'int32Max',
    'emptyTuple',
    'nil',
    'emptyBinary',
  ] as const)('is byte by byte the recorded %s', (recordedName) => {
    const writes: Record<typeof recordedName, (writer: TermWriter) => void> = {
      zero: (writer) => writer.integer(0),
      byteMax: (writer) => writer.integer(255),
      overByte: (writer) => writer.integer(256),
      int32Max: (writer) => writer.integer(2 ** 31 - 1),
      emptyTuple: (writer) => writer.tuple(0),
      nil: (writer) => writer.list(0).nil(),
      emptyBinary: (writer) => writer.binary(''),
    }
    expect(written(writes[recordedName])).toEqual(recorded(recordedName))
  })

  test('stands alone after a version byte', () => {
    const bytes = written((writer) => writer.version().tuple(2).integer(123).binary('Hello'))
    expect(bytes).toEqual(bytesOf(131, recorded('tuple')))
  })
})

describe('an integer', () => {
  const BOUNDS = [8, 15, 16, 31, 32, 33, 48, 52, 53].map((bits) => 2 ** bits)

  test('at each bound has its value when read', () => {
    const values = BOUNDS.flatMap((bound) => [bound - 1, bound, bound + 1])
    for (const value of values.filter(Number.isSafeInteger)) {
      const { reader, end } = readerOf(written((writer) => writer.integer(value)))
      expect([reader.integer(), reader.at]).toEqual([value, end])
    }
  })

  test('of any size has its value when read', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        const { reader, end } = readerOf(written((writer) => writer.integer(value)))
        expect([reader.integer(), reader.at]).toEqual([value, end])
      }),
    )
  })
})
