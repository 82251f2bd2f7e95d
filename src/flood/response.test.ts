// Goal: a response gives the same head and chunks however it is cut, and bad ones a named fault.
// Method: properties over generated responses at all cuts, a table of faults, and arbitrary bytes.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { floodLimits } from '../core/tool-limits.ts'
import type { Framing } from './framing.ts'
import { type ReadResult, ResponseReader } from './response.ts'
import type { ResponseHead, Transfer } from './response-head.ts'

interface Seen {
  status: number[]
  chunks: string[]
  result: ReadResult
}

/** Reads parts one after another, each in a buffer that is used again at once. */
function read(parts: readonly Uint8Array[]): Seen {
  const reader = new ResponseReader()
  const seen: Seen = { status: [], chunks: [], result: 'more' }
  for (const part of parts) {
    if (seen.result !== 'more') break
    const buffer = new Uint8Array(part)
    seen.result = reader.read(buffer, {
      onHead: ({ status }) => {
        seen.status.push(status)
        return 'chunk'
      },
      onMessage: (bytes, start, end) => {
        seen.chunks.push(Buffer.from(bytes.subarray(start, end)).toString('latin1'))
      },
    })
    buffer.fill(0x21)
  }
  return seen
}

function latin1(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}

function readText(...parts: string[]): Seen {
  return read(parts.map(latin1))
}

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n'

/** Any chunk as a server may send it: its size in either case, with zeros, with extensions. */
const chunk = fc
  .record({
    body: fc
      .uint8Array({ minLength: 1, maxLength: 40 })
      .map((bytes) => Buffer.from(bytes).toString('latin1')),
    upper: fc.boolean(),
    zeros: fc.nat({ max: 3 }),
    extension: fc.constantFrom('', ';a=1', ' ; name="v;\\"x"', ';', '\t;b'),
  })
  .map(({ body, upper, zeros, extension }) => {
    const hex = body.length.toString(16).padStart(zeros, '0')
    return { body, wire: `${upper ? hex.toUpperCase() : hex}${extension}\r\n${body}\r\n` }
  })

const response = fc
  .record({
    early: fc.constantFrom(
      '',
      'HTTP/1.1 100 Continue\r\n\r\n',
      'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n',
    ),
    chunks: fc.array(chunk, { maxLength: 6 }),
    end: fc.constantFrom(
      '',
      '0\r\n\r\n',
      '00;x\r\nTrailer: 1\r\nOther: 2\r\n\r\n',
      '0\r\nX: y\r\n\r\n',
    ),
  })
  .map(({ early, chunks, end }) => ({
    wire: latin1(`${early}${HEAD}${chunks.map(({ wire }) => wire).join('')}${end}`),
    expected: {
      status: [200],
      chunks: chunks.map(({ body }) => body),
      result: end === '' ? ('more' as const) : ('ended' as const),
    },
  }))

describe('a chunked response', () => {
  test('is read the same, cut in two at every byte', () => {
    fc.assert(
      fc.property(response, ({ wire, expected }) => {
        for (let cut = 0; cut <= wire.length; cut++) {
          expect(read([wire.subarray(0, cut), wire.subarray(cut)])).toEqual(expected)
        }
      }),
      { numRuns: 50 },
    )
  })

  test('is read the same, byte by byte and in any other pieces', () => {
    fc.assert(
      fc.property(response, fc.integer({ min: 1, max: 30 }), ({ wire, expected }, size) => {
        const pieces = Math.ceil(wire.length / size)
        const cut = (at: number) => wire.subarray(at * size, (at + 1) * size)
        expect(read(Array.from({ length: pieces }, (_, at) => cut(at)))).toEqual(expected)
        expect(read(Array.from(wire, (byte) => Buffer.of(byte)))).toEqual(expected)
      }),
      { numRuns: 50 },
    )
  })

  test('is over at its final chunk, whatever follows', () => {
    expect(readText(`${HEAD}1\r\na\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n`)).toEqual({
      status: [200],
      chunks: ['a'],
      result: 'ended',
    })
  })

  test('may have a chunk of the largest size, in parts', () => {
    const body = 'x'.repeat(floodLimits.messageBytesMax)
    const wire = `${HEAD}${body.length.toString(16)}\r\n${body}\r\n`
    const { chunks, result } = readText(wire.slice(0, 500_000), wire.slice(500_000))
    expect([chunks.length, chunks[0]?.length, result]).toEqual([1, body.length, 'more'])
  })

  // Bun's sockets give Buffers, whose slice is a view and no copy.
  test('may come in Buffers that are used again', () => {
    const reader = new ResponseReader()
    const chunks: string[] = []
    const onMessage = (bytes: Uint8Array, start: number, end: number) => {
      chunks.push(Buffer.from(bytes.subarray(start, end)).toString())
    }
    const listener = { onHead: () => 'chunk' as const, onMessage }
    const buffer = Buffer.from(`${HEAD}5\r\nhe`)
    reader.read(buffer, listener)
    buffer.fill(0x21)
    reader.read(Buffer.from('llo\r\n'), listener)
    expect(chunks).toEqual(['hello'])
  })
})

