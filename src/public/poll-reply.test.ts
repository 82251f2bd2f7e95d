// Goal: answers have the fields that the Durable Streams protocol asks for, and bodies that
// JSON.parse reads as what was sent. Method: replies as values.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { newFrame } from '../hub/frame.ts'
import { jsonLines } from './json-lines.ts'
import {
  arrayOf,
  gapReply,
  lastIdOf,
  nothingReply,
  type PollPage,
  pageReply,
  tailReply,
} from './poll-reply.ts'

const EPOCH = 0x019ad3f0c2a1
const NEXT = '019ad3f0c2a1-00000000002a'
const EMPTY: PollPage = {
  lines: new Uint8Array(0),
  next: NEXT,
  isUpToDate: true,
  collapsing: null,
}
const TAGGED = { isTagged: true, noneMatch: null } as const

function lineOf(number: number, body: string): Uint8Array {
  const frame = newFrame(Buffer.from(body), false, 7)
  frame.epoch = EPOCH
  frame.number = number
  return jsonLines.encode(frame, false)
}

test('lines become one array', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary', minLength: 1 })), (bodies) => {
      const lines = Buffer.concat(bodies.map((body, at) => lineOf(at + 1, body)))
      const messages = JSON.parse(Buffer.from(arrayOf(lines)).toString()) as { body: string }[]
      expect(messages.map(({ body }) => body)).toEqual(bodies)
      if (bodies.length > 0) {
        const [epoch, number] = lastIdOf(lines).split('-')
        expect([epoch, Number.parseInt(number ?? '', 16)]).toEqual(['019ad3f0c2a1', bodies.length])
      }
    }),
  )
})

test('a page says where it ends, and that nothing is behind it', () => {
  const lines = lineOf(42, 'Hi')
  const { status, headers, body } = pageReply({ ...EMPTY, lines }, TAGGED)
  expect([status, String(Buffer.from(body ?? ''))]).toEqual([
    200,
    `[{"id":"${NEXT}","to":7,"body":"Hi"}]`,
  ])
  expect(headers).toMatchObject({
    'content-type': 'application/json',
    'stream-next-offset': NEXT,
    'stream-up-to-date': 'true',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'cross-origin-resource-policy': 'same-origin',
  })
  // For those who do not wait, caches have nothing to do.
  expect(headers).not.toHaveProperty('stream-cursor')
})

test('a page that others are behind does not say that it is up to date', () => {
  const { headers } = pageReply({ ...EMPTY, isUpToDate: false }, TAGGED)
  expect(headers).not.toHaveProperty('stream-up-to-date')
})

test('a page of nothing is an empty array', () => {
  expect(String(Buffer.from(pageReply(EMPTY, TAGGED).body ?? ''))).toBe('[]')
})

describe('a page has a tag', () => {
  const page = { ...EMPTY, lines: lineOf(42, 'Hi') }
  const { etag = '' } = pageReply(page, TAGGED).headers ?? {}

  test('which is another for another body, and for one with more behind it', () => {
    expect(etag).toMatch(/^"[\w-]+"$/)
    const others = [EMPTY, { ...page, isUpToDate: false }, { ...page, lines: lineOf(43, 'Hi') }]
    const tags = others.map((other) => pageReply(other, TAGGED).headers?.['etag'])
    expect(new Set([etag, ...tags]).size).toBe(4)
    expect(pageReply({ ...page, next: 'other' }, TAGGED).headers?.['etag']).toBe(etag)
  })

  test.each([etag, `W/${etag}`, `"a", ${etag}`, '*'])('by which it is known again: %p', (tag) => {
    const reply = pageReply(page, { isTagged: true, noneMatch: String(tag) })
    expect(reply.status).toBe(304)
    expect(reply.headers).toMatchObject({ etag, 'stream-next-offset': NEXT })
  })

  test('unless it begins now', () => {
    expect(pageReply(EMPTY, { isTagged: false, noneMatch: '*' }).headers).not.toHaveProperty('etag')
  })

  test('and another one is no match', () => {
    expect(pageReply(page, { isTagged: true, noneMatch: '"a"' }).status).toBe(200)
  })
})

test('an answer without messages says where the client is, and what caches are to be told', () => {
  const { status, headers, body } = nothingReply({ next: NEXT, isUpToDate: true, collapsing: 17 })
  expect([status, body]).toEqual([204, undefined])
  expect(headers).toMatchObject({
    'stream-next-offset': NEXT,
    'stream-up-to-date': 'true',
    'stream-cursor': '17',
  })
})

test('a gap is told with the cursor to go on from', () => {
  const cursor = { epoch: EPOCH, number: 42 }
  expect(gapReply({ cursor, gap: null })).toBeNull()
  const reply = gapReply({ cursor, gap: { after: { epoch: EPOCH, number: 1 }, reason: 'lost' } })
  expect([reply?.status, reply?.headers?.['stream-next-offset']]).toEqual([410, NEXT])
  expect(JSON.parse(String(reply?.body))).toEqual({
    error: { code: 'gap', message: `What follows this offset is not kept; go on from ${NEXT}` },
    gap: { after: '019ad3f0c2a1-000000000001', resume: NEXT, reason: 'lost' },
  })
})

test('a head has the offset behind the last message', () => {
  const { headers } = tailReply({ cursor: { epoch: EPOCH, number: 42 } })
  expect(headers).toMatchObject({ 'content-type': 'application/json', 'stream-next-offset': NEXT })
})
