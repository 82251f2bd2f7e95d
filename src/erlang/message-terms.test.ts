// Goal: every message and every batch that a process sends goes where it belongs, in whatever envelope,
// and what is wrong with one is told by its place. Method: a real router and store behind a conversation,
// packets by the documented format, and the exact bytes of each answer.

import { describe, expect, test } from 'bun:test'
import { messageLimits } from '../core/limits.ts'
import { answered, asked, Talk } from './channel.fixture.ts'
import { IMPROPER } from './message-terms.ts'
import {
  about,
  atom,
  binary,
  bytesOf,
  CALLER,
  call,
  error,
  integer,
  list,
  message,
  NIL,
  OWN,
  ok,
  packet,
  partial,
  toName,
  tuple,
} from './packet.fixture.ts'
import { listOf } from './terms.fixture.ts'

const { rejectedListedMax, bodyBytesMax } = messageLimits

const WHAT_A_MESSAGE_IS = 'A message is {User, Body} or {subject, User, Body}, or a list of these.'
const WHAT_A_USER_IS = 'A user id is a whole number from 1 to 4294967295.'

describe('a message', () => {
  test.each([
    ['{User, Body}', message(123), { 1: [], 123: ['x'] }, 1],
    ['{subject, User, Body}', about(123, 'x'), { 1: ['x'], 123: ['x'] }, 2],
    ['{send, User, Body}', about(123, 'x', 'send'), { 1: ['x'], 123: ['x'] }, 2],
    ['to nobody who is there', message(7), { 1: [], 123: [] }, 0],
  ])('%s goes where it belongs, and is counted', async (_, request, got, delivered) => {
    const result = await asked(request)
    expect(result.got).toEqual(got)
    expect(result.answers).toEqual(answered(ok(delivered)))
    expect(result.talk.refused).toEqual([])
  })

  test.each([
    ['alone', message(123)],
    ['in a cast', tuple(atom('$gen_cast'), message(123))],
  ])('%s, that nobody calls with, is answered by nobody', async (_, sent) => {
    const talk = await new Talk().connect(1, 123).takeAll(toName(sent), toName(sent, 'any name'))
    expect(talk.got).toEqual({ 1: [], 123: ['x', 'x'] })
    expect([talk.written(), talk.flushes, talk.conversation.messages]).toEqual([[], 0, 2])
  })

  test.each([
    ['a sender', tuple(integer(22), CALLER, OWN)],
    ['no sender', tuple(integer(2), atom(''), OWN)],
    ['no sender and a token', tuple(integer(12), atom(''), OWN, tuple(integer(1)))],
    ['a sender and a token', tuple(integer(23), CALLER, OWN, tuple(integer(1)))],
    ['a name and a token', tuple(integer(16), CALLER, atom(''), atom('x'), tuple(integer(1)))],
  ])('is taken with %s in its control message', async (_, control) => {
    const talk = await new Talk().connect(123).takeAll(packet(control, message(123)))
    expect(talk.got).toEqual({ 123: ['x'] })
  })

  test('keeps its bytes when those of its packet are gone', async () => {
    const talk = await new Talk().connect(123).takeAll(toName(message(123, 'kept')))
    expect(talk.got).toEqual({ 123: ['kept'] })
  })

  test.each([
    ['an atom', atom('send'), 'invalid_message', WHAT_A_MESSAGE_IS],
    ['an integer', integer(1), 'invalid_message', WHAT_A_MESSAGE_IS],
    ['an empty tuple', tuple(), 'invalid_message', WHAT_A_MESSAGE_IS],
    ['a string', bytesOf(107, 0, 1, 'x'), 'invalid_message', WHAT_A_MESSAGE_IS],
    ['another word', about(123, 'x', 'sent'), 'invalid_message', WHAT_A_MESSAGE_IS],
    [
      'four terms',
      tuple(atom('send'), integer(1), binary('x'), NIL),
      'invalid_message',
      WHAT_A_MESSAGE_IS,
    ],
    ['another question', tuple(atom('offline'), integer(1)), 'invalid_message', WHAT_A_USER_IS],
    [
      'a cast within a call',
      tuple(atom('$gen_cast'), message(1)),
      'invalid_message',
      WHAT_A_USER_IS,
    ],
    ['user 0', message(0), 'invalid_message', WHAT_A_USER_IS],
    [
      'user -1',
      tuple(bytesOf(98, 255, 255, 255, 255), binary('x')),
      'invalid_message',
      WHAT_A_USER_IS,
    ],
    [
      'user 2^32',
      tuple(bytesOf(110, 5, 0, 0, 0, 0, 0, 1), binary('x')),
      'unknown_user',
      'There is no user above 4294967295, by --max-users.',
    ],
    [
      'user 1.0',
      tuple(bytesOf(70, 63, 240, 0, 0, 0, 0, 0, 0), binary('x')),
      'invalid_message',
      WHAT_A_USER_IS,
    ],
    [
      'no body',
      tuple(integer(1), atom('x')),
      'invalid_message',
      'The body is no binary, no iolist and no string.',
    ],
    [
      'an empty body',
      message(1, ''),
      'message_empty',
      'The body is empty; an empty chunk would end the stream.',
    ],
    [
      'a body that is not UTF-8',
      tuple(integer(1), binary(Uint8Array.of(255))),
      'invalid_utf8',
      'The body is not UTF-8.',
    ],
    [
      'a body of 65,537 bytes',
      message(1, 'x'.repeat(bodyBytesMax + 1)),
      'message_too_large',
      'The body is 65537 bytes as UTF-8; at most 65536 are allowed.',
    ],
  ])('that is %s is refused with why', async (_, request, code, text) => {
    const { talk, got, answers } = await asked(request)
    expect(answers).toEqual(answered(error(code, text)))
    expect(got).toEqual({ 1: [], 123: [] })
    expect<unknown>(talk.refused).toEqual([[1, { code, message: text }]])
  })

  test('that nobody calls with and is refused is only noted', async () => {
    const talk = await new Talk().connect(1).takeAll(toName(atom('hello')), toName(NIL))
    expect([talk.written(), talk.got]).toEqual([[], { 1: [] }])
    const why = { code: 'invalid_message', message: WHAT_A_MESSAGE_IS } as const
    // A list of no messages is none that could be refused.
    expect(talk.refused).toEqual([[1, why]])
  })

  test('to the last user there may be is taken', async () => {
    const user = bytesOf(110, 4, 0, 255, 255, 255, 255)
    const talk = new Talk().connect(4_294_967_295)
    await talk.takeAll(call(tuple(user, binary('x'))))
    expect(talk.got).toEqual({ 4294967295: ['x'] })
  })
})

