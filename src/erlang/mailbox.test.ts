// Goal: the messages, batches and calls of a process have their effect and are answered correctly,
// also while the server stops. Method: a real router and store behind a channel, packets by the
// documented format, and the exact bytes of each reply.

import { describe, expect, test } from 'bun:test'
import { messageLimits } from '../core/limits.ts'
import { callWith, replied, settled, TestChannel } from './channel.fixture.ts'
import { IMPROPER_LIST } from './message-terms.ts'
import {
  about,
  CALL_TAG,
  CALLER,
  call,
  cons,
  error,
  list,
  message,
  OWN,
  ok,
  packet,
  partial,
  reference,
  reply,
  toName,
} from './packet.fixture.ts'
import {
  ATOM_TAGS,
  atomOf,
  binaryOf,
  bytesOf,
  integerOf,
  listOf,
  NIL,
  stringOf,
  tupleOf,
} from './terms.fixture.ts'

const { rejectedListedMax, bodyBytesMax } = messageLimits

const EXPECTED_MESSAGE = 'A message is {User, Body} or {subject, User, Body}, or a list of these.'
const EXPECTED_USER =
  'A user or subject is a name of up to 64 letters, digits and . _ : @ -, ' +
  'or a whole number from 1 to 2147483647.'

describe('a message', () => {
  test.each([
    ['{User, Body}', message(123), { 1: [], 123: ['x'] }, 1],
    ['{subject, User, Body}', about(123, 'x'), { 1: ['x'], 123: ['x'] }, 2],
    ['{send, User, Body}', about(123, 'x', 'send'), { 1: ['x'], 123: ['x'] }, 2],
    ['to a user without a stream', message(7), { 1: [], 123: [] }, 0],
  ])('%s is delivered and counted', async (_, request, received, delivered) => {
    const result = await callWith(request)
    expect(result.received).toEqual(received)
    expect(result.replies).toEqual(replied(ok(delivered)))
    expect(result.test.refused).toEqual([])
  })

  test.each([
    ['alone', message(123)],
    ['in a cast', tupleOf(atomOf('$gen_cast'), message(123))],
  ])('%s to any name is delivered without a reply', async (_, sent) => {
    const test = await new TestChannel().connect(1, 123).takeAll(toName(sent), toName(sent, 'any'))
    expect(test.received).toEqual({ 1: [], 123: ['x', 'x'] })
    expect([test.written(), test.flushes, test.channel.messages]).toEqual([[], 0, 2])
  })

  test.each([
    ['an atom', atomOf('send'), 'invalid_message', EXPECTED_MESSAGE],
    ['an integer', integerOf(1), 'invalid_message', EXPECTED_MESSAGE],
    ['an empty tuple', tupleOf(), 'invalid_message', EXPECTED_MESSAGE],
    ['a string', bytesOf(107, 0, 1, 'x'), 'invalid_message', EXPECTED_MESSAGE],
    ['another word', about(123, 'x', 'sent'), 'invalid_message', EXPECTED_MESSAGE],
    [
      ...(['four terms', tupleOf(atomOf('send'), integerOf(1), binaryOf('x'), NIL)] as const),
      ...(['invalid_message', EXPECTED_MESSAGE] as const),
    ],
    [
      ...(['another query', tupleOf(atomOf('offline'), integerOf(1)), 'invalid_message'] as const),
      'The body is not a binary, an iolist or a string.',
    ],
    [
      'a cast in a call',
      tupleOf(atomOf('$gen_cast'), message(1)),
      'invalid_message',
      EXPECTED_USER,
    ],
    ['user 0', message(0), 'invalid_message', EXPECTED_USER],
    ['user -1', tupleOf(integerOf(-1), binaryOf('x')), 'invalid_message', EXPECTED_USER],
    [
      ...(['user 2^31', tupleOf(integerOf(2 ** 31), binaryOf('x')), 'unknown_user'] as const),
      'There is no user above 2147483647, by --max-users.',
    ],
    [
      ...(['user 1.0', tupleOf(bytesOf(70, 63, 240, new Uint8Array(6)), binaryOf('x'))] as const),
      ...(['invalid_message', EXPECTED_USER] as const),
    ],
    [
      ...(['no body', tupleOf(integerOf(1), atomOf('x')), 'invalid_message'] as const),
      'The body is not a binary, an iolist or a string.',
    ],
    [
      ...(['an empty body', message(1, ''), 'message_empty'] as const),
      'The body is empty; an empty chunk would end the stream.',
    ],
    [
      ...([
        'a body that is not UTF-8',
        tupleOf(integerOf(1), binaryOf(Uint8Array.of(255))),
      ] as const),
      ...(['invalid_utf8', 'The body is not UTF-8.'] as const),
    ],
    [
      ...(['a body of 65,537 bytes', message(1, 'x'.repeat(bodyBytesMax + 1))] as const),
      'message_too_large',
      'The body is 65537 bytes as UTF-8; at most 65536 are allowed.',
    ],
  ])('that is %s is refused with a reason', async (_, request, code, text) => {
    const { test, received, replies } = await callWith(request)
    expect(replies).toEqual(replied(error(code, text)))
    expect(received).toEqual({ 1: [], 123: [] })
    expect<unknown>(test.refused).toEqual([[1, { code, message: text }]])
  })

  test('without a caller that is refused is reported, but not answered', async () => {
    const test = await new TestChannel().connect(1).takeAll(toName(atomOf('hello')), toName(NIL))
    expect([test.written(), test.received]).toEqual([[], { 1: [] }])
    // The empty list has no message to refuse.
    expect(test.refused).toEqual([[1, { code: 'invalid_message', message: EXPECTED_MESSAGE }]])
    expect([...test.nodes]).toEqual(['a@localhost'])
  })

  test('to the highest user id is delivered', async () => {
    const test = new TestChannel().connect(2_147_483_647)
    await test.takeAll(call(tupleOf(integerOf(2_147_483_647), binaryOf('x'))))
    expect(test.received).toEqual({ 2147483647: ['x'] })
  })
})

