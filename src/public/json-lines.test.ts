// Goal: a line says all of a message, and is one line of valid JSON whatever the message is; as a
// transport it keeps what all of them promise. Method: the lines of frames read by JSON.parse.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { EVERYONE, newFrame } from '../hub/frame.ts'
import type { EndReason } from '../hub/refusals.ts'
import { NOBODY } from '../subscriptions/name-table.ts'
import { jsonLines } from './json-lines.ts'

const encoder = new TextEncoder()

function lineOf(frame: Parameters<typeof jsonLines.encode>[0]): string {
  return Buffer.from(jsonLines.encode(frame, false)).toString()
}

test('a line has to whom or about what a message is, and its body', () => {
  expect(lineOf(newFrame(encoder.encode('Hi'), false, 7))).toBe('{"to":7,"body":"Hi"}\n')
  expect(lineOf(newFrame(encoder.encode('Hi'), true, 42))).toBe('{"subject":42,"body":"Hi"}\n')
})

test('a line for everyone says so', () => {
  expect(lineOf(newFrame(encoder.encode('Hi'), false, EVERYONE))).toBe('{"to":"*","body":"Hi"}\n')
})

test('a line has the name of a user or subject that has one', () => {
  const to = newFrame(encoder.encode('Hi'), false, NOBODY + 1, null, false, 'alice')
  const about = newFrame(encoder.encode('1'), true, NOBODY + 2, 'e', true, 'room:42')
  expect(lineOf(to)).toBe('{"to":"alice","body":"Hi"}\n')
  expect(lineOf(about)).toBe('{"subject":"room:42","event":"e","data":1}\n')
})

test('a line has the event, and data as it was published', () => {
  const frame = newFrame(encoder.encode('{"n": 1.0}'), true, 42, 'price', true)
  expect(lineOf(frame)).toBe('{"subject":42,"event":"price","data":{"n": 1.0}}\n')
})

test('a body that begins with a byte order mark keeps it', () => {
  expect(lineOf(newFrame(encoder.encode('\uFEFFx'), false, 7))).toBe('{"to":7,"body":"\uFEFFx"}\n')
})

test('any text is one line that JSON.parse reads as that text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', minLength: 1 }), (body) => {
      const line = lineOf(newFrame(encoder.encode(body), false, 1))
      expect(line.indexOf('\n')).toBe(line.length - 1)
      expect(JSON.parse(line)).toEqual({ to: 1, body })
    }),
  )
})

describe('a line is built once a message', () => {
  test.each([true, false])('chunked: %p', (isChunked) => {
    const frame = newFrame(encoder.encode('Hi'), false, 7)
    expect(jsonLines.encode(frame, isChunked)).toBe(jsonLines.encode(frame, isChunked))
  })

  test('and a chunk has its length before it', () => {
    const frame = newFrame(encoder.encode('Hi'), false, 7)
    const chunk = Buffer.from(jsonLines.encode(frame, true)).toString()
    expect(chunk).toBe('15\r\n{"to":7,"body":"Hi"}\n\r\n')
  })
})

test('the end of a stream is a line that says why, with a note if there is one', () => {
  const ending = (...[reason, note]: [EndReason, string | null]) =>
    Buffer.from(jsonLines.ending({ reason, note }, false)).toString()
  expect(ending('expired', null)).toBe('{"end":"expired"}\n')
  expect(ending('ended', 'a "note"')).toBe('{"end":"ended","note":"a \\"note\\""}\n')
})

test('a stream begins with an empty line, so that all clients know that it is open', () => {
  const greetings = [false, true].map((isChunked) => jsonLines.greeting(7, isChunked))
  expect(greetings.map((bytes) => Buffer.from(bytes).toString())).toEqual(['\n', '1\r\n\n\r\n'])
})