describe('a batch', () => {
  test('sends all in order, and adds the connections up', async () => {
    const request = list(message(123, 'a'), about(123, 'b'), message(1, 'c'), message(7, 'd'))
    const { got, answers } = await asked(request)
    expect(got).toEqual({ 1: ['b', 'c'], 123: ['a', 'b'] })
    expect(answers).toEqual(answered(ok(4)))
  })

  test('without messages is fine', async () => {
    const { answers, talk } = await asked(NIL)
    expect([answers, talk.refused]).toEqual([answered(ok(0)), []])
  })

  test('is sent without its bad messages, which are told by their places', async () => {
    const request = list(
      message(123, 'a'),
      atom('bad'),
      message(123, ''),
      message(0),
      message(1, 'z'),
    )
    const { got, answers, talk } = await asked(request)
    expect(got).toEqual({ 1: ['z'], 123: ['a'] })
    const expected = partial(
      2,
      [2, 'invalid_message', WHAT_A_MESSAGE_IS],
      [3, 'message_empty', 'The body is empty; an empty chunk would end the stream.'],
      [4, 'invalid_message', WHAT_A_USER_IS],
    )
    expect(answers).toEqual(answered(expected))
    expect(talk.refused).toEqual([[3, { code: 'invalid_message', message: WHAT_A_MESSAGE_IS }]])
  })

  test('in a cast has its bad messages noted, and is answered by nobody', async () => {
    const cast = tuple(atom('$gen_cast'), list(message(123, 'a'), atom('bad'), message(1, 'b')))
    const talk = await new Talk().connect(1, 123).takeAll(toName(cast))
    expect([talk.got, talk.written()]).toEqual([{ 1: ['b'], 123: ['a'] }, []])
    expect(talk.refused).toMatchObject([[1, { message: WHAT_A_MESSAGE_IS }]])
  })

  test('of bad messages alone tells the first thousand, and counts all', async () => {
    const bad = Array.from({ length: rejectedListedMax + 500 }, () => atom('bad'))
    const { answers, talk } = await asked(list(...bad, message(1, 'good')))
    expect(talk.refused.map(([count]) => count)).toEqual([rejectedListedMax + 500])
    expect(talk.got).toEqual({ 1: ['good'], 123: [] })
    const places = Array.from({ length: rejectedListedMax }, (_, at) => at + 1)
    const expected = places.map((place): [number, string, string] => [
      ...([place, 'invalid_message', WHAT_A_MESSAGE_IS] as const),
    ])
    expect(answers).toEqual(answered(partial(1, ...expected)))
  })

  test.each([
    ['a message', message(123)],
    ['a number that is the tag of an empty list', integer(106)],
    ['a binary', binary('x')],
  ])('that ends in %s is refused as a whole', async (_, tail) => {
    const { talk, got, answers } = await asked(listOf([message(123, 'a'), message(1)], tail))
    expect(got).toEqual({ 1: [], 123: [] })
    expect(answers).toEqual(answered(error(IMPROPER.code, IMPROPER.message)))
    expect(talk.refused).toEqual([[1, IMPROPER]])
  })

  test('within a batch is a bad message', async () => {
    const { got, answers } = await asked(list(list(message(1)), message(123)))
    expect(got).toEqual({ 1: [], 123: ['x'] })
    expect(answers).toEqual(answered(partial(1, [1, 'invalid_message', WHAT_A_MESSAGE_IS])))
  })
})