describe('a message to a name', () => {
  const about = (user: Uint8Array) => tupleOf(atomOf('subject'), user, binaryOf('x'))
  const to = (user: Uint8Array) => tupleOf(user, binaryOf('x'))

  test.each([
    ['{<<"alice">>, Body}', to(binaryOf('alice'))],
    ['{alice, Body}', to(atomOf('alice'))],
    ['{subject, <<"alice">>, Body}', about(binaryOf('alice'))],
    ['{subject, alice, Body}', about(atomOf('alice'))],
    ['{send, alice, Body}', tupleOf(atomOf('send'), atomOf('alice'), binaryOf('x'))],
  ])('%s is delivered and counted, alone and in a list', async (_, sent) => {
    for (const request of [sent, list(sent)]) {
      const { received, replies } = await callWith(request, (test) => test.connect('alice'))
      expect(received).toEqual({ 1: [], 123: [], alice: ['x'] })
      expect(replies).toEqual(replied(ok(1)))
    }
  })

  test.each(ATOM_TAGS.map((tag) => [tag]))('as an atom with tag %p is delivered', async (tag) => {
    const test = new TestChannel().connect('room:42')
    await test.takeAll(toName(to(atomOf('room:42', tag))))
    expect(test.received).toEqual({ 'room:42': ['x'] })
  })

  test('that no one knows is accepted, reaches nobody, and is known for the log', async () => {
    const { replies, test } = await callWith(to(atomOf('bob')))
    expect(replies).toEqual(replied(ok(0)))
    expect([test.refused, test.names.size]).toEqual([[], 1])
  })

  test('of 64 characters is delivered', async () => {
    const test = new TestChannel().connect('x'.repeat(64))
    await test.takeAll(toName(to(binaryOf('x'.repeat(64)))))
    expect(test.received).toEqual({ ['x'.repeat(64)]: ['x'] })
  })

  test.each([
    ['a binary of digits', binaryOf('123')],
    ['an atom of digits', atomOf('123')],
    ['the binary of everyone', binaryOf('*')],
    ['the atom of everyone', atomOf('*')],
    ['an empty binary', binaryOf('')],
    ['an empty atom', atomOf('')],
    ['65 characters', binaryOf('x'.repeat(65))],
    ['another letter', binaryOf('zoë')],
    ['an atom with another letter', atomOf('zoë')],
    ['a name and a line end', binaryOf('alice\n')],
    ['a string', stringOf('alice')],
  ])('that is %s is refused', async (_, user) => {
    const failure = { code: 'invalid_message', message: EXPECTED_USER } as const
    for (const request of [to(user), about(user)]) {
      const { received, replies, test } = await callWith(request)
      expect(replies).toEqual(replied(error(failure.code, failure.message)))
      expect(received).toEqual({ 1: [], 123: [] })
      expect(test.refused).toEqual([[1, failure]])
    }
  })

  const words = ['subject', 'send', 'online', 'is_auth', 'undefined', 'nil']
  test.each(words)('may be the binary %s, but not the atom', async (word) => {
    const test = new TestChannel().connect(word)
    const [binary, atom] = [binaryOf(word), atomOf(word)]
    await test.takeAll(
      ...[to(binary), about(binary), to(atom), about(atom)].map((of) => toName(of)),
    )
    expect(test.received).toEqual({ [word]: ['x', 'x'] })
    const message = `The atom ${word} is no user; the binary <<"${word}">> is.`
    const refusal: (typeof test.refused)[number] = [1, { code: 'invalid_message', message }]
    expect(test.refused).toEqual([refusal, refusal])
  })
})

