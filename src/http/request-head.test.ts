// Goal: only what RFC 9112 and RFC 9110 call a request is one, however its bytes arrive. Method: a
// table of heads, each cut at every byte and among bytes that are not its own.

import { describe, expect, test } from 'bun:test'
import { httpLimits } from '../core/http-limits.ts'
import { REQUEST_ERRORS, type RequestErrorCode } from './request-errors.ts'
import { type HeadResult, type RequestHead, readRequestHead } from './request-head.ts'

const HOST = 'Host: a.example\r\n'
const GET = 'GET / HTTP/1.1\r\n'
const get = (fields: string) => `${GET}${HOST}${fields}\r\n`
const post = (fields: string) => `POST / HTTP/1.1\r\n${HOST}${fields}\r\n`
const target = (text: string, method = 'GET') => `${method} ${text} HTTP/1.1\r\n${HOST}\r\n`
const old = (fields: string) => `GET / HTTP/1.0\r\n${fields}\r\n`
const hosts = (...values: string[]) => `${GET}${values.map((v) => `Host: ${v}\r\n`).join('')}\r\n`
const fill = (prefix: string, length: number) => prefix.padEnd(length, 'x')

type Parts = Partial<Omit<RequestHead, 'header'>>

const CHUNKED = { framing: { kind: 'chunked' } } as const
const NO_BODY = { framing: { kind: 'none' } } as const

const VALID: readonly (readonly [name: string, wire: string, parts: Parts])[] = [
  ['a path', target('/test/7'), { method: 'GET', path: '/test/7', query: '', minor: 1 }],
  ['a path as it is', target('//a/%2f/../~"{}'), { path: '//a/%2f/../~"{}' }],
  ['a query', target('/a?b?c=/#'), { target: '/a?b?c=/#', path: '/a', query: 'b?c=/#' }],
  ['a query alone', target('/?'), { path: '/', query: '' }],
  ['a fragment, as part of the path', target('/test/7#x'), { path: '/test/7#x', query: '' }],
  ['an asterisk', target('*', 'OPTIONS'), { target: '*', path: '*', query: '' }],
  ['an authority', target('b:443', 'CONNECT'), { target: 'b:443', path: '', host: 'a.example' }],
  [
    'a URL, whose host replaces the field',
    target('HTTP://B.example:80/a?b'),
    {
      target: 'HTTP://B.example:80/a?b',
      path: '/a',
      query: 'b',
      host: 'b.example',
      fields: ['host', 'B.example:80'],
    },
  ],
  ['a URL without a path', target('https://b?c'), { path: '/', query: 'c', host: 'b' }],
  ['a URL in HTTP/1.0', 'GET http://b/ HTTP/1.0\r\n\r\n', { host: 'b', fields: ['host', 'b'] }],
  ['any method', target('/', "!#$%&'*+-.^_`|~09Az"), { method: "!#$%&'*+-.^_`|~09Az" }],
  ['the longest method', target('/', fill('', 32)), { method: fill('', 32) }],
  ['the longest target', target(fill('/', httpLimits.targetBytesMax)), {}],
  ['the most fields', get('a:\r\n'.repeat(httpLimits.fieldsMax - 1)), {}],
  ['the longest head', get(`${fill('a:', httpLimits.headBytesMax - 37)}\r\n`), {}],
  ['empty lines before it', `\r\n\r\n\r\n\r\n${get('')}`, { method: 'GET', host: 'a.example' }],
  [
    'fields with blanks around them',
    get('A:b\r\nc: \t d e\t \r\nF:\r\ng: \t\r\n'),
    { fields: ['host', 'a.example', 'a', 'b', 'c', 'd e', 'f', '', 'g', ''] },
  ],
  ['a value of other bytes', get('a: \x80\xff"\t\\\r\n'), {}],
  ['the host of an address', hosts('[::1]:8001'), { host: '0:0:0:0:0:0:0:1' }],
  ['the host of a name', hosts('A.Example.:80'), { host: 'a.example' }],
  ['HTTP/1.0 without a host', old(''), { minor: 0, host: null, keepAlive: false }],
  ['HTTP/1.0 with a host', old(HOST), { minor: 0, host: 'a.example' }],
  ['no body', post(''), NO_BODY],
  ['a body of length 0', post('Content-Length: 0\r\n'), NO_BODY],
  ['a length', post('Content-Length: 0042\r\n'), { framing: { kind: 'length', length: 42 } }],
  [
    'the longest length',
    post('Content-Length: 9007199254740991\r\n'),
    { framing: { kind: 'length', length: Number.MAX_SAFE_INTEGER } },
  ],
  ['chunks', post('Transfer-Encoding: chunked\r\n'), CHUNKED],
  ['chunks in capitals', post('TRANSFER-ENCODING: CHUNKED\r\n'), CHUNKED],
  ['a connection that stays', get(''), { keepAlive: true }],
  ['a connection that closes', get('Connection: Close\r\n'), { keepAlive: false }],
  ['one that closes, in a list', get('Connection: x ,\tclose,\r\n'), { keepAlive: false }],
  [
    'one that closes, in two lines',
    get('Connection: x\r\nConnection: close\r\n'),
    { keepAlive: false },
  ],
  ['one that closes and stays', get('Connection: keep-alive, close\r\n'), { keepAlive: false }],
  ['one with another option', get('Connection: closed, x-close\r\n'), { keepAlive: true }],
  ['one of HTTP/1.0 that stays', old('Connection: Keep-Alive\r\n'), { keepAlive: true }],
  ['one of HTTP/1.0 that closes', old('Connection: keep-alive,close\r\n'), { keepAlive: false }],
  [
    'an upgrade, which is ignored',
    get('Connection: upgrade\r\nUpgrade: h2c\r\n'),
    { keepAlive: true },
  ],
  [
    'a client that waits',
    post('Expect: 100-Continue\r\nContent-Length: 1\r\n'),
    { expectsContinue: true },
  ],
  ['one that waits without a body', post('Expect: 100-continue\r\n'), { expectsContinue: false }],
  [
    'one of HTTP/1.0 that waits',
    old('Expect: 100-continue\r\nContent-Length: 1\r\n'),
    { expectsContinue: false },
  ],
]

