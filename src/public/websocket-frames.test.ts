// Goal: of what a client sends, valid frames are read as they are meant, however they are cut, and
// all others end the stream with the right code; nothing is kept of streams that have begun
// nothing, and of the others no more than a bound. Method: frames byte by byte, and a naive reader.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { websocketLimits } from '../core/limits.ts'
import {
  CLOSE,
  clientClose,
  clientFrame,
  clientText,
  type FrameParts,
  PING,
  PONG,
  readNaively,
  serverFramesIn,
  TEXT,
} from './websocket.fixture.ts'
import {
  CLOSE_CODE,
  type ClientFrame,
  ClientFrames,
  encodeClose,
  encodeCloseReply,
  encodePong,
  encodeText,
  PING as PING_FRAME,
} from './websocket-frames.ts'

const { messageBytesMax, incompleteBytesMax } = websocketLimits

const SLOT = 7

function newFrames(): { frames: ClientFrames; evicted: number[] } {
  const evicted: number[] = []
  return { frames: new ClientFrames((slot) => evicted.push(slot)), evicted }
}

/** What is read of all bytes at once. */
function readAll(...parts: Uint8Array[]): readonly ClientFrame[] {
  return newFrames().frames.read(SLOT, Buffer.concat(parts))
}

/** Each frame as a word or two. */
function told(frames: readonly ClientFrame[]): string[] {
  return frames.map((frame) => {
    if (frame.kind === 'text') return frame.text
    if (frame.kind === 'invalid') return String(frame.code)
    return `${frame.kind} ${Buffer.from(frame.payload).toString('latin1')}`
  })
}

const [begin, middle, end] = ['{"a', '":', '1}'].map((payload, at) =>
  clientFrame({ opcode: at === 0 ? TEXT : 0, payload, isFinal: at === 2 }),
) as [Buffer, Buffer, Buffer]

