// Goal: what is a message is taken as it is; what is none is refused with the field at fault.
// Method: tables of good and bad JSON, and properties over arbitrary text.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { ErrorCode } from '../core/errors.ts'
import { messageLimits } from '../core/limits.ts'
import { parseMessage } from './message.ts'

const { userIdMax } = messageLimits

/** Bytes of a sentence that a person is expected to read. */
const SENTENCE_MAX = 1_000

const ENDS = { to: 7, body: 'x', event: 'ends' }

describe('parseMessage takes', () => {
  test.each([
    [
      'a message about a subject',
      '{"subject":123,"body":"Hello"}',
      { subject: 123, body: 'Hello' },
    ],
    ['a message to a user', '{"to":1,"body":" "}', { to: 1, body: ' ' }],
    ['the highest user id', `{"to":${userIdMax},"body":"x"}`, { to: userIdMax, body: 'x' }],
    ['a message to a name', '{"to":"alice@a.b","body":"x"}', { to: 'alice@a.b', body: 'x' }],
    [
      'a subject with a name',
      '{"subject":"room:42","body":"x"}',
      { subject: 'room:42', body: 'x' },
    ],
    ['a number as text', '{"to":"7","body":"x"}', { to: '7', body: 'x' }],
    ['a message to everyone', '{"to":"*","body":"x"}', { to: '*' as const, body: 'x' }],
    ['data', '{"to":7,"data":{"a":1.0}}', { to: 7, data: '{"a":1.0}' }],
    ['an event', '{"to":7,"body":"x","event":"a.b"}', { to: 7, body: 'x', event: 'a.b' }],
    ['a key', '{"to":7,"body":"x","key":"a b~"}', { to: 7, body: 'x', key: 'a b~' }],
    [
      'the longest key',
      `{"to":7,"data":1,"key":"${'k'.repeat(128)}"}`,
      { to: 7, data: '1', key: 'k'.repeat(128) },
    ],
    ['an event that is nearly ours', '{"to":7,"body":"x","event":"ends"}', ENDS],
    ['fields in any order', '{"body":"x","to":7}', { to: 7, body: 'x' }],
    ['white space around', ' \t{ "to" : 7 , "body" : "x" }\r', { to: 7, body: 'x' }],
    ['an escaped pair', '{"to":7,"body":"\\ud83d\\ude00"}', { to: 7, body: '😀' }],
    ['NUL and newline', '{"to":7,"body":"\\u0000\\n"}', { to: 7, body: '\0\n' }],
    ['a whole number written with an exponent', '{"to":1e2,"body":"x"}', { to: 100, body: 'x' }],
  ])('%s', (_, json, message) => {
    expect(parseMessage(json)).toEqual({ ok: true, value: message })
  })

  test('every well-formed body', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('to', 'subject'),
        fc.integer({ min: 1, max: userIdMax }),
        fc.string({ unit: 'binary', minLength: 1 }),
        (target, user, body) => {
          const parsed = parseMessage(JSON.stringify({ [target]: user, body }))
          expect(parsed).toEqual({ ok: true, value: { [target]: user, body } as never })
        },
      ),
    )
  })
})

