// Goal: what a process asks comet is answered, in the right way, also while the server is stopping.
// Method: a real router and store behind a conversation, packets by the documented format, and the exact
// bytes of each answer.

import { describe, expect, test } from 'bun:test'
import { answered, asked, Talk } from './channel.fixture.ts'
import {
  atom,
  binary,
  bytesOf,
  call,
  error,
  integer,
  list,
  MARK,
  message,
  ok,
  toName,
  tuple,
} from './packet.fixture.ts'

const WHAT_A_USER_IS = 'A user id is a whole number from 1 to 4294967295.'

describe('a question', () => {
  test('whether comet is there is answered with yes', async () => {
    const { answers } = await asked(tuple(atom('is_auth'), atom('a@localhost')))
    expect(answers).toEqual(answered(atom('yes')))
  })

  test('how many connections a user has is answered when it is known', async () => {
    const { talk, answers } = await asked(tuple(atom('online'), integer(123)))
    expect([answers, talk.conversation.calls]).toEqual([[], 1])
    expect(talk.asked.map(([user]) => user)).toEqual([123])
    talk.asked[0]?.[1].resolve(300)
    await new Promise(setImmediate)
    expect(talk.writtenHex()).toEqual(answered(integer(300)))
    expect(talk.conversation.calls).toBe(0)
  })

  test.each([
    ['0', integer(0)],
    ['an atom', atom('me')],
  ])('about a user who is %s is refused', async (_, user) => {
    const { talk, answers } = await asked(tuple(atom('online'), user))
    expect(answers).toEqual(answered(error('invalid_message', WHAT_A_USER_IS)))
    expect([talk.asked, talk.conversation.calls]).toEqual([[], 0])
  })

  test('that nobody calls with is a bad message', async () => {
    const talk = await new Talk().takeAll(toName(tuple(atom('online'), integer(123))))
    expect([talk.asked, talk.written(), talk.refused.length]).toEqual([[], [], 1])
  })
})

describe('a server that is stopping', () => {
  const draining = ['draining', 'The server is stopping; send it to another.'] as const
  const stop = (talk: Talk) => {
    talk.isDraining = true
  }

  test.each([
    ['a message', message(123)],
    ['a bad message', atom('bad')],
    ['a batch', list(message(123), message(1))],
  ])('refuses %s', async (_, request) => {
    const { talk, got, answers } = await asked(request, stop)
    expect(got).toEqual({ 1: [], 123: [] })
    expect(answers).toEqual(answered(error(...draining)))
    const [code, text] = draining
    expect(talk.refused).toEqual([[1, { code, message: text }]])
  })

  test('still answers questions', async () => {
    const { answers } = await asked(tuple(atom('is_auth'), atom('a@localhost')), stop)
    expect(answers).toEqual(answered(atom('yes')))
  })

  test('takes nothing from those who do not call either', async () => {
    const talk = new Talk().connect(123)
    stop(talk)
    await talk.takeAll(toName(message(123)), toName(list(message(123))))
    expect([talk.got, talk.written()]).toEqual([{ 123: [] }, []])
    expect(talk.refused.map(([, { code }]) => code)).toEqual(['draining', 'draining'])
  })
})

test('the mark is the caller’s, whatever it is', async () => {
  const mark = tuple(MARK, list(binary('y'.repeat(300))), bytesOf(116, 0, 0, 0, 0))
  const talk = await new Talk().connect(123).takeAll(call(message(123), mark))
  const [written = new Uint8Array()] = talk.written()
  expect(written.toHex()).toEndWith(tuple(mark, ok(1)).toHex())
})