describe('a head', () => {
  test.each([
    ['HTTP/1.1 404 Not Found', 404],
    ['HTTP/1.1 503 ', 503],
    ['HTTP/1.1 200', 200],
    ['HTTP/1.0 200 OK', 200],
  ])('%p has status %p', (line, status) => {
    expect(readText(`${line}\r\nA: b\r\n\r\n`)).toEqual({
      status: [status],
      chunks: [],
      result: 'more',
    })
  })

  test.each([
    ['transfer-encoding: chunked'],
    ['TRANSFER-ENCODING:CHUNKED'],
    ['Transfer-Encoding: gzip, chunked '],
  ])('says with %p that chunks follow', (field) => {
    expect(readText(`HTTP/1.1 200 OK\r\n${field}\r\n\r\n1\r\na\r\n`).chunks).toEqual(['a'])
  })

  test.each([
    ['HTTP/1.0 200 OK'],
    ['HTTP/1.1 200 OK\r\nContent-Type: text/plain; note=chunked'],
    ['HTTP/1.1 200 OK\r\nX-Transfer-Encoding: chunked'],
  ])('without chunks (%p) is followed by all until the close', (head) => {
    expect(readText(`${head}\r\n\r\nab`, '\r\n5\r\n')).toEqual({
      status: [200],
      chunks: ['ab', '\r\n5\r\n'],
      result: 'more',
    })
  })

  test.each<[Transfer, string]>([
    ['chunked', 'Transfer-Encoding: chunked'],
    ['chunked', 'transfer-encoding:gzip, CHUNKED'],
    ['chunked', 'Content-Length: 5\r\nTransfer-Encoding: chunked'],
    ['length', 'Content-Length: 5'],
    ['length', 'content-length:0\r\nX-Transfer-Encoding: chunked'],
    ['until-close', 'Content-Type: text/html'],
    ['until-close', 'Transfer-Encoding: x-chunked'],
    ['until-close', 'Transfer-Encoding: gzip'],
    ['until-close', 'Transfer-Encoding: chunked, gzip'],
    ['until-close', 'X-Content-Length: 5'],
  ])('reports that the body is %s with %p', (transfer, fields) => {
    const heads: unknown[] = []
    const onHead = (head: ResponseHead) => {
      heads.push([head.status, head.transfer])
      return 'chunk' as const
    }
    const listener = { onHead, onMessage: () => undefined }
    // What an early head says is not about the body of the real one.
    const early = 'HTTP/1.1 103 Early Hints\r\nContent-Length: 9\r\n\r\n'
    const head = latin1(`${early}HTTP/1.1 200 OK\r\n${fields}\r\n\r\n`)
    new ResponseReader().read(head, listener)
    expect(heads).toEqual([[200, transfer]])
  })

  test('may follow on several early ones', () => {
    const early = 'HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\n\r\n'
    expect(readText(`${early}${early}${HEAD}1\r\na\r\n`)).toMatchObject({
      status: [200],
      chunks: ['a'],
    })
  })
})

/** The messages of a body whose framing is as said, whole and byte by byte. */
function messagesOf(
  framing: Framing | 'text',
  parts: readonly string[],
  isEnded = false,
): string[] {
  const reader = new ResponseReader()
  const messages: string[] = []
  const listener = {
    onHead: () => framing,
    onMessage: (bytes: Uint8Array, start: number, end: number) => {
      messages.push(Buffer.from(bytes.subarray(start, end)).toString('latin1'))
    },
  }
  for (const part of ['HTTP/1.0 200 OK\r\n\r\n', ...parts]) reader.read(latin1(part), listener)
  if (isEnded) reader.end(listener)
  return messages
}

describe('a body without chunks whose type says nothing', () => {
  test('has a message in what comes together, while no line ends', () => {
    expect(messagesOf('text', ['hello', 'world'])).toEqual(['hello', 'world'])
  })

  test('has lines from the first end of one on, the last of them without an end', () => {
    const parts = ['one\ntw', 'o\nthr', 'ee']
    expect(messagesOf('text', parts)).toEqual(['one', 'two'])
    expect(messagesOf('text', parts, true)).toEqual(['one', 'two', 'three'])
  })
})

