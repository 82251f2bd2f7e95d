// Goal: a request has the fields it needs and those that were given, and each at most once where
// one is the other's default. Method: whole requests, tables of fields, and the examples of RFC
// 6455.

import { describe, expect, test } from 'bun:test'
import { type Protocol, plainBehaviour, type StreamBehaviour } from './plan.ts'
import { DONE, Positions } from './positions.ts'
import { closeFrame, parseHeader, pongFrame, RequestWriter } from './request.ts'

function behaviourOf(
  protocol: Protocol,
  pathTemplate: string,
  headers: string[] = [],
): StreamBehaviour {
  const target = { protocol, host: 'comet:8000', address: '127.0.0.1', port: 8000, pathTemplate }
  return { ...plainBehaviour(target), headers }
}

/** The lines of a request, without the two empty ones at its end. */
function linesOf(behaviour: StreamBehaviour, id = 7): string[] {
  const writer = new RequestWriter(behaviour, 5)
  // A longer one before leaves nothing in it.
  writer.write(1e9)
  const text = Buffer.from(writer.bytes.subarray(0, writer.write(id - 5))).toString()
  expect(text).toEndWith('\r\n\r\n')
  return text.slice(0, -4).split('\r\n')
}

describe('a request', () => {
  test('is for the path of its user, whose number may be in it several times', () => {
    expect(linesOf(behaviourOf('http', '/{id}/a?b={id}'), 12)).toEqual([
      'GET /12/a?b=12 HTTP/1.1',
      'Host: comet:8000',
      'User-Agent: comet-flood',
    ])
  })

  test('has the fields that were given behind its own, one of them twice if so', () => {
    expect(linesOf(behaviourOf('http', '/', ['TE: chunked', 'A: 1', 'A: 2']))).toEqual([
      'GET / HTTP/1.1',
      'Host: comet:8000',
      'User-Agent: comet-flood',
      'TE: chunked',
      'A: 1',
      'A: 2',
    ])
  })

  test('has a field that was given instead of its own, in whatever case', () => {
    expect(linesOf(behaviourOf('http', '/', ['hOST: other', 'user-agent: me']))).toEqual([
      'GET / HTTP/1.1',
      'hOST: other',
      'user-agent: me',
    ])
  })

  test.each([5, 9, 10, 99, 100, 4_294_967_295, 4_294_967_296, Number.MAX_SAFE_INTEGER])(
    'is for the user %p',
    (id) => {
      expect(linesOf(behaviourOf('http', '/{id}'), id)[0]).toBe(`GET /${id} HTTP/1.1`)
    },
  )

  describe('of a stream with a cursor', () => {
    const positions = new Positions(10, true)
    const formatOf = (format: StreamBehaviour['format'], path = '/stream/{id}?format=json') => ({
      ...behaviourOf('http', path),
      format,
    })
    const firstLine = (behaviour: StreamBehaviour) => {
      const writer = new RequestWriter(behaviour, 1, positions)
      const text = Buffer.from(writer.bytes.subarray(0, writer.write(6))).toString()
      return text.split('\r\n')[0]
    }
    const cursor = '00000000007b-0000000001c8'

    test('goes on behind it when the stream comes back', () => {
      positions.begin(6)
      expect(firstLine(formatOf('json'))).toBe('GET /stream/7?format=json HTTP/1.1')
      expect(firstLine(formatOf('poll', '/{id}'))).toBe('GET /7?offset=now HTTP/1.1')
      positions.set(6, { epoch: 123, number: 456 })
      positions.begin(6)
      const after = `GET /stream/7?format=json&after=${cursor} HTTP/1.1`
      expect(firstLine(formatOf('json'))).toBe(after)
      expect(firstLine(formatOf('json', '/{id}'))).toBe(`GET /7?after=${cursor} HTTP/1.1`)
      expect(firstLine(formatOf('poll', '/{id}'))).toBe(`GET /7?offset=${cursor} HTTP/1.1`)
    })

    test('of polls waits once the stream is known, and says again what it was told', () => {
      positions.add(6, DONE.placed)
      positions.pollCursor = '9'.repeat(16)
      const query = `cursor=${'9'.repeat(16)}&live=long-poll&offset=${cursor}`
      expect(firstLine(formatOf('poll', '/{id}?a=b'))).toBe(`GET /7?a=b&${query} HTTP/1.1`)
    })
  })

  test('has {id} in a field as it is', () => {
    expect(linesOf(behaviourOf('http', '/{id}', ['A: {id}']), 7).at(-1)).toBe('A: {id}')
  })

  test('for a WebSocket asks for the switch, with a key of sixteen bytes', () => {
    const lines = linesOf(behaviourOf('ws', '/', ['Sec-WebSocket-Protocol: x']))
    expect(lines).toContain('Connection: Upgrade')
    expect(lines).toContain('Upgrade: websocket')
    expect(lines).toContain('Sec-WebSocket-Version: 13')
    expect(lines.at(-1)).toBe('Sec-WebSocket-Protocol: x')
    const key = lines.find((line) => line.startsWith('Sec-WebSocket-Key: '))?.slice(19)
    expect(Buffer.from(key ?? '', 'base64').length).toBe(16)
  })
})

