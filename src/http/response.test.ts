// Goal: a response is exactly the bytes that RFC 9112 section 4 wants, and no value of a header can
// become a line of its own. Method: whole heads, byte for byte, at a known time.

import { afterEach, beforeEach, describe, expect, setSystemTime, test } from 'bun:test'
import {
  CHUNKED,
  CONTINUE,
  type EncodedReply,
  encodeChunk,
  encodeReply,
  fixedHeaders,
  LAST_CHUNK,
  type Reply,
  type ReplyContext,
  replyContext,
  responseHead,
  UNTIL_CLOSE,
} from './response.ts'

const KEPT: ReplyContext = { isHead: false, keepAlive: true, minor: 1 }
const DATE = 'Date: Fri, 02 Jan 2026 03:04:05 GMT\r\n'

beforeEach(() => {
  setSystemTime(new Date(Date.UTC(2026, 0, 2, 3, 4, 5, 678)))
})

afterEach(() => {
  setSystemTime()
})

function encoded(reply: Reply, context: Partial<ReplyContext> = {}): string {
  return textOf(encodeReply(reply, { ...KEPT, ...context }))
}

function textOf({ bytes, length }: EncodedReply): string {
  return Buffer.from(bytes.subarray(0, length)).toString('latin1')
}

describe('a reply', () => {
  test.each<[string, Reply, Partial<ReplyContext>, string]>([
    [
      'with a text',
      { status: 200, headers: { 'content-type': 'text/plain', 'x-a': '1, 2' }, body: 'hello' },
      {},
      `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-A: 1, 2\r\n${DATE}Content-Length: 5\r\n\r\nhello`,
    ],
    [
      'of no body',
      { status: 404 },
      {},
      `HTTP/1.1 404 Not Found\r\n${DATE}Content-Length: 0\r\n\r\n`,
    ],
    [
      'with a text that is not ASCII',
      { status: 200, body: 'ż€😀' },
      {},
      `HTTP/1.1 200 OK\r\n${DATE}Content-Length: 9\r\n\r\n\xc5\xbc\xe2\x82\xac\xf0\x9f\x98\x80`,
    ],
    [
      'with bytes',
      { status: 200, body: Uint8Array.of(0, 255, 13, 10) },
      {},
      `HTTP/1.1 200 OK\r\n${DATE}Content-Length: 4\r\n\r\n\0\xff\r\n`,
    ],
    [
      'to a HEAD',
      { status: 200, body: 'żółć' },
      { isHead: true },
      `HTTP/1.1 200 OK\r\n${DATE}Content-Length: 8\r\n\r\n`,
    ],
    [
      'after which the connection is closed',
      { status: 503, body: 'x' },
      { keepAlive: false },
      `HTTP/1.1 503 Service Unavailable\r\n${DATE}Connection: close\r\nContent-Length: 1\r\n\r\nx`,
    ],
    [
      'that closes it of its own will',
      { status: 408, headers: { connection: 'close' } },
      { keepAlive: false },
      `HTTP/1.1 408 Request Timeout\r\n${DATE}Connection: close\r\nContent-Length: 0\r\n\r\n`,
    ],
    [
      'to HTTP/1.0 that keeps the connection',
      { status: 200 },
      { minor: 0 },
      `HTTP/1.1 200 OK\r\n${DATE}Connection: keep-alive\r\nContent-Length: 0\r\n\r\n`,
    ],
    [
      'to HTTP/1.0 that closes it',
      { status: 200 },
      { minor: 0, keepAlive: false },
      `HTTP/1.1 200 OK\r\n${DATE}Connection: close\r\nContent-Length: 0\r\n\r\n`,
    ],
    ['of status 204', { status: 204, body: 'no' }, {}, `HTTP/1.1 204 No Content\r\n${DATE}\r\n`],
    ['of status 304', { status: 304 }, {}, `HTTP/1.1 304 Not Modified\r\n${DATE}\r\n`],
    [
      'of a status without a reason',
      { status: 299 },
      {},
      `HTTP/1.1 299 \r\n${DATE}Content-Length: 0\r\n\r\n`,
    ],
    [
      'with a header in Latin-1',
      { status: 200, headers: { 'www-authenticate': '\t é\xff"' } },
      {},
      `HTTP/1.1 200 OK\r\nWww-Authenticate: \t \xe9\xff"\r\n${DATE}Content-Length: 0\r\n\r\n`,
    ],
    [
      'with a header of several lines',
      { status: 204, headers: { 'set-cookie': ['a=1, 2', 'b=3'], allow: [] } },
      {},
      `HTTP/1.1 204 No Content\r\nSet-Cookie: a=1, 2\r\nSet-Cookie: b=3\r\n${DATE}\r\n`,
    ],
  ])('%s', (_, reply, context, expected) => {
    expect(encoded(reply, context)).toBe(expected)
  })

  test('has the date of its second', () => {
    setSystemTime(new Date(Date.UTC(2026, 11, 31, 23, 59, 59, 999)))
    expect(encoded({ status: 200 })).toContain('Date: Thu, 31 Dec 2026 23:59:59 GMT\r\n')
    setSystemTime(new Date(Date.UTC(2027, 0, 1)))
    expect(encoded({ status: 200 })).toContain('Date: Fri, 01 Jan 2027 00:00:00 GMT\r\n')
  })

  test('that is sent again is written for its request and its second', () => {
    const reply = { status: 200, headers: fixedHeaders({ 'x-a': 'b' }), body: 'x' }
    const [kept, closed, head] = [
      replyContext(false, true, 1),
      replyContext(false, false, 1),
      replyContext(true, true, 1),
    ] as const
    const ofKept = `HTTP/1.1 200 OK\r\nX-A: b\r\n${DATE}Content-Length: 1\r\n\r\n`
    for (const _ of [1, 2]) {
      expect(textOf(encodeReply(reply, kept))).toBe(`${ofKept}x`)
      expect(textOf(encodeReply({ ...reply, body: 'y' }, kept))).toBe(`${ofKept}y`)
      expect(textOf(encodeReply({ ...reply, body: 'yz' }, kept))).toEndWith('2\r\n\r\nyz')
      expect(textOf(encodeReply({ ...reply, status: 299 }, kept))).toStartWith('HTTP/1.1 299 ')
      expect(textOf(encodeReply(reply, head))).toBe(ofKept)
      expect(textOf(encodeReply(reply, closed))).toBe(
        `HTTP/1.1 200 OK\r\nX-A: b\r\n${DATE}Connection: close\r\nContent-Length: 1\r\n\r\nx`,
      )
    }
    expect(textOf(encodeReply(reply, kept))).toBe(`${ofKept}x`)
    setSystemTime(new Date(Date.UTC(2026, 0, 2, 3, 4, 6)))
    expect(textOf(encodeReply(reply, kept))).toContain('Date: Fri, 02 Jan 2026 03:04:06 GMT\r\n')
  })

  test('whose headers were changed is written with those that it has now', () => {
    const headers: Record<string, string> = { 'x-a': 'b' }
    expect(encoded({ status: 200, headers })).toContain('X-A: b\r\n')
    headers['x-a'] = 'c'
    expect(encoded({ status: 200, headers })).toContain('X-A: c\r\n')
  })

  test.each([0, 1, 1_023, 1_024, 1_025, 100_000])('has all of a body of %d bytes', (length) => {
    const text = 'x'.repeat(length)
    for (const body of [text, Buffer.from(text)]) {
      expect(encoded({ status: 200, body })).toBe(
        `HTTP/1.1 200 OK\r\n${DATE}Content-Length: ${length}\r\n\r\n${text}`,
      )
    }
  })

  test.each([900, 1_000, 1_100, 20_000])('has all of a head of more than %d bytes', (length) => {
    const value = 'x'.repeat(length)
    expect(encoded({ status: 200, headers: { 'x-a': value }, body: 'body' })).toBe(
      `HTTP/1.1 200 OK\r\nX-A: ${value}\r\n${DATE}Content-Length: 4\r\n\r\nbody`,
    )
  })

  test('that is large stays as it is when the next one is written', () => {
    const large = encodeReply({ status: 200, body: 'x'.repeat(5_000) }, KEPT)
    const text = textOf(large)
    encodeReply({ status: 404, body: 'y'.repeat(5_000) }, KEPT)
    encodeReply({ status: 404, body: 'y' }, KEPT)
    expect(textOf(large)).toBe(text)
    expect(large.bytes).toHaveLength(large.length)
  })

  test('has its fixed headers like all others', () => {
    const headers = fixedHeaders({ 'x-a': 'b', connection: 'close' })
    expect(encoded({ status: 204, headers })).toBe(
      encoded({ status: 204, headers: { ...headers } }),
    )
    expect(() => fixedHeaders({ 'x-a': 'b\n' })).toThrow('the header x-a has an invalid value')
  })

  test.each([
    ['a line of its own', 'a\r\nSet-Cookie: b'],
    ['CR', 'a\rb'],
    ['LF', 'a\nb'],
    ['NUL', 'a\0b'],
    ['DEL', '\x7f'],
    // Of which only the lower byte would be sent: CR and LF.
    ['letters that are not Latin-1', 'č\u010a'],
  ])('is not written with a header that has %s', (_, value) => {
    const reply = { status: 200, headers: { 'x-a': value } }
    expect(() => encodeReply(reply, KEPT)).toThrow('the header x-a has an invalid value')
    expect(() => responseHead(reply, CHUNKED, KEPT)).toThrow('invalid value')
    const lines = { status: 200, headers: { 'x-a': ['a', value] } }
    expect(() => encodeReply(lines, KEPT)).toThrow('the header x-a has an invalid value')
  })

  test.each(['', 'a b', 'a:', 'a\r\nb', 'é'])('is not written with a header named %j', (name) => {
    expect(() => encodeReply({ status: 200, headers: { [name]: '' } }, KEPT)).toThrow('the name')
  })
})

