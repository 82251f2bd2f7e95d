// Goal: each path and query asks for the right stream, or says why for none. Method: a table.

import { describe, expect, test } from 'bun:test'
import { identityOf, settingsOf } from '../hub/settings.fixture.ts'
import { secretKey } from '../identity/keys.ts'
import { chunked, raw } from './chunked.ts'
import { jsonLines } from './json-lines.ts'
import { match } from './routes.ts'
import { serverSentEnvelopes, serverSentEvents } from './server-sent-events.ts'

const OPEN = settingsOf({ userIdMax: 1_000 }).current
const WITH_KEYS = settingsOf({
  userIdMax: 1_000,
  identity: identityOf(secretKey('x'.repeat(32))),
}).current

function ask(target: string, settings = OPEN, method = 'GET', host: string | null = 'localhost') {
  const [path = '', query = ''] = target.split('?')
  return match({ method, path, query, host, minor: 1, header: () => null }, settings)
}

test.each([
  ['text/event-stream', serverSentEvents],
  ['text/html, text/event-stream;q=0.5', serverSentEvents],
  ['Text/Event-Stream', serverSentEvents],
  ['text/event-stream2', jsonLines],
  ['*/*', jsonLines],
])('a client that accepts %p gets what it reads, unless the address says another', (accept, of) => {
  const header = (name: string) => (name === 'accept' ? accept : null)
  const head = { method: 'GET', path: '/stream/7', host: 'localhost', minor: 1, header } as const
  expect(match({ ...head, query: '' }, OPEN)).toMatchObject({ transport: of })
  expect(match({ ...head, query: 'format=raw' }, OPEN)).toMatchObject({ transport: raw })
})

/** What a client asks for that comes back by itself. */
function askAgain(target: string, lastEventId: string) {
  const [path = '', query = ''] = target.split('?')
  const header = (name: string) => (name === 'last-event-id' ? lastEventId : null)
  return match({ method: 'GET', path, query, host: 'localhost', minor: 1, header }, OPEN)
}

test.each([
  ['/test/7', chunked, 7],
  ['/test/1000', chunked, 1_000],
  ['/stream/7', jsonLines, 7],
  ['/stream/7?format=json', jsonLines, 7],
  ['/stream/7?format=raw', raw, 7],
  ['/stream/7?format=sse', serverSentEvents, 7],
  ['/stream/7?format=sse&envelope=json', serverSentEnvelopes, 7],
  ['/stream/7?other=1&format=raw', raw, 7],
  ['/stream/7?other', jsonLines, 7],
  ['/stream/alice', jsonLines, 'alice'],
  ['/stream/room:42@a?format=raw', raw, 'room:42@a'],
])('%s is the stream of a user', (target, transport, user) => {
  expect(ask(target)).toEqual({ transport, user, subjects: [], from: 'live' })
})

test.each([
  ['subjects=news', ['news']],
  ['subjects=news,7,room:42', ['news', 7, 'room:42']],
  ['subjects=a1,a1&format=raw&subjects=b1,a1', ['a1', 'b1']],
  ['subjects=room%3A42%2Cnews', ['room:42', 'news']],
])('?%s has the stream follow these for itself', (query, subjects) => {
  expect(ask(`/stream/7?${query}`)).toMatchObject({ user: 7, subjects })
})

test.each([
  'subjects=',
  'subjects=a,',
  'subjects=1001',
  'subjects=a*',
  'subjects=..',
  'subjects=%00',
])('?%s is answered 400', (query) => {
  expect(ask(`/stream/7?${query}`)).toMatchObject({ answer: { status: 400 } })
})

test('a stream follows a hundred subjects for itself, and no more', () => {
  const list = (count: number) => Array.from({ length: count }, (_, at) => `s${at}`).join()
  expect(ask(`/stream/7?subjects=${list(100)}`)).toMatchObject({ user: 7 })
  expect(ask(`/stream/7?subjects=${list(101)}`)).toMatchObject({ answer: { status: 400 } })
})

const CURSOR = '019ad3f0c2a1-00000000002a'
const AFTER = { after: { epoch: 0x19ad3f0c2a1, number: 42 } }

test.each([
  ['', 'live'],
  [`?after=${CURSOR}`, AFTER],
  ['?after=oldest', 'oldest'],
  ['?last=10', { last: 10 }],
  ['?last=1000', { last: 1_000 }],
] as const)('/stream/7%s begins where the client says', (query, from) => {
  expect(ask(`/stream/7${query}`)).toMatchObject({ user: 7, from })
  expect(ask(`/stream/7?format=raw&${query.slice(1)}`)).toMatchObject({ user: 7, from })
})

