// Goal: an open stream is told of a gap in its format, as one that begins with it, and is then
// where the gap ends. Method: the bytes of a gap and of the same gap at the beginning.

import { expect, test } from 'bun:test'
import { newGapFrame } from '../hub/frame.ts'
import { raw } from './chunked.ts'
import { jsonLines } from './json-lines.ts'
import { serverSentEnvelopes, serverSentEvents } from './server-sent-events.ts'
import { websocket } from './websocket.ts'

const AFTER = { epoch: 1, number: 2 }
const RESUME = { epoch: 3, number: 40 }
const START = { cursor: RESUME, gap: { after: AFTER, reason: 'lost' } } as const

const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1')

test('a line of JSON has the object that a stream begins with', () => {
  const [line] = textOf(jsonLines.greeting(7, false, START)).split('\n')
  expect(textOf(jsonLines.encode(newGapFrame(AFTER, RESUME), false))).toBe(`${line}\n`)
  const chunk = textOf(jsonLines.encode(newGapFrame(AFTER, RESUME), true))
  expect(chunk).toBe(`${((line?.length ?? 0) + 1).toString(16)}\r\n${line}\n\r\n`)
})

test.each([serverSentEvents, serverSentEnvelopes])(
  'an event has the data that a stream begins with, and the id to go on from',
  (transport) => {
    const [event] = textOf(transport.greeting(7, false, START)).split('\n\n')
    const told = textOf(transport.encode(newGapFrame(AFTER, RESUME), false))
    expect(told).toBe(`id: 000000000003-000000000028\n${event}\n\n`)
  },
)

test('a text frame of WebSocket has the object that a stream begins with', () => {
  const told = websocket.encode(newGapFrame(AFTER, RESUME))
  expect(textOf(websocket.greeting(7, false, START))).toStartWith(textOf(told))
})

test('formats without a place for it end instead', () => {
  expect(raw.tellsGaps).toBe(false)
})
