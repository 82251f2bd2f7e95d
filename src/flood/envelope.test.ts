// Goal: what the formats of /stream have is read as it is meant, and nothing else is taken for it.
// Method: tables of objects and events, valid and not; a cut of each at every byte.

import { describe, expect, test } from 'bun:test'
import { cursorText } from '../core/cursor.ts'
import { END_REASONS, ENVELOPE, Envelope, GAP_REASONS } from './envelope.ts'

const EPOCH = 0x019ad3f0c2a1
const ONE = cursorText({ epoch: EPOCH, number: 1 })
const TWO = cursorText({ epoch: EPOCH, number: 0xfedcba987654 })
const envelope = new Envelope()

/** Reads a text between others, as an object or as an event. */
function read(text: string, as: 'object' | 'event' = 'object'): keyof typeof ENVELOPE {
  const bytes = Buffer.from(text)
  const around = Buffer.concat([Buffer.from('":{'), bytes, Buffer.from('\ndata: x"}')])
  const end = 3 + bytes.length
  const kind =
    as === 'object' ? envelope.readObject(around, 3, end) : envelope.readEvent(around, 3, end)
  for (const [name, number] of Object.entries(ENVELOPE)) {
    if (number === kind) body = around.subarray(envelope.bodyStart, envelope.bodyEnd).toString()
    if (number === kind) return name as keyof typeof ENVELOPE
  }
  throw new Error(`no kind ${kind}`)
}

let body = ''

const GAP = `{"after":"${ONE}","resume":"${TWO}","reason":"too_many"}`

describe('an object', () => {
  test('of an id alone is the place of the client', () => {
    expect([read(`{"id":"${TWO}"}`), envelope.id]).toEqual([
      'place',
      { epoch: EPOCH, number: 0xfedcba987654 },
    ])
  })

  test.each([
    [`{"id":"${ONE}","subject":"room:42","event":"e","body":"text"}`, 'text'],
    [`{"id":"${ONE}","subject":42,"body":"a\\"b ü"}`, 'a\\"b ü'],
    [`{"id":"${ONE}","to":"*","body":""}`, ''],
    [`{"id":"${ONE}","to":7,"data":{"a":[1,"}"]}}`, '{"a":[1,"}"]}'],
    [`{"id":"${ONE}","to":"alice","data":null}`, 'null'],
    [`{ "body" : "x" , "to" : 1 , "id" : "${ONE}" }`, 'x'],
  ])('like %s is a message', (text, expected) => {
    expect([read(text), body]).toEqual(['message', expected])
    expect(envelope.id).toEqual({ epoch: EPOCH, number: 1 })
  })

  test('of a gap says where the client was, where it goes on, and why', () => {
    expect(read(`{"gap":${GAP}}`)).toBe('gap')
    expect(GAP_REASONS[envelope.gapReason]).toBe('too_many')
    expect([envelope.after.number, envelope.resume.number]).toEqual([1, 0xfedcba987654])
  })

  test.each([
    ['{"end":"expired"}', 'expired'],
    ['{"end":"drained"}', 'drained'],
    ['{"end":"ended","note":"by ü"}', 'ended'],
  ])('like %s is the end', (text, reason) => {
    expect(read(text)).toBe('end')
    expect(END_REASONS[envelope.endReason] as string).toBe(reason)
  })

  test.each([
    ...['', '{}', '[]', '"a"', '{"id":1}', `{"id":"${ONE}"`, `{"id":"${ONE}"}}`, `{"ID":"${ONE}"}`],
    ...['{"id":"x"}', `{"id":"${ONE.toUpperCase()}"}`, `{"id":"${ONE}0"}`, `{"id":"${ONE}","a":1}`],
    ...[`{"id":"${ONE}","body":"a"}`, `{"subject":1,"body":"a"}`, `{"id":"${ONE}","to":1}`],
    `{"id":"${ONE}","to":1,"subject":1,"body":"a"}`,
    `{"id":"${ONE}","to":1,"body":"a","data":1}`,
    `{"id":"${ONE}","to":1,"body":{"a":1}}`,
    `{"id":"${ONE}","to":-1,"body":"a"}`,
    `{"id":"${ONE}","to":null,"body":"a"}`,
    `{"id":"${ONE}","to":"","body":"a"}`,
    `{"id":"${ONE}","to":1,"body":"a","body":"b"}`,
    `{"id":"${ONE}","to":1,"event":7,"body":"a"}`,
    `{"id":"${ONE}","to":1,"body":"a","end":"drained"}`,
    `{"id":"${ONE}","to":1,"body":"a\tb"}`,
    `{"gap":{"after":"${ONE}","resume":"${TWO}"}}`,
    `{"gap":{"after":"${ONE}","resume":"${TWO}","reason":"other"}}`,
    `{"gap":${GAP},"id":"${ONE}"}`,
    `{"gap":null}`,
    `${'{"gap":'.repeat(100_000)}`,
    GAP,
    ...['{"end":"over"}', '{"end":""}', '{"end":"drained","note":"x"}', '{"note":"x"}'],
    '{"subscribed":["a"],"id":"x"}',
  ])('like %s is none of the format', (text) => {
    expect(read(text)).toBe('invalid')
  })

  test('is none if it is not UTF-8, or cut off anywhere', () => {
    const text = Buffer.from(`{"id":"${ONE}","to":1,"body":"ü"}`)
    expect(envelope.readObject(text, 0, text.length)).toBe(ENVELOPE.message)
    for (let end = 0; end < text.length; end++) {
      expect(envelope.readObject(text, 0, end)).toBe(ENVELOPE.invalid)
    }
    text[text.length - 3] = 0x20
    expect(envelope.readObject(text, 0, text.length)).toBe(ENVELOPE.invalid)
  })
})