describe('a batch', () => {
  test('is delivered in order, and its deliveries are summed', async () => {
    const request = list(message(123, 'a'), about(123, 'b'), message(1, 'c'), message(7, 'd'))
    const { received, replies } = await callWith(request)
    expect(received).toEqual({ 1: ['b', 'c'], 123: ['a', 'b'] })
    expect(replies).toEqual(replied(ok(4)))
  })

  test('may be empty', async () => {
    const { replies, test } = await callWith(NIL)
    expect([replies, test.refused]).toEqual([replied(ok(0)), []])
  })

  test('is delivered without its invalid messages, which are listed by their places', async () => {
    const bad = [atomOf('bad'), message(123, ''), message(0)]
    const request = list(message(123, 'a'), ...bad, message(1, 'z'))
    const { received, replies, test } = await callWith(request)
    expect(received).toEqual({ 1: ['z'], 123: ['a'] })
    const expected = partial(
      2,
      [2, 'invalid_message', EXPECTED_MESSAGE],
      [3, 'message_empty', 'The body is empty; an empty chunk would end the stream.'],
      [4, 'invalid_message', EXPECTED_USER],
    )
    expect(replies).toEqual(replied(expected))
    expect(test.refused).toEqual([[3, { code: 'invalid_message', message: EXPECTED_MESSAGE }]])
  })

  test('in a cast has its invalid messages reported, but not answered', async () => {
    const batch = list(message(123, 'a'), atomOf('bad'), message(1, 'b'))
    const test = new TestChannel().connect(1, 123)
    await test.takeAll(toName(tupleOf(atomOf('$gen_cast'), batch)))
    expect([test.received, test.written()]).toEqual([{ 1: ['b'], 123: ['a'] }, []])
    expect(test.refused).toMatchObject([[1, { message: EXPECTED_MESSAGE }]])
  })

  test('lists its first thousand invalid messages, and counts all', async () => {
    const bad = Array.from({ length: rejectedListedMax + 500 }, () => atomOf('bad'))
    const { replies, test } = await callWith(list(...bad, message(1, 'good')))
    expect(test.refused.map(([count]) => count)).toEqual([rejectedListedMax + 500])
    expect(test.received).toEqual({ 1: ['good'], 123: [] })
    const listed = Array.from({ length: rejectedListedMax }, (_, at) => at + 1)
    const expected = listed.map((place) => [place, 'invalid_message', EXPECTED_MESSAGE] as const)
    expect(replies).toEqual(replied(partial(1, ...expected)))
  })

  test.each([
    ['a message', message(123)],
    ['the tag of an empty list as a number', integerOf(106)],
    ['a binary', binaryOf('x')],
  ])('whose tail is %s is refused as a whole', async (_, tail) => {
    const { test, received, replies } = await callWith(listOf([message(123), message(1)], tail))
    expect(received).toEqual({ 1: [], 123: [] })
    expect(replies).toEqual(replied(error(IMPROPER_LIST.code, IMPROPER_LIST.message)))
    expect(test.refused).toEqual([[1, IMPROPER_LIST]])
  })

  test('in a batch is an invalid message', async () => {
    const { received, replies } = await callWith(list(list(message(1)), message(123)))
    expect(received).toEqual({ 1: [], 123: ['x'] })
    expect(replies).toEqual(replied(partial(1, [1, 'invalid_message', EXPECTED_MESSAGE])))
  })
})

