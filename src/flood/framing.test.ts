// Goal: a response of any framing and transfer has the same messages however it is cut. Method:
// properties that hold the reader against a naive one which sees all at once; tables of frames and
// of messages around their limit.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { randomFrom } from '../core/random.ts'
import { floodLimits } from '../core/tool-limits.ts'
import type { CutFraming } from './framing.ts'
import { readNaively, type Seen } from './naive.fixture.ts'
import { cutAt, readInPieces } from './pieces.fixture.ts'
import type { ReadResult } from './response.ts'
import { FRAMINGS, frameHead, responseOf, TRANSFERS } from './wire.fixture.ts'

const MAX = floodLimits.messageBytesMax
const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'
const UNTIL_CLOSE = 'HTTP/1.1 200 OK\r\n\r\n'
const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n'

/** Every framing with every transfer that it may have. */
const KINDS = FRAMINGS.flatMap((framing) =>
  (framing === 'websocket' ? (['switched'] as const) : TRANSFERS).map(
    (sent) => [framing, sent] as const,
  ),
)

function responses(framing: CutFraming, sent: (typeof KINDS)[number][1]): fc.Arbitrary<Buffer> {
  const transfer = sent === 'switched' ? undefined : sent
  return fc.nat().map((seed) => responseOf(randomFrom(seed), framing, transfer))
}

function latin1(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}

/**
 * Reads a body behind a head: whole, in two at each byte, and byte by byte, which must not matter.
 */
function read(framing: CutFraming, head: string, body: string): Seen {
  const wire = latin1(head + body)
  const { seen } = readInPieces([wire], framing)
  for (let cut = 0; cut <= wire.length; cut++) {
    expect(readInPieces(cutAt(wire, [cut]), framing).seen).toEqual(seen)
  }
  expect(readInPieces(cutAt(wire, [...wire.keys()]), framing).seen).toEqual(seen)
  return seen
}

describe.each(KINDS)('a response of framing %s, %s', (framing, sent) => {
  test('is read as a whole, cut in two at every byte', () => {
    fc.assert(
      fc.property(responses(framing, sent), (wire) => {
        const expected = readNaively(wire, framing)
        for (let cut = 0; cut <= wire.length; cut++) {
          expect(readInPieces(cutAt(wire, [cut]), framing).seen).toEqual(expected)
        }
      }),
      { numRuns: 30 },
    )
  })

  test('is read as a whole, byte by byte and in any pieces', () => {
    const places = fc.array(fc.nat({ max: 200 }), { maxLength: 12 })
    fc.assert(
      fc.property(responses(framing, sent), places, (wire, cuts) => {
        const expected = readNaively(wire, framing)
        const inside = cuts.map((cut) => Math.min(cut, wire.length))
        expect(readInPieces(cutAt(wire, inside), framing).seen).toEqual(expected)
        expect(readInPieces(cutAt(wire, [...wire.keys()]), framing).seen).toEqual(expected)
      }),
      { numRuns: 60 },
    )
  })

  test('is read as far as it came, wherever it breaks off', () => {
    fc.assert(
      fc.property(responses(framing, sent), fc.nat({ max: 300 }), (wire, length) => {
        const part = wire.subarray(0, length)
        const { seen } = readInPieces(cutAt(part, [...part.keys()]), framing)
        expect(seen).toEqual(readNaively(part, framing))
      }),
      { numRuns: 60 },
    )
  })
})

describe('lines', () => {
  test.each([
    ['LF and CR LF', 'a\nb\r\nc\n', ['a', 'b', 'c']],
    ['empty ones, which keep alive', '\n\r\na\n\n\r\n', ['a']],
    ['a CR inside', 'a\rb\r\r\n', ['a\rb\r']],
    ['one without its end', 'a\nb', ['a']],
  ])('may have %s', (_, body, messages) => {
    expect(read('line', UNTIL_CLOSE, body).messages).toEqual(messages)
  })

  test('lie over the bounds of chunks', () => {
    const body = '3\r\na\nb\r\n3;x\r\nc\nd\r\n002\r\ne\n\r\n0\r\nT: x\r\n\r\n'
    expect(read('line', CHUNKED, body)).toMatchObject({
      messages: ['a', 'bc', 'de'],
      result: 'ended',
    })
  })
})

