// Goal: the data of a body is exactly what RFC 9112 sections 6.3 and 7.1 say, however its bytes
// arrive, and what follows stays for the next request. Method: a table of bodies, each cut at every
// byte.

import { describe, expect, test } from 'bun:test'
import { httpLimits } from '../core/http-limits.ts'
import { BodyReader, type BodyResult } from './request-body.ts'
import { REQUEST_ERRORS, type RequestErrorCode } from './request-errors.ts'
import type { BodyFraming } from './request-head.ts'

const CHUNKED: BodyFraming = { kind: 'chunked' }

interface Seen {
  /** What was read as data, in latin1. */
  readonly data: string
  /** Bytes of the body; null unless it is complete. */
  readonly length: number | null
  readonly kind: BodyResult['kind']
  readonly code: RequestErrorCode | null
}

/** Reads text in pieces of some bytes, each in memory that is overwritten at once. */
function read(wire: string, framing = CHUNKED, pieceBytes = wire.length): Seen {
  let data = ''
  const reader = new BodyReader(framing, (bytes) => {
    data += Buffer.from(bytes).toString('latin1')
  })
  let result: BodyResult = { kind: 'incomplete' }
  let at = 0
  do {
    const piece = Buffer.from(`\0${wire.slice(at, at + pieceBytes)}\r\n0`, 'latin1')
    const end = piece.length - 3
    result = reader.read(piece, 1, end)
    piece.fill(0x21)
    if (result.kind === 'complete')
      return { ...result, data, length: at + result.length, code: null }
    at += pieceBytes
  } while (result.kind === 'incomplete' && at < wire.length)
  const code = result.kind === 'rejected' ? result.code : null
  return { data, length: null, kind: result.kind, code }
}

const VALID: readonly (readonly [name: string, wire: string, data: string])[] = [
  ['no chunk but the last', '0\r\n\r\n', ''],
  ['a chunk', '5\r\nhello\r\n0\r\n\r\n', 'hello'],
  ['several chunks', '1\r\na\r\n2\r\nbc\r\n0\r\n\r\n', 'abc'],
  ['line ends in a chunk', '4\r\n\r\n\r\n\r\n0\r\n\r\n', '\r\n\r\n'],
  [
    'a size in letters of any case',
    'a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n',
    '0123456789'.repeat(2),
  ],
  ['zeros before a size', '0000000000000001\r\na\r\n0000000000000000\r\n\r\n', 'a'],
  ['an extension', '1;a\r\nb\r\n0;c=d\r\n\r\n', 'b'],
  ['several extensions', '1;a;b=c;d="e"\r\nf\r\n0\r\n\r\n', 'f'],
  [
    'blanks around the parts of extensions',
    '1 \t; \ta \t= \tb \t; c = "d" ;e\r\nf\r\n0\r\n\r\n',
    'f',
  ],
  ['a quoted value', '1;a="\\"\\\\;\t\x80\xff =\\\xff"\r\nb\r\n0\r\n\r\n', 'b'],
  ['an empty quoted value', '1;a=""\r\nb\r\n0\r\n\r\n', 'b'],
  ['trailers', '0\r\nA: b\r\nContent-Length: 5\r\nc:\t\xff\r\nd:\r\n\r\n', ''],
  ['the longest extensions', `0;${'x'.repeat(httpLimits.chunkExtensionBytesMax - 1)}\r\n\r\n`, ''],
  ['the longest trailers', `0\r\n${'a:\r\n'.repeat(httpLimits.trailerBytesMax / 4)}\r\n`, ''],
]

