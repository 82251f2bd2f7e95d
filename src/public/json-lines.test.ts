// Goal: a line says all of a message, and is one line of valid JSON whatever the message is; as a
// transport it keeps what all of them promise. Method: the lines of frames read by JSON.parse.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { EVERYONE, type Frame, newFrame } from '../hub/frame.ts'
import type { EndReason } from '../hub/refusals.ts'
import type { StreamStart } from '../hub/stream.ts'
import { NOBODY } from '../subscriptions/name-table.ts'
import { jsonLines } from './json-lines.ts'

const encoder = new TextEncoder()

const EPOCH = 0x19ad3f0c2a1
const ID = '"id":"019ad3f0c2a1-00000000002a"'

function lineOf(frame: Frame): string {
  return Buffer.from(jsonLines.encode(inLog(frame), false)).toString()
}

/** As the log has numbered it. */
function inLog(frame: Frame): Frame {
  frame.epoch = EPOCH
  frame.number = 42
  return frame
}

test('a line has to whom or about what a message is, and its body', () => {
  expect(lineOf(newFrame(encoder.encode('Hi'), false, 7))).toBe(`{${ID},"to":7,"body":"Hi"}\n`)
  expect(lineOf(newFrame(encoder.encode('Hi'), true, 42))).toBe(
    `{${ID},"subject":42,"body":"Hi"}\n`,
  )
})

test('a line for everyone says so', () => {
  expect(lineOf(newFrame(encoder.encode('Hi'), false, EVERYONE))).toBe(
    `{${ID},"to":"*","body":"Hi"}\n`,
  )
})

test('a line has the name of a user or subject that has one', () => {
  const to = newFrame(encoder.encode('Hi'), false, NOBODY + 1, null, false, 'alice')
  const about = newFrame(encoder.encode('1'), true, NOBODY + 2, 'e', true, 'room:42')
  expect(lineOf(to)).toBe(`{${ID},"to":"alice","body":"Hi"}\n`)
  expect(lineOf(about)).toBe(`{${ID},"subject":"room:42","event":"e","data":1}\n`)
})

test('a line has the event, and data as it was published', () => {
  const frame = newFrame(encoder.encode('{"n": 1.0}'), true, 42, 'price', true)
  expect(lineOf(frame)).toBe(`{${ID},"subject":42,"event":"price","data":{"n": 1.0}}\n`)
})

test('a body that begins with a byte order mark keeps it', () => {
  expect(lineOf(newFrame(encoder.encode('\uFEFFx'), false, 7))).toBe(
    `{${ID},"to":7,"body":"\uFEFFx"}\n`,
  )
})

test('any text is one line that JSON.parse reads as that text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', minLength: 1 }), (body) => {
      const line = lineOf(newFrame(encoder.encode(body), false, 1))
      expect(line.indexOf('\n')).toBe(line.length - 1)
      expect(JSON.parse(line)).toEqual({ id: '019ad3f0c2a1-00000000002a', to: 1, body })
    }),
  )
})

describe('a line is built once a message', () => {
  test.each([true, false])('chunked: %p', (isChunked) => {
    const frame = newFrame(encoder.encode('Hi'), false, 7)
    expect(jsonLines.encode(frame, isChunked)).toBe(jsonLines.encode(frame, isChunked))
  })

  test('and a chunk has its length before it', () => {
    const frame = inLog(newFrame(encoder.encode('Hi'), false, 7))
    const chunk = Buffer.from(jsonLines.encode(frame, true)).toString()
    expect(chunk).toBe(`36\r\n{${ID},"to":7,"body":"Hi"}\n\r\n`)
  })
})

test('the end of a stream is a line that says why, with a note if there is one', () => {
  const ending = (...[reason, note]: [EndReason, string | null]) =>
    Buffer.from(jsonLines.ending({ reason, note }, false)).toString()
  expect(ending('expired', null)).toBe('{"end":"expired"}\n')
  expect(ending('ended', 'a "note"')).toBe('{"end":"ended","note":"a \\"note\\""}\n')
})

describe('a stream begins with a line', () => {
  const cursor = { epoch: EPOCH, number: 42 }
  const greetingOf = (start: StreamStart, isChunked = false) =>
    Buffer.from(jsonLines.greeting(7, isChunked, start)).toString()

  test('that says where its client is, so that it can come back without a message', () => {
    expect(greetingOf({ cursor, gap: null })).toBe(`{${ID}}\n`)
    expect(greetingOf({ cursor, gap: null }, true)).toBe(`21\r\n{${ID}}\n\r\n`)
  })

  test.each(['lost', 'too_many', 'unknown'] as const)('about a gap before it: %s', (reason) => {
    const gap = { after: { epoch: 1, number: 2 }, reason }
    const [first, ...others] = greetingOf({ cursor, gap }).split('\n')
    expect(JSON.parse(first ?? '')).toEqual({
      gap: {
        after: '000000000001-000000000002',
        resume: '019ad3f0c2a1-00000000002a',
        reason,
      },
    })
    expect(others).toEqual([`{${ID}}`, ''])
  })
})