describe('an event', () => {
  test('that is a start, with an id and the same as data, is the place of the client', () => {
    const start = `id: ${ONE}\nevent: start\ndata: {"id":"${ONE}"}\n`
    expect([read(start, 'event'), envelope.id.number]).toEqual(['place', 1])
    const other = start.replace(`{"id":"${ONE}"}`, `{"id":"${ONE.slice(0, -1)}2"}`)
    for (const text of [`id: ${ONE}\n`, `id: ${ONE}\nevent: start\n`, other]) {
      expect([text, read(text, 'event')]).toEqual([text, 'invalid'])
    }
  })

  test.each([
    [`id: ${ONE}\ndata: a\n`, 'a'],
    [`id: ${ONE}\r\nevent: e\r\ndata: a\r\ndata:  b\r\n`, ' b'],
    [`: x\ndata:a: b\nid:${ONE}\n`, 'a: b'],
    [`id: ${ONE}\ndata\n`, ''],
    [`id: ${ONE}\rdata: ü\r`, 'ü'],
    [`id: ${ONE}\ndata: a\ndata:\n`, ''],
  ])('like %p is a message', (text, last) => {
    expect([read(text, 'event'), body]).toEqual(['message', last])
    expect(envelope.id).toEqual({ epoch: EPOCH, number: 1 })
  })

  test('of a gap or an end is told as such', () => {
    expect(read(`event: gap\ndata: ${GAP}\n`, 'event')).toBe('gap')
    expect(GAP_REASONS[envelope.gapReason]).toBe('too_many')
    expect(read('event: end\ndata: {"end":"expired"}\n', 'event')).toBe('end')
    expect(read('data: {"end":"ended","note":"x"}\nevent: end\n', 'event')).toBe('end')
  })

  test('of comments keeps the connection alive', () => {
    expect([read(':\n', 'event'), read(': a\n:b\n', 'event')]).toEqual(['nothing', 'nothing'])
  })

  test.each([
    ...['data: a\n', 'event: e\ndata: a\n', `id: ${ONE}\nevent: e\n`, 'event: e\n', 'id: 7\n'],
    ...[`id: ${ONE}\nid: ${ONE}\ndata: a\n`, `id: ${ONE}\nevent: a\nevent: b\ndata: c\n`],
    ...[`id: ${ONE}\nevent:\ndata: c\n`, `id: ${ONE}\nretry: 10\ndata: c\n`, 'retry: 10\n'],
    ...[`id: ${ONE}\nevent: gap\ndata: ${GAP}\n`, `event: gap\ndata: {"gap":${GAP}}\n`],
    ...[`event: gap\ndata: ${GAP}\ndata: x\n`, 'event: gap\n', 'event: end\ndata: expired\n'],
    ...[`event: end\ndata: ${GAP}\n`, 'event: gap\ndata: {"end":"expired"}\n', ` id: ${ONE}\n`],
    ...['event: end\ndata: {"end":"expired"} x\n', `id: ${ONE}\ndata2: a\n`],
  ])('like %p is none of the format', (text) => {
    expect(read(text, 'event')).toBe('invalid')
  })
})