const INVALID: readonly (readonly [name: string, wire: string, code: RequestErrorCode])[] = [
  ['a line that ends in LF', `GET / HTTP/1.1\n${HOST}\r\n`, 'invalid_line_end'],
  ['a line that ends in CR', `GET / HTTP/1.1\r${HOST}\r\n`, 'invalid_line_end'],
  ['a field that ends in LF', `${GET}Host: a\n\r\n`, 'invalid_line_end'],
  ['a value with CR in it', get('a: b\rc\r\n'), 'invalid_line_end'],
  ['a head that ends in LF', `${GET}${HOST}\n`, 'invalid_field'],
  ['a head that ends in CR', `${GET}${HOST}\rx`, 'invalid_line_end'],
  ['LF before it', `\n${get('')}`, 'invalid_request_line'],
  ['CR before it', `\r${get('')}`, 'invalid_line_end'],
  ['too many empty lines before it', `${'\r\n'.repeat(5)}${get('')}`, 'invalid_request_line'],
  ['a blank before it', ` ${get('')}`, 'invalid_request_line'],
  ['a handshake of TLS', '\x16\x03\x01\x02\0\x01', 'invalid_request_line'],
  ['a method that is no token', 'G(T / HTTP/1.1\r\n', 'invalid_request_line'],
  ['no target', 'GET HTTP/1.1\r\n', 'invalid_request_line'],
  ['no version', 'GET /\r\n', 'invalid_request_line'],
  ['two blanks', 'GET  / HTTP/1.1\r\n', 'invalid_request_line'],
  ['a tab as a blank', 'GET\t/ HTTP/1.1\r\n', 'invalid_request_line'],
  ['a blank in the target', 'GET /a b HTTP/1.1\r\n', 'invalid_request_line'],
  ['a control character in the target', 'GET /\x7f HTTP/1.1\r\n', 'invalid_request_line'],
  ['a byte that is no ASCII in the target', 'GET /\xe9 HTTP/1.1\r\n', 'invalid_request_line'],
  ['a blank behind the version', 'GET / HTTP/1.1 \r\n', 'invalid_line_end'],
  ['a longer version', 'GET / HTTP/1.10\r\n', 'invalid_line_end'],
  ['a shorter version', 'GET / HTTP/1\r\n', 'invalid_request_line'],
  ['a version in lower case', 'GET / http/1.1\r\n', 'invalid_request_line'],
  ['another protocol', 'GET / HTTQ/1.1\r\n', 'invalid_request_line'],
  ['HTTP/0.9', 'GET / HTTP/0.9\r\n', 'unsupported_version'],
  ['HTTP/1.2', 'GET / HTTP/1.2\r\n', 'unsupported_version'],
  ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'unsupported_version'],
  ['a method that is too long', fill('', 33), 'unknown_method'],
  [
    'a target that is too long',
    `GET ${fill('/', httpLimits.targetBytesMax + 1)}`,
    'target_too_long',
  ],
  ['a target that is no path', 'GET a HTTP/1.1\r\n', 'invalid_target'],
  ['an asterisk of another method', 'GET * HTTP/1.1\r\n', 'invalid_target'],
  ['an asterisk with a query', 'OPTIONS *?a HTTP/1.1\r\n', 'invalid_target'],
  ['a URL of another scheme', 'GET ftp://a/ HTTP/1.1\r\n', 'invalid_target'],
  ['a URL without a host', 'GET http:///a HTTP/1.1\r\n', 'invalid_target'],
  ['a URL with a user', 'GET http://a@b/ HTTP/1.1\r\n', 'invalid_target'],
  ['an authority without a port', 'CONNECT a HTTP/1.1\r\n', 'invalid_target'],
  ['an authority with an empty port', 'CONNECT a: HTTP/1.1\r\n', 'invalid_target'],
  ['an authority with a large port', 'CONNECT a:65536 HTTP/1.1\r\n', 'invalid_target'],
  ['CONNECT to a path', 'CONNECT / HTTP/1.1\r\n', 'invalid_target'],
  ['a field without a colon', get('a\r\n'), 'invalid_field'],
  ['a field without a name', get(': a\r\n'), 'invalid_field'],
  ['a blank before a colon', get('a : b\r\n'), 'invalid_field'],
  ['a blank before a name', `${GET} ${HOST}\r\n`, 'invalid_field'],
  ['a folded value', get('a: b\r\n c\r\n'), 'invalid_field'],
  ['a name that is no token', get('a[]: b\r\n'), 'invalid_field'],
  ['a name that is no ASCII', get('\xe9: b\r\n'), 'invalid_field'],
  ['a control character in a value', get('a: \x07\r\n'), 'invalid_field'],
  ['a NUL in a value', get('a: b\0\r\n'), 'invalid_field'],
  ['a DEL in a value', get('a: \x7f\r\n'), 'invalid_field'],
  ['too many fields', get('a:\r\n'.repeat(httpLimits.fieldsMax)), 'too_many_fields'],
  [
    'a head that is too long',
    get(`${fill('a:', httpLimits.headBytesMax - 36)}\r\n`),
    'head_too_long',
  ],
  ['a head without an end', get(fill('a:', httpLimits.headBytesMax)), 'head_too_long'],
  ['no host', hosts(), 'invalid_host'],
  ['no host, with one in a URL', 'GET http://a/ HTTP/1.1\r\n\r\n', 'invalid_host'],
  ['two hosts', hosts('a', 'a'), 'invalid_host'],
  ['two hosts of a URL', `GET http://a/ HTTP/1.1\r\n${HOST}${HOST}\r\n`, 'invalid_host'],
  ['two hosts of HTTP/1.0', old(HOST + HOST), 'invalid_host'],
  ['an empty host', hosts(''), 'invalid_host'],
  ['an invalid host', hosts('a b'), 'invalid_host'],
  ['an invalid host of HTTP/1.0', old('Host: a/b\r\n'), 'invalid_host'],
  ['a negative length', post('Content-Length: -1\r\n'), 'invalid_content_length'],
  ['a length with a sign', post('Content-Length: +1\r\n'), 'invalid_content_length'],
  ['a length that is no number', post('Content-Length: 0x1\r\n'), 'invalid_content_length'],
  ['an empty length', post('Content-Length:\r\n'), 'invalid_content_length'],
  ['a list of equal lengths', post('Content-Length: 5, 5\r\n'), 'invalid_content_length'],
  [
    'two equal lengths',
    post('Content-Length: 5\r\nContent-Length: 5\r\n'),
    'invalid_content_length',
  ],
  ['a length that is too long', post('Content-Length: 9007199254740992\r\n'), 'body_too_long'],
  [
    'a length and chunks',
    post('Content-Length: 1\r\nTransfer-Encoding: chunked\r\n'),
    'two_lengths',
  ],
  ['chunks of HTTP/1.0', old('Transfer-Encoding: chunked\r\n'), 'old_transfer_encoding'],
  ['another coding', post('Transfer-Encoding: gzip\r\n'), 'unknown_transfer_encoding'],
  [
    'another coding and chunks',
    post('Transfer-Encoding: gzip, chunked\r\n'),
    'unknown_transfer_encoding',
  ],
  ['the coding identity', post('Transfer-Encoding: identity\r\n'), 'unknown_transfer_encoding'],
  [
    'chunks that are not last',
    post('Transfer-Encoding: chunked, gzip\r\n'),
    'invalid_transfer_encoding',
  ],
  [
    'chunks in chunks',
    post('Transfer-Encoding: chunked ,\tchunked\r\n'),
    'invalid_transfer_encoding',
  ],
  [
    'chunks in chunks of two lines',
    post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n'),
    'invalid_transfer_encoding',
  ],
  [
    'chunks with a parameter',
    post('Transfer-Encoding: chunked;a=b\r\n'),
    'invalid_transfer_encoding',
  ],
  ['an empty coding', post('Transfer-Encoding:\r\n'), 'invalid_transfer_encoding'],
  [
    'chunks and an empty coding',
    post('Transfer-Encoding: chunked,\r\n'),
    'invalid_transfer_encoding',
  ],
  ['another expectation', post('Expect: 200-ok\r\n'), 'unknown_expectation'],
  [
    'an expectation twice',
    post('Expect: 100-continue\r\nExpect: 100-continue\r\n'),
    'unknown_expectation',
  ],
]