describe('events', () => {
  test.each([
    ['LF', 'data: a\n\ndata: b\n\n', ['data: a\n', 'data: b\n']],
    ['CR LF', 'data: a\r\n\r\ndata: b\r\n\r\n', ['data: a\r\n', 'data: b\r\n']],
    ['CR', 'data: a\r\rdata: b\r\r', ['data: a\r', 'data: b\r']],
    ['CR LF, then LF', 'data: a\r\n\ndata: b\n\n', ['data: a\r\n', 'data: b\n']],
    ['LF, then CR LF', 'data: a\n\r\ndata: b\r\n\r\n', ['data: a\n', 'data: b\r\n']],
    ['CR, then CR LF', 'data: a\r\r\ndata: b\n\n', ['data: a\r', 'data: b\n']],
  ])('may have lines that end in %s', (_, body, messages) => {
    expect(read('sse', UNTIL_CLOSE, body).messages).toEqual(messages)
  })

  test.each([
    ['a comment', ': data: x\n\n'],
    ['no data', 'event: a\nid: 1\n\n'],
    ['a field that begins like data', 'datas: a\ndata-x: b\ndat: c\n\n'],
    ['an empty line', '\n\r\n\r\r\n\n'],
    ['no end yet', 'data: a\ndata: b\n'],
  ])('with nothing but %s are no messages', (_, body) => {
    expect(read('sse', UNTIL_CLOSE, body).messages).toEqual([])
  })

  test.each([['data'], ['data:'], ['data: a'], ['id: 1\ndata: a\ndata: b'], [': x\ndata:a']])(
    'of %p are messages',
    (event) => {
      expect(read('sse', UNTIL_CLOSE, `${event}\n\n`).messages).toEqual([`${event}\n`])
    },
  )
})

function frame(opcode: number, body = '', isFinal = true, form?: number): string {
  return frameHead(opcode, isFinal, body.length, form).toString('latin1') + body
}

describe('frames', () => {
  test.each([
    ['text and binary', frame(1, 'a') + frame(2, 'b'), ['a', 'b']],
    [
      'messages in several',
      frame(1, 'a', false) + frame(0, 'b', false) + frame(0, 'c') + frame(1, 'd'),
      ['abc', 'd'],
    ],
    ['empty ones of a message', frame(1, '', false) + frame(0, '', false) + frame(0), ['']],
    ['a ping within a message', frame(1, 'a', false) + frame(9) + frame(0, 'b'), ['ab']],
    ['a pong that was not requested', frame(10, 'x') + frame(1, 'a'), ['a']],
    ['an empty one', frame(1), ['']],
    ['one of 125 bytes', frame(1, 'x'.repeat(125)), ['x'.repeat(125)]],
    ['one of 126 bytes', frame(1, 'x'.repeat(126)), ['x'.repeat(126)]],
    ['a length in eight bytes', frame(1, 'abc', true, 0), ['abc']],
  ])('may be %s', (_, body, messages) => {
    expect(read('websocket', SWITCH, body)).toMatchObject({ messages, result: 'more' })
  })

  test.each([65_535, 65_536, MAX])('may have %p bytes', (length) => {
    const body = frame(2, 'x'.repeat(length)) + frame(1, 'end')
    const wire = latin1(SWITCH + body)
    const { seen, partialBytes } = readInPieces(cutAt(wire, [70, 30_000, 60_000]), 'websocket')
    const lengths = seen.messages.map((message) => message.length)
    expect([lengths, seen.result, partialBytes]).toEqual([[length, 3], 'more', null])
  })

  test('of pings are reported with the bytes to send back', () => {
    const { pings, messages } = read('websocket', SWITCH, frame(9, 'ping') + frame(9))
    expect([pings, messages]).toEqual([['ping', ''], []])
  })

  test('end with a close, whatever follows', () => {
    const body = frame(1, 'a') + frame(8, '\x03\xe8') + frame(1, 'b')
    expect(read('websocket', SWITCH, body)).toMatchObject({ messages: ['a'], result: 'ended' })
  })

  test('are not cut into chunks, whatever the head of the switch says', () => {
    const head = SWITCH.replace('Upgrade:', 'Transfer-Encoding: chunked\r\nUpgrade:')
    expect(read('websocket', head, frame(1, 'a')).messages).toEqual(['a'])
  })

  test.each([
    ['masked', '\x81\x81\0\0\0\0a'],
    ['with a reserved bit', '\xc1\x01a'],
    ['of a reserved kind', '\x83\x01a'],
    ['of a reserved kind about the connection', '\x8b\0'],
    ['a ping of more than 125 bytes', `\x89\x7e\0\x7e${'x'.repeat(126)}`],
    ['a ping in parts', '\x09\0'],
    ['a close in parts', '\x08\0'],
    ['a close with half a code', '\x88\x01a'],
    ['the rest of no message', frame(0, 'a')],
    ['a new one within a message', frame(1, 'a', false) + frame(1, 'b')],
  ])('are bad if one is %s', (_, body) => {
    expect(read('websocket', SWITCH, frame(1, 'a') + body)).toMatchObject({
      messages: ['a'],
      result: 'bad_frame',
    })
  })
})