describe('a client that sends', () => {
  test.each<[string, Uint8Array[], string[]]>([
    ['a text', [clientText('hello')], ['hello']],
    ['an empty text', [clientText('')], ['']],
    ['two texts at once', [clientText('a'), clientText('é€😀')], ['a', 'é€😀']],
    ['a byte order mark', [clientText('\uFEFFa')], ['\uFEFFa']],
    ['a text in fragments', [begin, middle, end], ['{"a":1}']],
    [
      'control frames between fragments',
      [
        begin,
        clientFrame({ opcode: PING, payload: 'x' }),
        middle,
        clientFrame({ opcode: PONG }),
        end,
      ],
      ['ping x', '{"a":1}'],
    ],
    [
      'an empty fragment',
      [begin, clientFrame({ opcode: 0, isFinal: false }), middle, end],
      ['{"a":1}'],
    ],
    [
      'a character in two fragments',
      [
        clientFrame({ opcode: TEXT, payload: Uint8Array.of(0xc3), isFinal: false }),
        clientFrame({ opcode: 0, payload: Uint8Array.of(0xa9) }),
      ],
      ['é'],
    ],
    [
      'a ping, whose payload is kept',
      [clientFrame({ opcode: PING, payload: 'p'.repeat(125) })],
      [`ping ${'p'.repeat(125)}`],
    ],
    ['a pong that nobody asked for', [clientFrame({ opcode: PONG, payload: 'x' })], []],
    [
      'a length in more bytes than it takes',
      [clientFrame({ opcode: TEXT, payload: 'a', lengthBytes: 8 })],
      ['a'],
    ],
    ['a mask of zeros', [clientFrame({ opcode: TEXT, payload: 'a', mask: [0, 0, 0, 0] })], ['a']],
    ['a close without a code', [clientFrame({ opcode: CLOSE })], ['close ']],
    ['a close with a code and a reason', [clientClose(4001, 'é')], ['close \x0f\xa1\xc3\xa9']],
    ['anything behind a close', [clientClose(1000), clientText('a')], ['close \x03\xe8']],
    [
      'the longest message',
      [clientText('a'.repeat(messageBytesMax))],
      ['a'.repeat(messageBytesMax)],
    ],
  ])('%s is read so', (_, parts, expected) => {
    expect(told(readAll(...parts))).toEqual(expected)
  })

  test.each<[string, FrameParts, number]>([
    [
      'a frame that is not masked',
      { opcode: TEXT, payload: 'a', mask: null },
      CLOSE_CODE.protocolError,
    ],
    [
      'the first reserved bit, as for compression',
      { opcode: TEXT, reserved: 0x40 },
      CLOSE_CODE.protocolError,
    ],
    ['the second reserved bit', { opcode: TEXT, reserved: 0x20 }, CLOSE_CODE.protocolError],
    ['the third reserved bit', { opcode: PING, reserved: 0x10 }, CLOSE_CODE.protocolError],
    ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode): [string, FrameParts, number] => [
      `opcode ${opcode}`,
      { opcode },
      CLOSE_CODE.protocolError,
    ]),
    ['binary data', { opcode: 2, payload: 'a' }, CLOSE_CODE.unsupportedData],
    ['a fragment of binary data', { opcode: 2, isFinal: false }, CLOSE_CODE.unsupportedData],
    ['a continuation of nothing', { opcode: 0 }, CLOSE_CODE.protocolError],
    ['a ping in fragments', { opcode: PING, isFinal: false }, CLOSE_CODE.protocolError],
    [
      'a ping that is too long',
      { opcode: PING, payload: 'x'.repeat(126) },
      CLOSE_CODE.protocolError,
    ],
    [
      'a close that is too long',
      { opcode: CLOSE, payload: '\x03\xe8'.padEnd(126) },
      CLOSE_CODE.protocolError,
    ],
    ['a close of one byte', { opcode: CLOSE, payload: Uint8Array.of(3) }, CLOSE_CODE.protocolError],
    [
      'a close whose reason is not UTF-8',
      { opcode: CLOSE, payload: Uint8Array.of(3, 0xe8, 0xff) },
      CLOSE_CODE.protocolError,
    ],
    [
      'a message that is too long',
      { opcode: TEXT, payload: 'a'.repeat(messageBytesMax + 1) },
      CLOSE_CODE.tooLarge,
    ],
    ['the largest length there is', { opcode: TEXT, length: 2n ** 63n - 1n }, CLOSE_CODE.tooLarge],
    [
      'a length with the highest bit',
      { opcode: TEXT, length: 2n ** 63n },
      CLOSE_CODE.protocolError,
    ],
    ['half a character', { opcode: TEXT, payload: Uint8Array.of(0xc3) }, CLOSE_CODE.invalidText],
    [
      'a surrogate',
      { opcode: TEXT, payload: Uint8Array.of(0xed, 0xa0, 0x80) },
      CLOSE_CODE.invalidText,
    ],
    [
      'a character in too many bytes',
      { opcode: TEXT, payload: Uint8Array.of(0xc0, 0xaf) },
      CLOSE_CODE.invalidText,
    ],
  ])('%s breaks the rules, and nothing behind it is read', (_, parts, code) => {
    expect(told(readAll(clientText('before'), clientFrame(parts), clientText('a')))).toEqual([
      'before',
      String(code),
    ])
  })

  test.each([0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535])(
    'a close with the code %d breaks the rules',
    (code) => {
      expect(told(readAll(clientClose(code)))).toEqual(['1002'])
    },
  )

  test.each([
    1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999,
  ])('a close with the code %d is answered with it', (code) => {
    const [frame] = readAll(clientClose(code, 'why'))
    if (frame?.kind !== 'close') throw new Error('it is no close')
    const { frames } = serverFramesIn(encodeCloseReply(frame.payload))
    expect(frames).toEqual([{ opcode: CLOSE, payload: Buffer.of(code >> 8, code & 255) }])
  })

  test('another message within one breaks the rules, whichever kind', () => {
    expect(told(readAll(begin, clientText('a')))).toEqual(['1002'])
    expect(told(readAll(begin, clientFrame({ opcode: 2 })))).toEqual(['1002'])
  })

  test('fragments that are too long together break the rules, before the last one has come', () => {
    const half = 'a'.repeat(messageBytesMax / 2)
    const first = clientFrame({ opcode: TEXT, payload: half, isFinal: false })
    const second = clientFrame({ opcode: 0, payload: half })
    expect(told(readAll(first, second))).toEqual([half + half])
    const longer = clientFrame({ opcode: 0, payload: `${half}a` })
    expect(told(readAll(first, longer.subarray(0, 8)))).toEqual(['1009'])
    const more = clientFrame({ opcode: 0, payload: half, isFinal: false })
    expect(told(readAll(first, more, clientFrame({ opcode: 0, payload: 'a' })))).toEqual(['1009'])
  })

  test('text that is not UTF-8 across fragments breaks the rules', () => {
    const first = clientFrame({ opcode: TEXT, payload: Uint8Array.of(0xe2, 0x82), isFinal: false })
    const wrong = clientFrame({ opcode: 0, payload: Uint8Array.of(0x28) })
    expect(told(readAll(first, wrong))).toEqual(['1007'])
  })

  test('the head of a frame that breaks the rules is judged before the rest has come', () => {
    const wrong = clientFrame({ opcode: TEXT, payload: 'a'.repeat(70_000) })
    expect(told(readAll(wrong.subarray(0, 10)))).toEqual(['1009'])
    expect(told(readAll(clientFrame({ opcode: 3 }).subarray(0, 2)))).toEqual(['1002'])
    expect(readAll(clientFrame({ opcode: 3 }).subarray(0, 1))).toEqual([])
  })
})