describe('a query', () => {
  test('by net_adm:ping is answered with yes, also while the server stops', async () => {
    for (const isDraining of [false, true]) {
      const request = tupleOf(atomOf('is_auth'), atomOf('a@localhost'))
      const { replies } = await callWith(request, (test) => {
        test.isDraining = isDraining
      })
      expect(replies).toEqual(replied(atomOf('yes')))
    }
  })

  test('for the process of comet is answered with it', async () => {
    expect((await callWith(atomOf('whereis'))).replies).toEqual(replied(OWN))
  })

  test('for the connections of a user is answered when they are known', async () => {
    const { test, replies } = await callWith(tupleOf(atomOf('online'), integerOf(123)))
    expect([replies, test.channel.callsPending]).toEqual([[], 1])
    expect(test.asked.map(([user]) => user)).toEqual([123])
    test.asked[0]?.[1].resolve(300)
    await settled()
    expect(test.written()).toEqual(replied(integerOf(300)))
    expect(test.channel.callsPending).toBe(0)
  })

  test.each([
    ['0', integerOf(0)],
    ['a binary of digits', binaryOf('123')],
    ['a string', stringOf('alice')],
  ])('for the connections of user %s is refused', async (_, user) => {
    const { test, replies } = await callWith(tupleOf(atomOf('online'), user))
    expect(replies).toEqual(replied(error('invalid_message', EXPECTED_USER)))
    expect([test.asked, test.channel.callsPending]).toEqual([[], 0])
  })

  test.each([
    ['a binary', binaryOf('alice')],
    ['an atom', atomOf('alice')],
  ])('for the connections of a name as %s is asked', async (_, user) => {
    const { test } = await callWith(tupleOf(atomOf('online'), user), (to) => to.connect('alice'))
    expect(test.asked.map(([asked]) => asked)).toEqual([test.names.find('alice')])
  })

  test('for a name that would be a body is no message to the name online', async () => {
    const request = tupleOf(atomOf('online'), binaryOf('x'))
    const { test, received } = await callWith(request, (test) => test.connect('online'))
    expect([received, test.asked.length]).toEqual([{ 1: [], 123: [], online: [] }, 1])
  })

  test('without a caller is an invalid message', async () => {
    const query = tupleOf(atomOf('online'), integerOf(123))
    const test = await new TestChannel().takeAll(toName(query))
    expect([test.asked, test.written(), test.refused.length]).toEqual([[], [], 1])
  })
})

describe('a server that stops', () => {
  test.each([
    ['a message', message(123)],
    ['an invalid message', atomOf('bad')],
    ['a batch', list(message(123), message(1))],
  ])('refuses %s, with a reply or without', async (_, request) => {
    const { test, replies } = await callWith(request, (test) => {
      test.isDraining = true
    })
    const text = 'The server is stopping; send it to another.'
    expect(replies).toEqual(replied(error('draining', text)))
    await test.takeAll(toName(request))
    expect([test.received, test.written()]).toEqual([{ 1: [], 123: [] }, []])
    const refusal: (typeof test.refused)[number] = [1, { code: 'draining', message: text }]
    expect(test.refused).toEqual([refusal, refusal])
  })
})