describe('a message', () => {
  const far = frameHead(2, true, MAX + 1).toString('latin1')
  const event = (length: number) => `data:${'x'.repeat(length - 6)}\n`
  test.each<[CutFraming, string, string, number]>([
    ['line', `${'x'.repeat(MAX)}\n`, `${'x'.repeat(MAX + 1)}\n`, MAX],
    ['line', `${'x'.repeat(MAX - 1)}\r\n`, 'x'.repeat(MAX + 1), MAX - 1],
    ['sse', `${event(MAX)}\n`, `${event(MAX + 1)}\n`, MAX],
    ['sse', `${event(MAX - 1)}\r\n`, event(MAX + 1), MAX - 1],
    ['websocket', frame(2, 'x'.repeat(MAX)), far, MAX],
  ])('of framing %s may be as long as the limit and no longer', (framing, good, bad, length) => {
    const head = framing === 'websocket' ? SWITCH : UNTIL_CLOSE
    const lengthsAndResult = (body: string, pieceBytes: number): [number[], ReadResult] => {
      const wire = latin1(head + body)
      const cuts = Array.from({ length: Math.floor(wire.length / pieceBytes) }, (_, at) => at)
      const parts = cutAt(
        wire,
        cuts.map((at) => at * pieceBytes),
      )
      const { seen } = readInPieces(parts, framing)
      return [seen.messages.map((message) => message.length), seen.result]
    }
    for (const pieceBytes of [MAX * 2, 65_536, 999]) {
      expect(lengthsAndResult(good, pieceBytes)).toEqual([[length], 'more'])
      expect(lengthsAndResult(bad, pieceBytes)).toEqual([[], 'message_too_large'])
    }
  })

  test.each<[CutFraming, string, string]>([
    ['chunk', `${CHUNKED}2\r\nab\r\n`, `${CHUNKED}2\r\na`],
    ['line', `${CHUNKED}2\r\na\n\r\n`, `${CHUNKED}2\r\na`],
    ['sse', `${UNTIL_CLOSE}data:a\n\n`, `${UNTIL_CLOSE}data:a\n`],
    ['sse', `${UNTIL_CLOSE}data:a\r\n\r\n`, `${UNTIL_CLOSE}data:a`],
    ['websocket', SWITCH + frame(1, 'ab'), `${SWITCH}\x81`],
  ])('of framing %s is kept only until it is whole', (framing, whole, part) => {
    const kept = (text: string) => {
      const wire = latin1(text)
      return readInPieces(cutAt(wire, [...wire.keys()]), framing).partialBytes
    }
    expect(kept(whole)).toBeNull()
    expect(kept(part)).toBeGreaterThan(0)
  })
})

test('a head is too large at the same length, however it is cut', () => {
  for (const [more, result] of [
    [0, 'more'],
    [1, 'head_too_large'],
  ] as const) {
    const fixed = 'HTTP/1.1 200 OK\r\nA: \r\n\r\n'
    const filler = 'x'.repeat(floodLimits.headBytesMax - fixed.length + more)
    const wire = latin1(fixed.replace('A: ', `A: ${filler}`))
    for (const cuts of [[], [5], [wire.length - 2], [wire.length - 1]]) {
      expect(readInPieces(cutAt(wire, cuts), 'line').seen.result).toBe(result)
    }
  }
})