/** Frames as clients might send them, mostly valid. */
const frameParts = fc.record({
  opcode: fc.constantFrom(TEXT, TEXT, TEXT, 0, 0, PING, PONG, CLOSE, 2, 3),
  payload: fc.oneof(
    fc.string({ unit: 'binary', maxLength: 20 }),
    fc.uint8Array({ maxLength: 20 }),
    fc.constantFrom('x'.repeat(125), 'x'.repeat(126), 'x'.repeat(9_000), '\x03\xe8bye'),
  ),
  isFinal: fc.boolean(),
  mask: fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255)),
})

describe('what is read', () => {
  test('is the same however the bytes are cut, and the same as of the naive reader', () => {
    fc.assert(
      fc.property(
        fc.array(frameParts, { maxLength: 8, size: 'max' }),
        fc.array(fc.nat(200), { maxLength: 40, size: 'max' }),
        (all, lengths) => {
          const wire = Buffer.concat(all.map(clientFrame))
          const { frames } = newFrames()
          const seen: ClientFrame[] = []
          const isOver = () => ['close', 'invalid'].includes(seen.at(-1)?.kind ?? '')
          let at = 0
          for (const length of [...lengths, wire.length]) {
            // In memory that is used again.
            const part = new Uint8Array(wire.subarray(at, at + length))
            if (!isOver()) seen.push(...frames.read(SLOT, part))
            part.fill(0xff)
            at += length
          }
          expect(told(seen)).toEqual(told(readNaively(wire)))
          if (isOver()) expect([frames.incomplete, frames.keptBytes]).toEqual([0, 0])
        },
      ),
      { numRuns: 1_000 },
    )
  })

  test('keeps nothing of a stream between two messages', () => {
    const { frames } = newFrames()
    const text = clientText('hello')
    for (let at = 0; at < 100; at++) {
      expect(told(frames.read(SLOT, text.subarray(0, 3)))).toEqual([])
      expect(frames.incomplete).toBe(1)
      expect(told(frames.read(SLOT, text.subarray(3)))).toEqual(['hello'])
      expect([frames.incomplete, frames.keptBytes]).toEqual([0, 0])
    }
    frames.read(SLOT, begin)
    frames.read(SLOT, middle)
    expect(frames.incomplete).toBe(1)
    expect(told(frames.read(SLOT, end))).toEqual(['{"a":1}'])
    expect([frames.incomplete, frames.keptBytes]).toEqual([0, 0])
  })

  test('keeps the parts of streams apart, and nothing for the next stream of a slot', () => {
    const { frames } = newFrames()
    frames.read(1, clientText('first').subarray(0, 8))
    frames.read(2, begin)
    frames.forget(1)
    expect(told(frames.read(1, clientText('next')))).toEqual(['next'])
    expect(told(frames.read(2, end))).toEqual(['{"a1}'])
    expect([frames.incomplete, frames.keptBytes]).toEqual([0, 0])
  })

  test('keeps no more bytes than the bound: who began first is told, and none who sends whole messages', () => {
    const { frames, evicted } = newFrames()
    const part = clientText('a'.repeat(messageBytesMax)).subarray(0, messageBytesMax)
    let slot = 0
    while (evicted.length === 0) {
      slot++
      frames.read(slot, part)
      expect(told(frames.read(1_000_000, clientText('whole')))).toEqual(['whole'])
    }
    expect(slot).toBeGreaterThan((incompleteBytesMax / messageBytesMax) * 0.9)
    expect(evicted).toEqual([1])
    // One that goes on sending keeps its place.
    frames.read(2, part.subarray(0, 1))
    frames.read(slot + 1, part)
    expect(evicted).toEqual([1, 2])
    expect(frames.keptBytes).toBeLessThanOrEqual(incompleteBytesMax)
    for (let other = 1; other <= slot + 1; other++) frames.forget(other)
    expect([frames.incomplete, frames.keptBytes]).toEqual([0, 0])
  })
})

describe('a frame of the server', () => {
  test.each([0, 1, 125, 126, 127, 65_535, 65_536, 400_000])('has %d bytes of text', (length) => {
    const text = 'a'.repeat(length)
    const { frames, rest } = serverFramesIn(encodeText(text))
    expect([frames.length, frames[0]?.opcode, rest.length]).toEqual([1, TEXT, 0])
    expect(frames[0]?.payload.toString() === text).toBe(true)
  })

  test('is a ping, a pong with the payload of its ping, or a close with code and reason', () => {
    const { frames } = serverFramesIn(
      Buffer.concat([
        PING_FRAME,
        encodePong(Buffer.from('x')),
        encodeClose(CLOSE_CODE.expired, 'expired'),
        encodeCloseReply(new Uint8Array(0)),
      ]),
    )
    expect(frames.map(({ opcode, payload }) => [opcode, payload.toString('latin1')])).toEqual([
      [PING, ''],
      [PONG, 'x'],
      [CLOSE, '\x0f\xa1expired'],
      [CLOSE, ''],
    ])
  })
})