describe('a caller', () => {
  /** The reply to a call with this tag, sent to the process instead of an alias. */
  function toProcess(tag: Uint8Array, process = CALLER): string {
    const control = tupleOf(integerOf(2), atomOf(''), process)
    return packet(control, tupleOf(tag, ok(1))).toHex()
  }

  const oldReference = bytesOf(114, 0, 1, atomOf('a@localhost'), 1, 0, 0, 0, 9)
  const multiCallTag = cons(CALL_TAG, integerOf(7))

  test.each([
    ['an alias', CALL_TAG, [reply(ok(1)).toHex()]],
    ['the tag of a multi_call', multiCallTag, [reply(ok(1), { tag: multiCallTag }).toHex()]],
  ])('with %s is answered at the alias', async (_, tag, expected) => {
    const test = await new TestChannel().connect(123).takeAll(call(message(123), tag))
    expect([test.received, test.written()]).toEqual([{ 123: ['x'] }, expected])
  })

  test.each([
    ['a reference', reference(9)],
    ['an old reference', oldReference],
    ['an empty tuple', tupleOf()],
    ['a large term', tupleOf(CALL_TAG, list(binaryOf('y'.repeat(300))), bytesOf(116, 0, 0, 0, 0))],
    ['an alias that is a number', cons(atomOf('alias'), integerOf(1))],
    ['an alias that is an old reference', cons(atomOf('alias'), oldReference)],
    ['another word', cons(atomOf('alia'), CALL_TAG.slice(12))],
    ['two words', listOf([atomOf('alias'), atomOf('alias')], CALL_TAG.slice(12))],
    ['lists in lists', cons(cons(CALL_TAG, integerOf(1)), integerOf(1))],
  ])('with %s as tag is answered at its process', async (_, tag) => {
    const test = await new TestChannel().connect(123).takeAll(call(message(123), tag))
    expect([test.received, test.written()]).toEqual([{ 123: ['x'] }, [toProcess(tag)]])
  })

  test('that is an old process identifier is answered too', async () => {
    const process = bytesOf(103, atomOf('a@localhost'), 0, 0, 0, 1, 0, 0, 0, 0, 1)
    const from = tupleOf(process, integerOf(1))
    const test = new TestChannel().connect(123)
    await test.takeAll(toName(tupleOf(atomOf('$gen_call'), from, message(123))))
    expect(test.written()).toEqual([toProcess(integerOf(1), process)])
  })

  test.each([
    ['a number', integerOf(1)],
    ['a process alone', CALLER],
    ['a process without a tag', tupleOf(CALLER)],
    ['a name', tupleOf(atomOf('caller'), CALL_TAG)],
    ['too many terms', tupleOf(CALLER, CALL_TAG, CALL_TAG)],
  ])('that is %s is invalid, which is reported', async (_, from) => {
    const test = new TestChannel().connect(123)
    await test.takeAll(toName(tupleOf(atomOf('$gen_call'), from, message(123))))
    expect([test.received, test.written()]).toEqual([{ 123: [] }, []])
    const failure = { code: 'invalid_message', message: 'The call has no valid caller.' } as const
    expect(test.refused).toEqual([[1, failure]])
  })

  test('of another kind than gen_server is told so', async () => {
    const test = await new TestChannel().takeAll(
      toName(tupleOf(atomOf('system'), tupleOf(CALLER, CALL_TAG), atomOf('get_state'))),
    )
    const text = 'Only calls by gen_server:call are supported.'
    expect(test.written()).toEqual(replied(error('invalid_message', text)))
    expect(test.refused).toEqual([[1, { code: 'invalid_message', message: text }]])
  })
})
