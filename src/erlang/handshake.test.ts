// Goal: two nodes get to know each other if both know the cookie, and otherwise the right one of them
// says the right reason. Method: both sides in memory, against what was recorded, against each other,
// and against every message that is damaged or out of place.

import { describe, expect, test } from 'bun:test'
import { OWN_FLAGS } from './flags.ts'
import {
  CHALLENGE_OF_A,
  CHALLENGE_OF_B,
  GREETING_OF_A,
  GREETING_OF_B,
  Side,
  talk,
} from './handshake.fixture.ts'
import {
  decodeName,
  digestOf,
  encodeAck,
  encodeChallenge,
  encodeName,
  encodeReply,
  encodeStatus,
} from './handshake-messages.ts'
import { bytesOf, fromHex } from './packet.fixture.ts'
import { COOKIE, HANDSHAKE, NODE_A, NODE_B } from './recorded.fixture.ts'

const TOO_OLD = 'it is older than Erlang/OTP 23'
const NOT_EXPECTED = 'it sent something else than the handshake has'
const WRONG_COOKIE = 'its cookie is another one'

const NAME = bytesOf(encodeName(GREETING_OF_A))
const CHALLENGE = bytesOf(encodeChallenge({ ...GREETING_OF_B, challenge: CHALLENGE_OF_B }))
const REPLY = fromHex(HANDSHAKE.challengeReply)
const ACK = fromHex(HANDSHAKE.challengeAck)
const STATUS = fromHex(HANDSHAKE.status)
const FLAGS = bytesOf(encodeName(GREETING_OF_A)).slice(1, 9)

/** A recorded message with the flags that comet has instead of the recorded ones. */
function withOwnFlags(hex: string): string {
  const bytes = fromHex(hex)
  bytes.set(FLAGS, 1)
  return bytes.toHex()
}

function hexOf(messages: readonly Uint8Array[]): string[] {
  return messages.map((message) => bytesOf(message).toHex())
}

describe('with a real node', () => {
  test('that is connected to, comet sends what another real node has sent', () => {
    const a = Side.opening()
    for (const hex of [HANDSHAKE.status, HANDSHAKE.challenge, HANDSHAKE.challengeAck]) {
      expect([a.done, a.why]).toEqual([[], null])
      a.take(fromHex(hex))
    }
    expect(hexOf(a.sent)).toEqual([withOwnFlags(HANDSHAKE.sendName), HANDSHAKE.challengeReply])
    expect([a.done, a.why]).toMatchObject([[{ name: NODE_B, flags: 0xc071f5fbcn }], null])
  })

  test('that connects, comet sends what another real node has sent', () => {
    const b = Side.accepting()
    for (const hex of [HANDSHAKE.sendName, HANDSHAKE.challengeReply]) {
      expect([b.done, b.why]).toEqual([[], null])
      b.take(fromHex(hex))
    }
    expect(hexOf(b.sent)).toEqual([
      ...[HANDSHAKE.status, withOwnFlags(HANDSHAKE.challenge), HANDSHAKE.challengeAck],
    ])
    expect([b.done, b.why]).toMatchObject([[{ name: NODE_A, flags: 0xc071f5fbcn }], null])
  })
})

describe('between two that know the cookie', () => {
  test.each(['ok', 'ok_simultaneous', 'alive'] as const)('succeeds with status %s', (says) => {
    const [a, b] = [Side.opening(), Side.accepting({ says })]
    talk(a, b)
    expect([a.why, b.why, b.judged]).toEqual([null, null, [NODE_A]])
    expect([a.done, b.done]).toMatchObject([
      [{ ...GREETING_OF_B, challenge: CHALLENGE_OF_B }],
      [GREETING_OF_A],
    ])
  })

  test('tells from when on the other might hang up for a wrong cookie', () => {
    const a = Side.opening()
    expect(a.handshake.hasReplied).toBe(false)
    a.take(STATUS)
    expect(a.handshake.hasReplied).toBe(false)
    a.take(CHALLENGE)
    expect(a.handshake.hasReplied).toBe(true)
  })

  test('holds the cookie in no message', () => {
    const cookie = 'notinanymessage'
    const [a, b] = [Side.opening({ cookie }), Side.accepting({ cookie, says: 'alive' })]
    talk(a, b)
    expect([a.done.length, b.done.length]).toEqual([1, 1])
    for (const message of [...a.sent, ...b.sent]) {
      expect(Buffer.from(message).includes(cookie)).toBe(false)
    }
  })
})

