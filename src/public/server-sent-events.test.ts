// Goal: a client that reads as WHATWG HTML says gets the body that was published, whatever its
// lines are, with the id and event of comet alone. Method: a reader written by section 9.2.6.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { type Frame, newFrame } from '../hub/frame.ts'
import { serverSentEnvelopes, serverSentEvents } from './server-sent-events.ts'

const encoder = new TextEncoder()
const ID = '019ad3f0c2a1-00000000002a'
const cursor = { epoch: 0x19ad3f0c2a1, number: 42 }

function inLog(body: string, event: string | null = null, isJson = false): Frame {
  const frame = newFrame(encoder.encode(body), false, 7, event, isJson)
  return Object.assign(frame, cursor)
}

interface ReadEvent {
  readonly type: string
  readonly data: string
  readonly id: string
}

/** The events of a stream, and the id that a client has at its end. */
function read(text: string): { events: ReadEvent[]; id: string } {
  const events: ReadEvent[] = []
  let [id, type, data] = ['', '', '']
  for (const line of text.split(/\r\n|\r|\n/)) {
    if (line === '') {
      if (data !== '') events.push({ type: type || 'message', data: data.slice(0, -1), id })
      ;[type, data] = ['', '']
      continue
    }
    const colon = line.indexOf(':')
    if (colon === 0) continue
    const name = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (name === 'id') id = value
    else if (name === 'event') type = value
    else if (name === 'data') data += `${value}\n`
  }
  return { events, id }
}

const textOf = (bytes: Uint8Array) => new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)

test('a message is an event with its id and its body', () => {
  expect(textOf(serverSentEvents.encode(inLog('Hi'), false))).toBe(`id: ${ID}\ndata: Hi\n\n`)
  expect(textOf(serverSentEvents.encode(inLog('Hi', 'e'), false))).toBe(
    `id: ${ID}\nevent: e\ndata: Hi\n\n`,
  )
  expect(textOf(serverSentEvents.encode(inLog('{"n":1}', null, true), false))).toBe(
    `id: ${ID}\ndata: {"n":1}\n\n`,
  )
})

test('any body is read as it was published, its ends of lines as line feeds', () => {
  const lines = fc
    .array(
      fc.constantFrom('\r', '\n', '\r\n', 'id: 9', 'event: x', 'data: y', ':', ' ', 'é🙂', '\0'),
    )
    .map((parts) => parts.join(''))
  const body = fc.oneof(lines, fc.string({ unit: 'binary' })).filter((text) => text !== '')
  fc.assert(
    fc.property(body, (text) => {
      const { events, id } = read(textOf(serverSentEvents.encode(inLog(text), false)))
      const data = text.replaceAll(/\r\n|\r/g, '\n')
      // A body of one empty line is one for a reader, too.
      expect(events).toEqual([{ type: 'message', data, id: ID }])
      expect(id).toBe(ID)
    }),
  )
})

test('an envelope is the JSON object that a line would be', () => {
  const frame = inLog('a\nb', 'e')
  const { events } = read(textOf(serverSentEnvelopes.encode(frame, false)))
  expect(events.map(({ type, id }) => [type, id])).toEqual([['e', ID]])
  expect(JSON.parse(events[0]?.data ?? '')).toEqual({ id: ID, to: 7, event: 'e', body: 'a\nb' })
})

describe.each([serverSentEvents, serverSentEnvelopes])('a stream', (transport) => {
  const START = { type: 'start', data: `{"id":"${ID}"}`, id: ID }

  test('begins with an event that has an id and data, so that every client keeps its place', () => {
    const greeting = transport.greeting(7, false, { cursor, gap: null })
    expect(read(textOf(greeting))).toEqual({ events: [START], id: ID })
  })

  test('tells of a gap before that', () => {
    const gap = { after: { epoch: 1, number: 2 }, reason: 'lost' } as const
    const { events, id } = read(textOf(transport.greeting(7, false, { cursor, gap })))
    expect(events.map(({ type }) => type)).toEqual(['gap', 'start'])
    const after = '000000000001-000000000002'
    expect(JSON.parse(events[0]?.data ?? '')).toEqual({ after, resume: ID, reason: 'lost' })
    expect(id).toBe(ID)
  })

  test('ends with an event that says why, and its heartbeat is none', () => {
    const { events } = read(textOf(transport.ending({ reason: 'expired', note: null }, false)))
    expect(events).toEqual([{ type: 'end', data: '{"end":"expired"}', id: '' }])
    expect(read(textOf(transport.heartbeat(false)))).toEqual({ events: [], id: '' })
  })

  test('builds the event of a message once, and a chunk of it', () => {
    const frame = inLog('Hi')
    for (const isChunked of [true, false]) {
      expect(transport.encode(frame, isChunked)).toBe(transport.encode(frame, isChunked))
    }
    const [size, ...rest] = textOf(transport.encode(frame, true)).split('\r\n')
    expect(Number.parseInt(size ?? '', 16)).toBe(Buffer.byteLength(rest[0] ?? ''))
  })
})
