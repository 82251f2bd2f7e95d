// Goal: bytes are decoded exactly if they are UTF-8. Method: what the decoder of the platform says
// of the same bytes, on examples and on bytes at random.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { decodeUtf8 } from './utf8.ts'

function decoded(bytes: Uint8Array, before = 0, behind = 0): string | null {
  const around = Buffer.concat([Buffer.alloc(before, 0xff), bytes, Buffer.alloc(behind, 0xff)])
  return decodeUtf8({ bytes: around, start: before, end: before + bytes.length })
}

function expectedOf(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return null
  }
}

describe('decodeUtf8', () => {
  test.each(['', 'a', 'é', '€uro', '😀', '\0', 'a\ufffdb', '\ufffd', '\u{10ffff}', 'a\ufeff'])(
    'reads %j as it was written',
    (text) => {
      expect(decoded(Buffer.from(text), 3, 2)).toBe(text)
    },
  )

  test('passes over one byte order mark', () => {
    expect(decoded(Buffer.from('\ufeff{}'))).toBe('{}')
    expect(decoded(Buffer.from('\ufeff\ufeff'))).toBe('\ufeff')
  })

  test.each([
    ['a byte that none begins with', [0x61, 0xff]],
    ['a cut character', [0xe2, 0x82]],
    ['an overlong form', [0xc0, 0x80]],
    ['half of a surrogate pair', [0xed, 0xa0, 0x80]],
    ['what is above the last character', [0xf4, 0x90, 0x80, 0x80]],
    ['a replacement character and a byte of none', [0xef, 0xbf, 0xbd, 0x80]],
  ])('refuses %s', (_, bytes) => {
    expect(decoded(Uint8Array.from(bytes), 1, 1)).toBeNull()
  })

  test('agrees with the platform on all bytes', () => {
    const byte = fc.constantFrom(
      0x41,
      0x80,
      0xbf,
      0xc3,
      0xe2,
      0xed,
      0xa0,
      0xef,
      0xbb,
      0xf0,
      0x9f,
      0,
    )
    const bytes = fc.oneof(
      fc.array(byte, { maxLength: 12 }).map((list) => Uint8Array.from(list)),
      fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
      fc.uint8Array({ maxLength: 12 }),
    )
    fc.assert(
      fc.property(bytes, (each) => expect(decoded(each, 1, 1)).toBe(expectedOf(each))),
      { numRuns: 3_000 },
    )
  })
})