describe('parseHeader', () => {
  test.each([
    ['TE: chunked', 'TE: chunked'],
    ['TE:chunked', 'TE: chunked'],
    ['  TE: \t chunked \t', 'TE: chunked'],
    ['X-Empty:', 'X-Empty: '],
    ['A: b: c', 'A: b: c'],
    ["!#$%&'*+.^_`|~-: x", "!#$%&'*+.^_`|~-: x"],
    ['Cookie: a=b; c="d e"', 'Cookie: a=b; c="d e"'],
    ['Name: Jürgen', 'Name: Jürgen'],
  ])('reads %p', (text, line) => {
    expect(parseHeader(text)).toBe(line)
  })

  test.each([
    [''],
    ['TE'],
    [': chunked'],
    ['T E: chunked'],
    ['TE : chunked'],
    ['TE: a\r\nHost: b'],
    ['TE: a\nHost: b'],
    ['TE: a\rb'],
    ['TE: \0'],
    ['TE: 🙂'],
    ['Ü: x'],
    ['"TE": x'],
  ])('refuses %p', (text) => {
    expect(parseHeader(text)).toBeUndefined()
  })
})

/** What a server reads of a client's frame (RFC 6455 section 5.2). */
function unmasked(frame: Uint8Array): { first: number; text: string } {
  const [first = 0, second = 0] = frame
  expect(second & 0x80).toBe(0x80)
  expect(frame.length).toBe(6 + (second & 0x7f))
  const mask = frame.subarray(2, 6)
  const body = frame.subarray(6).map((byte, at) => byte ^ (mask[at % 4] as number))
  return { first, text: Buffer.from(body).toString() }
}

describe('a pong', () => {
  // RFC 6455 section 5.7: "contains a body of "Hello", matching the body of the ping".
  const EXAMPLE = Uint8Array.of(0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58)

  test('says the same as the example of the RFC, whose mask is another', () => {
    expect(unmasked(EXAMPLE)).toEqual({ first: 0x8a, text: 'Hello' })
    expect(unmasked(pongFrame(Buffer.from('Hello')))).toEqual(unmasked(EXAMPLE))
  })

  test.each([0, 1, 125])('may carry %p bytes', (length) => {
    const text = 'x'.repeat(length)
    expect(unmasked(pongFrame(Buffer.from(text)))).toEqual({ first: 0x8a, text })
  })
})

describe('the reply to a close frame', () => {
  test.each([
    [[0x03, 0xe9, 0x68, 0x69], '\x88\x82\0\0\0\0\x03\xe9'],
    [[], '\x88\x80\0\0\0\0'],
  ])('%p has its code alone', (payload, frame) => {
    expect(Buffer.from(closeFrame(Uint8Array.from(payload))).toString('latin1')).toBe(frame)
  })
})
