// Goal: the query of a reader means what the Durable Streams protocol says, and what means nothing
// is refused. Method: a table of queries.

import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { isPoll, parsePoll } from './poll-request.ts'

const CURSOR = '019ad3f0c2a1-00000000002a'

function parsed(query: string) {
  const parameters = new URLSearchParams(query)
  expect(isPoll(parameters)).toBe(true)
  return parsePoll(parameters)
}

test.each(['', 'subjects=1', 'format=json', 'after=oldest', 'cursor=1'])(
  'a query without an offset asks for no poll: %p',
  (query) => {
    expect(isPoll(new URLSearchParams(query))).toBe(false)
  },
)

test('an offset says where to begin', () => {
  const offsetOf = (query: string) => {
    const request = parsed(query)
    return request.ok ? request.value.offset : request.why
  }
  expect(offsetOf('offset=-1')).toBe('oldest')
  // Section 5.6: without one, from the beginning.
  expect(offsetOf('format=poll')).toBe('oldest')
  expect(offsetOf('offset=now')).toBe('now')
  expect(offsetOf(`offset=${CURSOR}`)).toEqual({ epoch: 0x019ad3f0c2a1, number: 42 })
})

test.each([
  '',
  '0',
  '-2',
  'NOW',
  '0,1',
  '0+1',
  '../etc',
  `${CURSOR}0`,
  CURSOR.toUpperCase(),
  CURSOR.replace('-', '_'),
  `${CURSOR}%00`,
  `${CURSOR}&offset=${CURSOR}`,
])('a malformed offset is refused: %p', (offset) => {
  expect(parsed(`offset=${offset}`)).toEqual({
    ok: false,
    why: 'offset is -1, now, or one that an answer had',
  })
})

test('any text is an offset that was told, or is refused', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const request = parsePoll(new URLSearchParams([['offset', text]]))
      const isTold = /^([0-9a-f]{12}-[0-9a-f]{12}|-1|now)$/.test(text)
      expect(request.ok).toBe(isTold)
    }),
  )
})

test('live says how to wait, and for how long', () => {
  const request = parsed(`offset=${CURSOR}&live=long-poll&cursor=123&timeout=3`)
  expect(request.ok && request.value).toMatchObject({
    live: 'long-poll',
    collapsing: '123',
    waitMs: 3_000,
  })
  const events = parsed('offset=now&live=sse')
  expect(events.ok && events.value).toMatchObject({
    live: 'sse',
    collapsing: null,
    waitMs: 25_000,
  })
})

test.each([
  ['live=long-poll', 'live needs an offset'],
  ['live=sse', 'live needs an offset'],
  ['format=poll&live=sse', 'live needs an offset'],
  ['offset=-1&live=', 'live is long-poll or sse'],
  ['offset=-1&live=true', 'live is long-poll or sse'],
  ['offset=-1&live=sse&live=sse', 'live is long-poll or sse'],
  ['offset=-1&timeout=0', 'timeout is 1 to 60 seconds'],
  ['offset=-1&timeout=61', 'timeout is 1 to 60 seconds'],
  ['offset=-1&timeout=1.5', 'timeout is 1 to 60 seconds'],
  ['offset=-1&format=sse', 'offset and live are of the format poll, not of sse'],
  ['offset=-1&after=oldest', 'the format poll has offset, not after'],
  ['format=poll&last=3', 'the format poll has offset, not last'],
])('what contradicts itself is refused: %s', (query, why) => {
  expect(parsed(query)).toEqual({ ok: false, why })
})

test('parameters that it does not know are ignored', () => {
  expect(parsed('offset=-1&foo=bar').ok).toBe(true)
})