describe('parseMessage refuses', () => {
  test.each<[string, ErrorCode, string]>([
    ['', 'invalid_json', 'not JSON'],
    ['{"to":7,"body":"x"', 'invalid_json', 'not JSON'],
    ['{"to":7,"body":"x"} {}', 'invalid_json', 'not JSON'],
    ['null', 'invalid_message', 'a JSON object'],
    ['[{"to":7,"body":"x"}]', 'invalid_message', 'a JSON object'],
    ['"Hello"', 'invalid_message', 'a JSON object'],
    ['{}', 'invalid_message', '"body"'],
    ['{"to":7}', 'invalid_message', '"body"'],
    ['{"to":7,"body":5}', 'invalid_message', '"body"'],
    ['{"to":7,"body":null}', 'invalid_message', '"body"'],
    ['{"to":7,"body":""}', 'message_empty', 'empty'],
    ['{"body":"x"}', 'invalid_message', 'exactly one of "subject" and "to"'],
    ['{"to":7,"subject":7,"body":"x"}', 'invalid_message', 'exactly one of'],
    ['{"to":0,"body":"x"}', 'invalid_message', '"to" is a whole number'],
    ['{"to":-1,"body":"x"}', 'invalid_message', '"to" is a whole number'],
    ['{"to":1.5,"body":"x"}', 'invalid_message', '"to" is a whole number'],
    ['{"to":"07","body":"x"}', 'invalid_message', '"to" is a whole number'],
    ['{"to":"a b","body":"x"}', 'invalid_message', 'or a name of up to 64 letters'],
    [`{"subject":"${'x'.repeat(65)}","body":"x"}`, 'invalid_message', 'or a name of up to 64'],
    ['{"subject":null,"body":"x"}', 'invalid_message', '"subject" is a whole number'],
    [`{"to":${userIdMax + 1},"body":"x"}`, 'invalid_message', '"to" is a whole number'],
    ['{"subject":"*","body":"x"}', 'invalid_message', '"subject" is a whole number'],
    ['{"to":"**","body":"x"}', 'invalid_message', 'or "*" for everyone'],
    ['{"to":7,"body":"x","data":1}', 'invalid_message', 'exactly one of "body" and "data"'],
    ['{"to":7,"body":"x","event":"a b"}', 'invalid_message', '"event" is'],
    ['{"to":7,"body":"x","event":""}', 'invalid_message', '"event" is'],
    [
      '{"to":7,"body":"x","event":"gap"}',
      'invalid_message',
      "not start, gap or end, which are comet's own",
    ],
    ['{"subject":7,"data":1,"event":"end"}', 'invalid_message', "which are comet's own"],
    ['{"to":7,"body":"x","key":""}', 'invalid_message', '"key" is 1 to 128 printable'],
    ['{"to":7,"body":"x","key":7}', 'invalid_message', '"key" is 1 to 128 printable'],
    ['{"to":7,"body":"x","key":"ä"}', 'invalid_message', '"key" is 1 to 128 printable'],
    ['{"to":7,"body":"x","key":"a\\n"}', 'invalid_message', '"key" is 1 to 128 printable'],
    ['{"to":7,"body":"x","key":"\\u007f"}', 'invalid_message', '"key" is 1 to 128 printable'],
    [`{"to":7,"body":"x","key":"${'k'.repeat(129)}"}`, 'invalid_message', '"key" is 1 to 128'],
    ['{"to":7,"body":"x","colour":1}', 'invalid_message', 'no field "colour"'],
    ['{"to":7,"body":"x","__proto__":{}}', 'invalid_message', 'no field "__proto__"'],
    ['{"to":7,"body":"\\ud83d"}', 'invalid_utf8', 'surrogate'],
    ['{"to":7,"body":"\\ude00\\ud83d"}', 'invalid_utf8', 'surrogate'],
  ])('%p as %s that names %s', (json, code, text) => {
    const parsed = parseMessage(json)
    expect(parsed).toMatchObject({ ok: false, why: { code } })
    expect(parsed.ok ? '' : parsed.why.message).toContain(text)
  })

  test('any other text without ever throwing', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        const parsed = parseMessage(text)
        return !parsed.ok && parsed.why.message.length > 0
      }),
    )
  })

  // A thousand refusals go into one answer, so what a client sent must not come back whole.
  test.each([
    ['JSON', 'z'.repeat(100_000)],
    ['a field', JSON.stringify({ to: 7, body: 'x', ['k'.repeat(100_000)]: 1 })],
  ])('a huge %s in a short sentence', (_, json) => {
    const parsed = parseMessage(json)
    expect(parsed.ok ? 0 : parsed.why.message.length).toBeWithin(1, SENTENCE_MAX)
  })
})