test('a client that comes back by itself says so in a header, which counts', () => {
  for (const query of ['', '?after=oldest', '?last=10', '?after=019ad3f0c2a1-000000000001']) {
    expect(askAgain(`/stream/7${query}`, CURSOR)).toMatchObject({ user: 7, from: AFTER })
  }
  expect(askAgain('/stream/7', '')).toMatchObject({ from: 'live' })
  expect(askAgain('/stream/7', '42')).toMatchObject({ answer: { status: 400 } })
})

test.each([
  'after=',
  'after=42',
  `after=${CURSOR}0`,
  'after=newest',
  'last=',
  'last=0',
  'last=-1',
  'last=1001',
  'last=ten',
  'last=1e2',
  `last=10&after=${CURSOR}`,
])('?%s says of no place where a stream could begin', (query) => {
  expect(ask(`/stream/7?${query}`)).toMatchObject({ answer: { status: 400 } })
})

test('an offset asks for the format poll, whatever the client accepts', () => {
  const poll = { offset: 'oldest', live: 'no' }
  expect(ask('/stream/alice?offset=-1&subjects=news')).toMatchObject({
    ...{ user: 'alice', subjects: ['news'], poll },
  })
  expect(ask('/stream/7?format=poll')).toMatchObject({ user: 7, poll })
  expect(askAgain('/stream/7?offset=-1', CURSOR)).toMatchObject({ user: 7, poll })
  expect(ask('/stream/7?offset=0')).toMatchObject({ answer: { status: 400 } })
  expect(ask('/stream/7?live=sse')).toMatchObject({ answer: { status: 400 } })
  expect(ask('/stream/7?offset=-1&format=json')).toMatchObject({ answer: { status: 400 } })
})

describe('/stream without a user', () => {
  test('is that of the user of the token, where there are tokens', () => {
    expect(ask('/stream', WITH_KEYS)).toMatchObject({ transport: jsonLines, user: null })
    expect(ask('/stream?format=raw', WITH_KEYS)).toMatchObject({
      transport: raw,
      user: null,
    })
  })

  test('is nobody’s without them', () => {
    expect(ask('/stream')).toMatchObject({ answer: { status: 404 } })
  })
})

test.each([
  ['/', 404],
  ['/test', 404],
  ['/test/', 404],
  ['/test/abc', 404],
  ['/test/07', 404],
  ['/test/1001', 503],
  ['/stream/', 404],
  ['/stream/a b', 404],
  ['/stream/..', 404],
  [`/stream/${'x'.repeat(65)}`, 404],
  ['/stream/0', 404],
  ['/stream/1001', 404],
  ['/stream/7/8', 404],
  ['/streams/7', 404],
  ['/stream/7?format=', 400],
  ['/stream/7?format=xml', 400],
  ['/stream/7?format=json&envelope=json', 400],
  ['/stream/7?format=sse&envelope=xml', 400],
  ['/stream/7?format=__proto__', 400],
])('%s is answered %p', (target, status) => {
  expect(ask(target)).toMatchObject({ answer: { status } })
})

test.each(['POST', 'PUT', 'DELETE', 'PATCH'])('%s is answered 405 for a stream', (method) => {
  for (const target of ['/test/7', '/stream/7', '/stream']) {
    expect(ask(target, OPEN, method)).toMatchObject({
      answer: { status: 405, headers: { allow: 'GET, HEAD, OPTIONS' } },
    })
  }
})

describe('a port that is for its own machine alone', () => {
  test.each([null, 'localhost', '127.0.0.1', '10.1.2.3'])('is asked by the host %p', (host) => {
    expect(ask('/stream/7', OPEN, 'GET', host)).toMatchObject({ user: 7 })
  })

  test('is asked by no other name, which a page may have point at it', () => {
    for (const path of ['/stream/7', '/test/7']) {
      expect(ask(path, OPEN, 'GET', 'evil.example')).toMatchObject({ answer: { status: 421 } })
    }
  })

  test('is one that has neither keys nor --anonymous', () => {
    const anonymous = { ...OPEN, anonymous: true }
    expect(ask('/stream/7', anonymous, 'GET', 'app.example')).toMatchObject({ user: 7 })
    expect(ask('/stream/7', WITH_KEYS, 'GET', 'app.example')).toMatchObject({ user: 7 })
  })
})