describe('events', () => {
  const MARK = '\xef\xbb\xbf'

  test('begin behind a byte-order mark, however it is cut', () => {
    const text = `${MARK}data: 1\n\ndata: 2\n\n`
    expect(messagesOf('sse', [text])).toEqual(['data: 1\n', 'data: 2\n'])
    expect(messagesOf('sse', [...text])).toEqual(['data: 1\n', 'data: 2\n'])
  })

  test('are none where the mark is not the first, or is not whole', () => {
    expect(messagesOf('sse', [`${MARK}${MARK}data: 1\n\ndata: 2\n\n`])).toEqual(['data: 2\n'])
    expect(messagesOf('sse', ['\xef', '\xbbdata: 1\n\n', `${MARK}data: 2\n\n`])).toEqual([])
  })
})

describe('a fault', () => {
  const long = 'x'.repeat(floodLimits.headBytesMax + 1)
  test.each<[ReadResult, string, string]>([
    ['bad_status_line', 'no HTTP', 'SSH-2.0-OpenSSH\r\n\r\n\r\n'],
    ['bad_status_line', 'another version', 'HTTP/2 200 OK\r\n\r\n'],
    ['bad_status_line', 'no status', 'HTTP/1.1 OK\r\n\r\n'],
    ['bad_status_line', 'a status that is none', 'HTTP/1.1 999 OK\r\n\r\n'],
    ['bad_status_line', 'a status too long', 'HTTP/1.1 2000 OK\r\n\r\n'],
    ['bad_status_line', 'an empty head', '\r\n\r\n\r\n'],
    ['head_too_large', 'a head without end', `HTTP/1.1 200 OK\r\nA: ${long}`],
    ['head_too_large', 'a trailer without end', `${HEAD}0\r\nA: ${long}`],
    ['bad_chunk_size', 'no size', `${HEAD}\r\nabc\r\n`],
    ['bad_chunk_size', 'a size that is no number', `${HEAD}xyz\r\n`],
    ['bad_chunk_size', 'a size below zero', `${HEAD}-1\r\n`],
    ['bad_chunk_size', 'a size in another form', `${HEAD}0x10\r\n`],
    ['bad_chunk_size', 'a bare line feed', `${HEAD}1\na\r\n`],
    ['bad_chunk_size', 'a bare carriage return', `${HEAD}1\ra\r\n`],
    ['bad_chunk_size', 'an extension behind a bare line feed', `${HEAD}1;a\na\r\n`],
    ['bad_chunk_size', 'an extension without size', `${HEAD};a\r\n`],
    ['bad_chunk_size', 'an extension without end', `${HEAD}1;${long}`],
    ['chunk_too_large', 'a size over the limit', `${HEAD}100001\r\n`],
    ['chunk_too_large', 'a size over all numbers', `${HEAD}${'f'.repeat(20)}\r\n`],
    ['bad_chunk_end', 'a chunk that goes on', `${HEAD}1\r\nabc\r\n`],
    ['bad_chunk_end', 'a chunk that ends in a line feed', `${HEAD}1\r\na\n\r\n`],
  ])('is %s for %s, whole and byte by byte', (fault, _, wire) => {
    expect(readText(wire).result).toBe(fault)
    const cut = wire.length > 1000 ? (wire.match(/.{1,1000}/gs) ?? []) : [...wire]
    expect(readText(...cut).result).toBe(fault)
  })

  test('comes after the chunks that were good', () => {
    expect(readText(`${HEAD}1\r\na\r\nz`)).toEqual({
      status: [200],
      chunks: ['a'],
      result: 'bad_chunk_size',
    })
  })
})

describe('arbitrary bytes', () => {
  const RESULTS: ReadonlySet<ReadResult> = new Set<ReadResult>([
    'more',
    'ended',
    'bad_status_line',
    'head_too_large',
    'bad_chunk_size',
    'chunk_too_large',
    'bad_chunk_end',
    'message_too_large',
    'bad_frame',
  ])
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.constantFrom('\r\n', '\n', '0', 'f', ';', '1\r\na\r\n', '0\r\n', HEAD).map(latin1),
  )

  test('as a response never throw', () => {
    fc.assert(fc.property(fc.array(piece), (parts) => RESULTS.has(read(parts).result)))
  })

  test('behind a good head never throw', () => {
    const parts = fc.array(piece)
    fc.assert(fc.property(parts, (rest) => RESULTS.has(read([latin1(HEAD), ...rest]).result)))
  })
})
