// Goal: what clients ask for is read as they mean it, and whatever else they send is told by a code
// what is wrong. Method: texts as clients send them.

import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { identityLimits } from '../core/identity-limits.ts'
import { doneText, failureText, parseSubjectsRequest } from './websocket-requests.ts'

const USER_ID_MAX = 1_000

function read(text: string) {
  const result = parseSubjectsRequest(text, USER_ID_MAX)
  return result.ok ? result.value : result.why.code
}

test('a client asks to follow subjects, or to do so no longer', () => {
  expect(read('{"subscribe":["room:1",42]}')).toEqual({
    kind: 'subscribe',
    subjects: ['room:1', 42],
  })
  expect(read(' { "unsubscribe" : [ "room:1" ] } ')).toEqual({
    kind: 'unsubscribe',
    subjects: ['room:1'],
  })
})

test('each subject counts once, also when one is a number in a text', () => {
  expect(read('{"subscribe":["a",42,"a","42"]}')).toEqual({
    kind: 'subscribe',
    subjects: ['a', 42],
  })
})

test.each(['', '{', 'subscribe', '{"subscribe":["a"]', "{'subscribe':['a']}", '\uFEFF{}'])(
  '%j is not JSON',
  (text) => {
    expect(read(text)).toBe('invalid_json')
  },
)

test.each([
  'null',
  '1',
  '"subscribe"',
  '[]',
  '["subscribe"]',
  '{}',
  '{"follow":["a"]}',
  '{"subscribe":"a"}',
  '{"subscribe":[]}',
  '{"subscribe":{"0":"a","length":1}}',
  '{"subscribe":["a"],"unsubscribe":["b"]}',
  '{"subscribe":["a"],"after":1}',
  '{"subscribe":[null]}',
  '{"subscribe":[["a"]]}',
  '{"subscribe":[true]}',
  '{"subscribe":[""]}',
  '{"subscribe":["a b"]}',
  '{"subscribe":["*"]}',
  '{"subscribe":[0]}',
  '{"subscribe":[-1]}',
  '{"subscribe":[1.5]}',
  '{"subscribe":[1001]}',
  '{"subscribe":["a",1001]}',
  '{"__proto__":["a"]}',
])('%s is no request', (text) => {
  expect(read(text)).toBe('invalid_message')
})

test('a request has at most as many subjects as a stream may follow', () => {
  const { subjectsMax } = identityLimits
  const names = (count: number) => Array.from({ length: count }, (_, at) => `s${at}`)
  const request = (count: number) => JSON.stringify({ subscribe: names(count) })
  expect(read(request(subjectsMax))).toEqual({ kind: 'subscribe', subjects: names(subjectsMax) })
  expect(read(request(subjectsMax + 1))).toBe('too_many_subjects')
})

test('no text makes it throw', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.json()), (text) => {
      expect(typeof read(text)).toBeOneOf(['string', 'object'])
    }),
  )
})

test('the answer has the subjects and where in the log that was, or the error', () => {
  const subjects = ['room:1', 42]
  expect(doneText({ kind: 'subscribe', subjects }, 'c')).toBe(
    '{"subscribed":["room:1",42],"id":"c"}',
  )
  expect(doneText({ kind: 'unsubscribe', subjects: [1] }, 'c')).toBe(
    '{"unsubscribed":[1],"id":"c"}',
  )
  expect(failureText({ code: 'busy', message: 'Later.' })).toBe(
    '{"error":{"code":"busy","message":"Later."}}',
  )
})
