// Goal: a message that is read from its bytes is the one that `parseMessage` reads, and nothing
// that it refuses is taken. Method: messages in many ways of writing, and mutated ones.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { messageLimits } from '../core/limits.ts'
import { decodeUtf8 } from '../core/utf8.ts'
import { type Message, parseMessage } from '../hub/message.ts'
import { readPlainMessage } from './plain-message.ts'

/** Read from the middle of other bytes. */
function read(json: Uint8Array, around = '"'): Message | null {
  const bytes = Buffer.concat([Buffer.from(around), json, Buffer.from(around)])
  const start = around.length
  const plain = readPlainMessage({ bytes, start, end: start + json.length })
  if (plain === null) return null
  const body = bytes.toString('utf8', plain.bodyStart, plain.bodyEnd)
  const name = bytes.toString('utf8', plain.nameStart, plain.nameEnd)
  const subject = plain.user === 0 ? name : plain.user
  return plain.isAbout ? { subject, body } : { to: subject, body }
}

describe('a plain message', () => {
  test.each<[string, Message]>([
    ['{"to":7,"body":"x"}', { to: 7, body: 'x' }],
    ['{"subject":7,"body":"x"}', { subject: 7, body: 'x' }],
    ['{"to": 123456789, "body": "Hello, {\'}\x7f "}', { to: 123_456_789, body: "Hello, {'}\x7f " }],
    ['{"to":"alice","body":"x"}', { to: 'alice', body: 'x' }],
    ['{"subject": "room:42@a.b-c_D", "body": "x"}', { subject: 'room:42@a.b-c_D', body: 'x' }],
  ])('is read from %s', (json, message) => {
    expect(read(Buffer.from(json))).toEqual(message)
  })

  test.each([
    ['an escape', '{"to":7,"body":"\\n"}'],
    ['a body that is not ASCII', '{"to":7,"body":"é"}'],
    ['more fields', '{"to":7,"body":"x","body":"y"}'],
    ['another order', '{"body":"x","to":7}'],
    ['more white space', '{ "to":7,"body":"x"}'],
    ['something behind it', '{"to":7,"body":"x"}\n'],
    ['a long user id', '{"to":1234567890,"body":"x"}'],
    ['a long body', `{"to":7,"body":"${'x'.repeat(messageLimits.plainBytesMax)}"}`],
    ['no body', '{"to":7,"body":""}'],
    ['an end too early', '{"to":7,"body":"'],
    ['one quote for two', '{"to":7,"body":"}'],
    ['a number as text', '{"to":"123","body":"x"}'],
    ['a short name', '{"to":"..","body":"x"}'],
    ['a long name', `{"to":"${'x'.repeat(65)}","body":"x"}`],
    ['a name with a space', '{"to":"a bc","body":"x"}'],
    ['an escape in a name', '{"to":"\\u0061bc","body":"x"}'],
    ['no end of a name', '{"to":"alice'],
    ['everyone', '{"to":"*","body":"x"}'],
    ['no user id', '{"to":,"body":"x"}'],
    ['a zero before the digits', '{"to":07,"body":"x"}'],
    ['the user 0', '{"to":0,"body":"x"}'],
    ['a fraction', '{"to":7.0,"body":"x"}'],
    ['a control character', '{"to":7,"body":"\t"}'],
    ['nothing', ''],
  ])('is none with %s, which is read in another way', (_, json) => {
    expect(read(Buffer.from(json))).toBeNull()
  })

  test('is the message that every other reader of JSON reads, however it is mutated', () => {
    const piece = fc.constantFrom(
      '{',
      '}',
      '"',
      ':',
      ',',
      ' ',
      '0',
      '7',
      '\\',
      'a',
      'é',
      '\t',
      'to',
    )
    const valid = fc
      .record({
        name: fc.constantFrom('to', 'subject'),
        user: fc.integer({ min: 1, max: 2 ** 31 }),
        body: fc.string({ minLength: 1, maxLength: 20 }),
        space: fc.constantFrom('', ' '),
      })
      .map(({ name, user, body, space }) => {
        const value = `${JSON.stringify(name)}:${space}${user},${space}"body":${space}`
        return `{${value}${JSON.stringify(body)}}`
      })
    const mutation = fc.tuple(fc.nat({ max: 60 }), fc.nat({ max: 2 }), piece)
    let taken = 0
    fc.assert(
      fc.property(valid, fc.array(mutation, { maxLength: 2 }), (json, mutations) => {
        let text = json
        for (const [at, count, by] of mutations) {
          text = text.slice(0, at) + by + text.slice(at + count)
        }
        const bytes = Buffer.from(text)
        const message = read(bytes)
        if (message === null) return
        taken++
        const decoded = decodeUtf8({ bytes, start: 0, end: bytes.length }) ?? ''
        expect(parseMessage(decoded)).toEqual({ ok: true, value: message })
      }),
      { numRuns: 5_000 },
    )
    expect(taken).toBeGreaterThan(500)
  })
})