describe('a reply of unknown length', () => {
  test('has chunks', () => {
    const text = responseHead({ status: 200, headers: { a: 'b' } }, CHUNKED, KEPT)
    expect(text).toBe(`HTTP/1.1 200 OK\r\nA: b\r\n${DATE}Transfer-Encoding: chunked\r\n\r\n`)
  })

  test('of HTTP/1.0 has none, and neither a length', () => {
    const context = { isHead: false, keepAlive: false, minor: 0 } as const
    const text = responseHead({ status: 200 }, UNTIL_CLOSE, context)
    expect(text).toBe(`HTTP/1.1 200 OK\r\n${DATE}Connection: close\r\n\r\n`)
  })

  test.each([
    ['x', '1\r\nx\r\n'],
    ['x'.repeat(17), `11\r\n${'x'.repeat(17)}\r\n`],
    ['\r\n\xff', '3\r\n\r\n\xff\r\n'],
  ])('has a chunk of %j', (data, expected) => {
    const chunk = encodeChunk(Buffer.from(data, 'latin1'))
    expect(Buffer.from(chunk).toString('latin1')).toBe(expected)
  })

  test.each([1, 15, 16, 64, 65, 255, 256, 4_095, 4_096, 65_536])(
    'has a chunk of %d bytes with its length before it',
    (length) => {
      const data = Buffer.alloc(length, 'abc')
      const expected = `${length.toString(16)}\r\n${data.toString('latin1')}\r\n`
      expect(Buffer.from(encodeChunk(data)).toString('latin1')).toBe(expected)
    },
  )

  test('has a last chunk, and may begin with 100', () => {
    expect(String(LAST_CHUNK)).toBe('0\r\n\r\n')
    expect(String(CONTINUE)).toBe('HTTP/1.1 100 Continue\r\n\r\n')
  })
})