describe('with another cookie', () => {
  test('on the side that connects, the other notices and answers nothing', () => {
    const [a, b] = [Side.opening({ cookie: 'other' }), Side.accepting()]
    talk(a, b)
    expect([a.why, b.why]).toEqual([null, WRONG_COOKIE])
    expect([a.done, b.done, hexOf(b.sent).length]).toEqual([[], [], 2])
  })

  test('on the side that is connected to, both can notice', () => {
    const a = Side.opening().take(STATUS).take(CHALLENGE)
    expect(a.take(encodeAck(digestOf('other', CHALLENGE_OF_A))).why).toBe(WRONG_COOKIE)
    expect(a.done).toEqual([])
    const [b, opening] = [Side.accepting({ cookie: 'other' }), Side.opening()]
    talk(opening, b)
    expect([b.why, b.done, opening.done]).toEqual([WRONG_COOKIE, [], []])
  })

  test('says no word of any cookie', () => {
    const [a, b] = [Side.opening({ cookie: 'unlike' }), Side.accepting()]
    talk(a, b)
    expect(b.why).toBe(WRONG_COOKIE)
    for (const cookie of [COOKIE, 'unlike']) expect(b.why).not.toContain(cookie)
  })

  test('so an ack or a reply to another challenge is refused too', () => {
    const a = Side.opening().take(STATUS).take(CHALLENGE)
    expect(a.take(encodeAck(digestOf(COOKIE, CHALLENGE_OF_B))).why).toBe(WRONG_COOKIE)
    const b = Side.accepting().take(NAME)
    const digest = digestOf(COOKIE, CHALLENGE_OF_A)
    expect(b.take(encodeReply(CHALLENGE_OF_A, digest)).why).toBe(WRONG_COOKIE)
  })
})

describe('the status', () => {
  test.each([
    ['nok', 'it is about to connect by itself'],
    ['not_allowed', 'it does not allow this node (net_kernel:allow/1)'],
    ['', NOT_EXPECTED],
    ['o', NOT_EXPECTED],
    ['okk', NOT_EXPECTED],
    ['true', NOT_EXPECTED],
    ['named:', NOT_EXPECTED],
  ])('%p ends it for who connects', (status, why) => {
    const a = Side.opening().take(encodeStatus(status))
    expect([a.why, a.sent.length, a.done]).toEqual([why, 1, []])
  })

  test('nok is sent, and ends it', () => {
    const b = Side.accepting({ says: 'nok' }).take(NAME)
    const why = 'this node is about to connect to it'
    expect([b.why, hexOf(b.sent)]).toEqual([why, hexOf([encodeStatus('nok')])])
  })

  test('not_allowed is sent to who is not welcome, and ends it', () => {
    const b = Side.accepting({ says: { why: 'nobody is' } }).take(NAME)
    expect([b.why, hexOf(b.sent)]).toEqual(['nobody is', hexOf([encodeStatus('not_allowed')])])
  })

  test('alive is answered with true by who connects, before the challenge', () => {
    const a = Side.opening().take(encodeStatus('alive'))
    expect(hexOf(a.sent).slice(1)).toEqual(hexOf([encodeStatus('true')]))
    expect(a.take(CHALLENGE).take(ACK).done.length).toBe(1)
  })

  test('alive is sent alone; true is answered with the challenge', () => {
    const b = Side.accepting({ says: 'alive' }).take(NAME)
    expect(hexOf(b.sent)).toEqual(hexOf([encodeStatus('alive')]))
    b.take(encodeStatus('true'))
    expect(hexOf(b.sent).slice(1)).toEqual(hexOf([CHALLENGE]))
    expect(b.take(REPLY).done.length).toBe(1)
  })

  test.each([
    [encodeStatus('false'), 'it is connected already'],
    [encodeStatus('tru'), NOT_EXPECTED],
    [encodeStatus(''), NOT_EXPECTED],
    [REPLY, NOT_EXPECTED],
  ])('alive and another answer end it', (answer, why) => {
    const b = Side.accepting({ says: 'alive' }).take(NAME).take(answer)
    expect([b.why, b.sent.length]).toEqual([why, 1])
  })
})

