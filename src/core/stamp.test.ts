// Goal: the flood client reads exactly the stamps that a generator writes, also in a message that
// is wrapped. Method: round trips as properties, anywhere in a buffer; tables of wrappings and of
// garbage.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  CHAINED_BYTES_MAX,
  type Chain,
  findStamp,
  readChain,
  readStamp,
  STAMP_BYTES_MAX,
  type Stamp,
  sizedText,
  stampedText,
} from './stamp.ts'

const encoder = new TextEncoder()

/** Reads a stamp from text that lies between other bytes, which must not matter. */
function read(text: string, before = '', after = '', reader = readStamp): Stamp | null {
  const bytes = encoder.encode(before + text + after)
  const start = encoder.encode(before).length
  const fields = { generator: -1, sequence: -1, dueMicros: -1 }
  const end = start + encoder.encode(text).length
  return reader(bytes, start, end, fields) ? fields : null
}

/** Finds a stamp in such text, wherever it is. */
function find(text: string, before = '', after = ''): Stamp | null {
  return read(text, before, after, findStamp)
}

const stamps = fc.record({
  generator: fc.integer({ min: 0, max: 2 ** 36 }),
  sequence: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
  dueMicros: fc.integer({ min: 0, max: 9_000_000_000_000_000 }),
})

describe('a stamp', () => {
  test('has the form that its documentation shows', () => {
    const stamp = { generator: 3, sequence: 7, dueMicros: 1795507371003684 }
    expect(stampedText(7, stamp)).toBe('Fake message Num = 7 stamp=3.7.1795507371003684')
  })

  test('is read as it was written, wherever the message is in memory', () => {
    fc.assert(
      fc.property(stamps, fc.nat(), fc.string(), fc.string(), (stamp, number, before, after) => {
        expect(read(stampedText(number, stamp), before, after)).toEqual(stamp)
      }),
    )
  })

  test('is read after any other text', () => {
    expect(read('naïve text 🙂 stamp=1.2.3')).toEqual({ generator: 1, sequence: 2, dueMicros: 3 })
  })
})

describe('a text of a given size', () => {
  const stamp = { generator: 3, sequence: 7, dueMicros: 1795507371003684 }

  test.each([
    [60, 'Fake message Num = 7............. stamp=3.7.1795507371003684'],
    [47, 'Fake message Num = 7 stamp=3.7.1795507371003684'],
    [46, 'Fake message Num =  stamp=3.7.1795507371003684'],
    [27, ' stamp=3.7.1795507371003684'],
    [26, 'Fake mess ~=3.7.hogcp62hic'],
  ])('of %p bytes is padded or cut before its stamp', (bytes, text) => {
    expect(sizedText(7, stamp, bytes)).toBe(text)
  })

  test('has exactly that size and a stamp that can be read, for any stamp', () => {
    const sizes = fc.integer({ min: STAMP_BYTES_MAX, max: 2_000 })
    fc.assert(
      fc.property(stamps, fc.nat(), sizes, (any, number, bytes) => {
        const text = sizedText(number, any, bytes)
        expect(Buffer.byteLength(text)).toBe(bytes)
        expect(read(text)).toEqual(any)
      }),
    )
  })

  test('fits the longest stamp into the least size', () => {
    const longest = { generator: 2 ** 36, sequence: 2 ** 32 - 1, dueMicros: 9_000_000_000_000_000 }
    const text = sizedText(1, longest, STAMP_BYTES_MAX)
    expect(text).toBe(' ~=vkhsvls.1z141z3.2gm8ex6vwg0')
  })
})

describe('no stamp is read from', () => {
  test.each([
    [''],
    ['Hello'],
    ['7'],
    ['1.2.3'],
    [' stamp=1.2.'],
    [' stamp=1.2'],
    [' stamp=1..3'],
    [' stamp=.2.3'],
    [' stamp=1.2.3\n'],
    [' stamp=1.2.3 '],
    [' stamp=-1.2.3'],
    [' stamp=1.2.3x'],
    [' stamp=1.2.0x3'],
    [' stamp 1.2.3'],
    ['p=1.2.3'],
    [' ~=1.2'],
    [' ~=1.2.Z'],
    ['~=1.2.3'],
    [' ~=1.2.123456789012'],
    [' stamp=1.2.12345678901234567'],
    [' stamp=1.12345678901234567.3'],
    [' stamp=12345678901234567.2.3'],
  ])('%p', (text) => {
    expect(read(text)).toBeNull()
  })

  test.each([['see /map?zip=10.2.3'], ['a message with p=1.2.3'], ['xstamp=1.2.3']])(
    '%p, which only ends like one',
    (text) => {
      expect(read(text)).toBeNull()
    },
  )

  test('a message whose mark is before its start', () => {
    expect(read('1.2.3', ' stamp=')).toBeNull()
    expect(read('stamp=1.2.3', ' ')).toBeNull()
  })

  test('any text without the mark', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(read(text.replaceAll('=', '-'))).toBeNull()
      }),
    )
  })
})