/** Reads text as a head among other bytes, which are not its own. */
function read(wire: string, length = wire.length, searchedTo = 0): HeadResult {
  const bytes = Buffer.from(`\n\xff${wire.slice(0, length)}\r\n\r\n\xff`, 'latin1')
  return readRequestHead(bytes, 2, 2 + length, 2 + searchedTo)
}

function headOf(result: HeadResult): RequestHead {
  if (result.kind !== 'complete') throw new Error(`the head is ${result.kind}`)
  return result.head
}

describe('a head is read that has', () => {
  test.each(VALID)('%s', (_, wire, parts) => {
    const result = read(wire)
    expect(result).toMatchObject({ kind: 'complete', length: wire.length, head: parts })
  })
})

describe('a request is rejected that has', () => {
  test.each(INVALID)('%s', (_, wire, code) => {
    expect(read(wire)).toEqual({ kind: 'rejected', code, ...REQUEST_ERRORS[code] })
  })
})

/** What is invalid is rejected at the end of its line at the latest. */
const ALL = [...VALID, ...INVALID.map(([name, wire]) => [name, `${wire}\r\n`] as const)]

test('a head that is cut at any byte is read, or rejected, as one that is whole', () => {
  for (const [name, wire] of ALL) {
    const whole = read(wire)
    for (let cut = 0; cut < wire.length; cut += wire.length > 1_000 ? 97 : 1) {
      const first = read(wire, cut)
      if (first.kind === 'rejected') expect<unknown>([name, cut, first]).toEqual([name, cut, whole])
      else expect([name, cut, first.kind]).toEqual([name, cut, 'incomplete'])
      if (first.kind === 'incomplete') expect(read(wire, wire.length, cut)).toEqual(whole)
    }
  }
})