/** Message by message: who awaits it, and the one that it awaits. */
const STEPS: [what: string, waiting: () => Side, message: Uint8Array][] = [
  ['a name', () => Side.accepting(), NAME],
  ['a status', () => Side.opening(), STATUS],
  ['a challenge', () => Side.opening().take(STATUS), CHALLENGE],
  ['a reply', () => Side.accepting().take(NAME), REPLY],
  ['an ack', () => Side.opening().take(STATUS).take(CHALLENGE), ACK],
]

describe('who awaits', () => {
  test.each(STEPS)('%s is content with it', (_, waiting, message) => {
    expect(waiting().take(message).why).toBeNull()
  })

  test.each(STEPS)('%s refuses one that is cut short', (_, waiting, message) => {
    for (let length = 0; length < message.length; length++) {
      const side = waiting()
      const { length: sent } = side.sent
      side.take(message.slice(0, length))
      expect([side.why, side.sent.length, side.done]).toEqual([NOT_EXPECTED, sent, []])
    }
  })

  test.each(STEPS)('%s refuses one with another letter', (_, waiting, message) => {
    for (let letter = 0; letter < 256; letter++) {
      if (letter === message[0]) continue
      const side = waiting().take(bytesOf(letter, message.slice(1)))
      // The letter of older nodes is known, where it may come.
      const isOld = letter === 'n'.charCodeAt(0) && message[0] === 'N'.charCodeAt(0)
      expect([side.why, side.done]).toEqual([isOld ? TOO_OLD : NOT_EXPECTED, []])
    }
  })

  test.each(STEPS.filter(([, , message]) => message[0] !== NAME[0]))(
    '%s refuses one that is too long',
    (_, waiting, message) => {
      expect(waiting().take(bytesOf(message, 0)).why).toBe(NOT_EXPECTED)
    },
  )

  test.each(STEPS)('%s refuses the message of any other step', (what, waiting) => {
    for (const [other, , message] of STEPS) {
      if (other === what) continue
      const side = waiting().take(message)
      expect(side.why).not.toBeNull()
      expect(side.done).toEqual([])
    }
  })
})

describe('a greeting', () => {
  test.each([0x4n, 0x100n, 0x10000n, 0x800n, 0x40000n, 0x1000000n])(
    'without the flag %p is too old, on either side',
    (flag) => {
      const flags = OWN_FLAGS & ~flag
      const b = Side.accepting().take(encodeName({ ...GREETING_OF_A, flags }))
      expect([b.why, b.sent, b.judged]).toEqual([TOO_OLD, [], []])
      const a = Side.opening().take(STATUS)
      a.take(encodeChallenge({ ...GREETING_OF_B, flags, challenge: CHALLENGE_OF_B }))
      expect([a.why, a.sent.length]).toEqual([TOO_OLD, 1])
    },
  )

  test('of another node than was asked for is refused, before it is shown a digest', () => {
    const a = Side.opening({ to: 'c@localhost' }).take(STATUS).take(CHALLENGE)
    expect([a.why, a.sent.length, a.handshake.hasReplied]).toEqual([
      'it has another name',
      1,
      false,
    ])
  })

  test.each([
    [''],
    ['a'],
    ['@localhost'],
    ['a@'],
    ['a@b@c'],
    ['a @localhost'],
    ['a@local\nhost'],
    ['a\u0000@localhost'],
    ['\u001b[31m@localhost'],
    ['é@localhost'],
    [`${'a'.repeat(250)}@localhost`],
  ])('of what is no name, %p, is refused and shown to nobody', (name) => {
    const b = Side.accepting().take(encodeName({ ...GREETING_OF_A, name }))
    expect([b.why, b.sent, b.judged]).toEqual([NOT_EXPECTED, [], []])
  })

  test('tells name, flags and creation of its own', () => {
    const [sent = new Uint8Array()] = Side.opening().sent
    expect(decodeName(sent)).toEqual({ ...GREETING_OF_A, name: NODE_A })
    expect(Side.opening({ name: NODE_B, creation: 4 }).sent.map(decodeName)).toEqual([
      { name: NODE_B, creation: 4, flags: OWN_FLAGS },
    ])
  })
})