const STAMP = { generator: 3, sequence: 7, dueMicros: 1795507371003684 }
const TEXT = stampedText(7, STAMP)

describe('a stamp is found', () => {
  test.each([
    ['alone', TEXT],
    ['in JSON', JSON.stringify({ id: 1, message: TEXT, of: 'x=1.2.3' })],
    ['in JSON of JSON', JSON.stringify([JSON.stringify({ text: TEXT })])],
    ['in an event', `event: message\ndata: ${TEXT}\nid: 5\n`],
    ['in a script', `<script>parent.got('${TEXT}')</script>`],
    ['after several signs', `a=b; c==d=1.2.3 stamp= stamp=1.2 ${TEXT}`],
    ['after a sign at its start', `=${TEXT}`],
    ['before another one', `${TEXT} stamp=9.9.9`],
    ['before a sign', `${TEXT}=`],
  ])('%s', (_, text) => {
    expect(find(text)).toEqual(STAMP)
  })

  test('after and before any text without adjacent digits and dots', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (before, behind) => {
        const words = before.replaceAll('stamp', '')
        const rest = behind.replace(/^[\d.]+/, '')
        expect(find(`${words}${TEXT}${rest}`, 'x stamp=1.2.3 ', ' stamp=1.2.3')).toEqual(STAMP)
      }),
    )
  })
})

describe('no stamp is found', () => {
  test.each([
    [''],
    ['='],
    ['====='],
    ['a=1.2.3'],
    [' stamp='],
    [' stamp=1.2'],
    [' stamp=1.2.3.4'],
    [' stamp=1..3'],
    [' stamp="1.2.3"'],
    ['xstamp=1.2.3'],
  ])('in %p', (text) => {
    expect(find(text)).toBeNull()
  })

  test('before or after the message', () => {
    expect(find('no', ' stamp=1.2.3', ' stamp=1.2.3')).toBeNull()
    expect(find('1.2.3', ' stamp=')).toBeNull()
    expect(find(' stamp=1.2.', '', '3')).toBeNull()
  })
})

describe('a chain', () => {
  const chains = fc.record({
    target: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
    sequence: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    dueMicros: fc.integer({ min: 0, max: 9_000_000_000_000_000 }),
  })

  function chainOf(text: string): Chain | null {
    const bytes = encoder.encode(`9${text}.1`)
    const fields = { target: -1, sequence: -1, dueMicros: -1 }
    return readChain(bytes, 1, bytes.length - 2, fields) ? fields : null
  }

  test('stands before the stamp, which is read as without it', () => {
    fc.assert(
      fc.property(fc.nat(), stamps, chains, (number, stamp, chain) => {
        const text = stampedText(number, stamp, chain)
        expect([read(text), chainOf(text)]).toEqual([stamp, chain])
        expect(chainOf(stampedText(number, stamp))).toBeNull()
      }),
    )
  })

  test('fits any size from the least on', () => {
    const size = fc.integer({ min: CHAINED_BYTES_MAX, max: 300 })
    fc.assert(
      fc.property(stamps, chains, size, (stamp, chain, bytes) => {
        const text = sizedText(7, stamp, bytes, chain)
        expect([text.length, read(text), chainOf(text)]).toEqual([bytes, stamp, chain])
      }),
    )
  })

  test.each([
    ...['', ' stamp=1.2.3', ' after=1.2 stamp=1.2.3', 'after=1.2.3 stamp=1.2.3'],
    ...[' after=1..3 stamp=1.2.3', ' after=1.2.3  stamp=1.2.3', ' after=1.2.3 ~=1.2.3'],
  ])('is not in %p', (text) => {
    expect(chainOf(text)).toBeNull()
  })
})