test('a head that arrives byte by byte is read, or rejected, as one that is whole', () => {
  for (const [, wire] of ALL) {
    const bytes = Buffer.from(wire, 'latin1')
    let result: HeadResult = { kind: 'incomplete' }
    for (let end = 1; end <= bytes.length && result.kind === 'incomplete'; end++) {
      result = readRequestHead(bytes, 0, end, end - 1)
    }
    expect(result).toEqual(read(wire))
  }
})

test('bytes behind a head belong to the next request', () => {
  for (const [, wire] of VALID) {
    const pipelined = read(`${wire}GET /next`)
    expect(pipelined).toEqual(read(wire))
  }
})

test('what is invalid is rejected with its line, before the head is complete', () => {
  for (const wire of ['\x16', 'GET /\r', 'GET a HTTP/1.1\r\n', `${GET}a b`, `${GET}a: b\r\n c`]) {
    expect(read(wire).kind).toBe('rejected')
  }
})

test('a line is not read before it is complete', () => {
  expect(read(`${GET}a b`, GET.length + 3, GET.length).kind).toBe('incomplete')
  expect(read(`${GET}a b\n`, GET.length + 4, GET.length).kind).toBe('rejected')
})

test('a field is found by its name, and its lines are joined', () => {
  const head = headOf(read(get('A: b\r\na:\r\nAB: d\r\nA: c, d\r\n')))
  expect(head.header('a')).toBe('b, , c, d')
  expect(head.header('ab')).toBe('d')
  expect(head.header('b')).toBeNull()
})

test('a head from a plain Uint8Array is read as one from a Buffer', () => {
  const bytes = new Uint8Array(Buffer.from(get('a: \xe9\r\n'), 'latin1'))
  expect(readRequestHead(bytes, 0, bytes.length)).toEqual(read(get('a: \xe9\r\n')))
})

test('a head stays as it is when the bytes are overwritten', () => {
  const bytes = Buffer.from(get('a: b\r\n'))
  const head = headOf(readRequestHead(bytes, 0, bytes.length))
  bytes.fill(0x78)
  readRequestHead(bytes, 0, bytes.length)
  expect(head).toMatchObject({ method: 'GET', path: '/', fields: ['host', 'a.example', 'a', 'b'] })
})