const INVALID: readonly (readonly [name: string, wire: string, code: RequestErrorCode])[] = [
  ['no size', '\r\n', 'invalid_chunk'],
  ['a size with a sign', '+1\r\n', 'invalid_chunk'],
  ['a size that is no number', '1g\r\n', 'invalid_chunk'],
  ['a size with a prefix', '0x1\r\n', 'invalid_chunk'],
  ['a blank before a size', ' 1\r\n', 'invalid_chunk'],
  ['a blank behind a size', '1 \r\n', 'invalid_chunk'],
  ['a size that ends in LF', '1\na', 'invalid_chunk'],
  ['a size that ends in CR', '1\ra', 'invalid_line_end'],
  ['a size that is too large', '20000000000000\r\n', 'body_too_long'],
  ['a size of too many digits', '00000000000000001', 'body_too_long'],
  ['data that is longer than its size', '1\r\nab', 'invalid_line_end'],
  ['data that ends in LF', '1\r\na\n', 'invalid_line_end'],
  ['data that ends in CR', '1\r\na\r0', 'invalid_line_end'],
  ['an extension without a name', '1;\r\n', 'invalid_chunk'],
  ['an extension without a value', '1;a=\r\n', 'invalid_chunk'],
  ['an extension that is no token', '1;a(\r\n', 'invalid_chunk'],
  ['two values', '1;a=b=c\r\n', 'invalid_chunk'],
  ['a blank in a name', '1;a b\r\n', 'invalid_chunk'],
  ['a blank in a value', '1;a=b c\r\n', 'invalid_chunk'],
  ['a blank at the end of a line', '1;a \r\n', 'invalid_chunk'],
  ['an extension that ends in LF', '1;a\n', 'invalid_chunk'],
  ['a quoted value that ends in LF', '1;a="\n', 'invalid_chunk'],
  ['a quoted value with CR', '1;a="\r\n', 'invalid_chunk'],
  ['a quoted value with a control character', '1;a="\\\0"', 'invalid_chunk'],
  ['letters behind a quoted value', '1;a="b"c', 'invalid_chunk'],
  [
    'extensions that are too long',
    `0;${'x'.repeat(httpLimits.chunkExtensionBytesMax)}`,
    'chunk_extensions_too_long',
  ],
  [
    'extensions that are too long together',
    `1;${'x'.repeat(1_023)}\r\na\r\n`.repeat(16).concat('1;x'),
    'chunk_extensions_too_long',
  ],
  ['a trailer without a name', '0\r\n:\r\n', 'invalid_field'],
  ['a trailer without a colon', '0\r\na\r\n', 'invalid_field'],
  ['a blank before the colon of a trailer', '0\r\na :\r\n', 'invalid_field'],
  ['a folded trailer', '0\r\na: b\r\n c\r\n', 'invalid_field'],
  ['a control character in a trailer', '0\r\na: \0\r\n', 'invalid_field'],
  ['a trailer that ends in LF', '0\r\na: b\n', 'invalid_field'],
  ['a trailer that ends in CR', '0\r\na: b\rc', 'invalid_line_end'],
  ['an end in LF', '0\r\n\n', 'invalid_field'],
  ['an end in CR', '0\r\n\rG', 'invalid_line_end'],
  [
    'trailers that are too long',
    `0\r\n${'a:\r\n'.repeat(httpLimits.trailerBytesMax / 4)}a`,
    'trailers_too_long',
  ],
]

describe('a chunked body is read that has', () => {
  test.each(VALID)('%s', (_, wire, data) => {
    const seen = { data, length: wire.length, kind: 'complete', code: null } as const
    expect(read(wire)).toEqual(seen)
    expect(read(`${wire}GET / HTTP/1.1\r\n`)).toEqual(seen)
  })
})

describe('a chunked body is rejected that has', () => {
  test.each(INVALID)('%s', (_, wire, code) => {
    expect(read(wire)).toMatchObject({ kind: 'rejected', code })
  })
})

test('a chunked body is read, or rejected, as a whole one when it is cut at any byte', () => {
  for (const [name, wire] of [...VALID, ...INVALID]) {
    const whole = read(wire)
    for (let pieceBytes = 1; pieceBytes < Math.min(wire.length, 40); pieceBytes++) {
      expect([name, read(wire, CHUNKED, pieceBytes)]).toEqual([name, whole])
    }
    for (let cut = 0; cut < wire.length; cut += wire.length > 1_000 ? 97 : 1) {
      const part = read(wire.slice(0, cut))
      if (part.kind === 'incomplete') expect(whole.data).toStartWith(part.data)
      else expect([name, part]).toEqual([name, whole])
    }
  }
})

test('a body with a length ends there, wherever it is cut', () => {
  const framing = { kind: 'length', length: 5 } as const
  const seen = { data: 'hello', length: 5, kind: 'complete', code: null } as const
  for (let pieceBytes = 1; pieceBytes < 9; pieceBytes++) {
    expect(read('helloGET', framing, pieceBytes)).toEqual(seen)
    expect(read('hell', framing, pieceBytes)).toMatchObject({ data: 'hell', kind: 'incomplete' })
  }
})

test('no body is complete at once, without any byte', () => {
  const seen = { data: '', length: 0, kind: 'complete', code: null } as const
  expect(read('', { kind: 'none' })).toEqual(seen)
  expect(read('GET', { kind: 'none' })).toEqual(seen)
})

test('data is a view of the piece, not a copy', () => {
  const piece = Buffer.from('3\r\nabc\r\n')
  const views: Uint8Array[] = []
  const reader = new BodyReader(CHUNKED, (data) => views.push(data))
  reader.read(piece, 0, piece.length)
  expect(views).toHaveLength(1)
  expect(views[0]?.buffer).toBe(piece.buffer)
})

test('an error has the status and text of the table', () => {
  const reader = new BodyReader(CHUNKED, () => undefined)
  expect(reader.read(Buffer.from('x'), 0, 1)).toEqual({
    kind: 'rejected',
    code: 'invalid_chunk',
    ...REQUEST_ERRORS.invalid_chunk,
  })
})
