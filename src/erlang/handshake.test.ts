// Goal: a handshake succeeds if both nodes know the cookie, and otherwise fails with the right
// reason on the right side. Method: both sides in memory, against the recording, against each
// other, and against every message that is damaged or out of order.

import { describe, expect, test } from 'bun:test'
import { refused } from '../core/result.ts'
import {
  CHALLENGE_OF_A,
  CHALLENGE_OF_B,
  exchange,
  IDENTITY_OF_A,
  IDENTITY_OF_B,
  Side,
} from './handshake.fixture.ts'
import {
  digestOf,
  encodeAck,
  encodeChallenge,
  encodeName,
  encodeReply,
  encodeStatus,
  OWN_FLAGS,
} from './handshake-messages.ts'
import { fromHex } from './packet.fixture.ts'
import { COOKIE, HANDSHAKE, NODE_A, NODE_B } from './recorded.fixture.ts'
import { bytesOf } from './terms.fixture.ts'

const TOO_OLD = 'the node is older than Erlang/OTP 23'
const UNEXPECTED = 'unexpected handshake message'
const WRONG_COOKIE = 'wrong cookie'

const NAME = bytesOf(encodeName(IDENTITY_OF_A))
const CHALLENGE = bytesOf(encodeChallenge({ ...IDENTITY_OF_B, challenge: CHALLENGE_OF_B }))
const REPLY = fromHex(HANDSHAKE.challengeReply)
const ACK = fromHex(HANDSHAKE.challengeAck)
const STATUS = fromHex(HANDSHAKE.status)

/** A recorded message with comet's flags. */
function withOwnFlags(hex: string): string {
  const bytes = fromHex(hex)
  bytes.set(NAME.slice(1, 9), 1)
  return bytes.toHex()
}

function hexOf(messages: readonly Uint8Array[]): string[] {
  return messages.map((message) => bytesOf(message).toHex())
}

describe('with a recorded node', () => {
  test('that is connected to, comet sends what the other recorded node sent', () => {
    const a = Side.opening()
    for (const hex of [HANDSHAKE.status, HANDSHAKE.challenge, HANDSHAKE.challengeAck]) {
      expect([a.peer, a.why]).toEqual([null, null])
      a.take(fromHex(hex))
    }
    expect(hexOf(a.sent)).toEqual([withOwnFlags(HANDSHAKE.sendName), HANDSHAKE.challengeReply])
    expect([a.peer, a.why]).toMatchObject([{ name: NODE_B, flags: 0xc071f5fbcn }, null])
  })

  test('that connects, comet sends what the other recorded node sent', () => {
    const b = Side.accepting()
    for (const hex of [HANDSHAKE.sendName, HANDSHAKE.challengeReply]) {
      expect([b.peer, b.why]).toEqual([null, null])
      b.take(fromHex(hex))
    }
    const { status, challenge, challengeAck } = HANDSHAKE
    expect(hexOf(b.sent)).toEqual([status, withOwnFlags(challenge), challengeAck])
    expect([b.peer, b.why]).toMatchObject([{ name: NODE_A, flags: 0xc071f5fbcn }, null])
  })
})

describe('with the same cookie', () => {
  test.each(['ok', 'ok_simultaneous', 'alive'] as const)('succeeds with status %s', (says) => {
    const [a, b] = [Side.opening(), Side.accepting({ says })]
    exchange(a, b)
    expect([a.why, b.why, b.judged]).toEqual([null, null, [NODE_A]])
    expect([a.peer, b.peer]).toMatchObject([IDENTITY_OF_B, IDENTITY_OF_A])
  })

  test('sends the cookie in no message', () => {
    const cookie = 'notinanymessage'
    const [a, b] = [Side.opening({ cookie }), Side.accepting({ cookie, says: 'alive' })]
    exchange(a, b)
    expect([a.peer?.name, b.peer?.name]).toEqual([NODE_B, NODE_A])
    const isSent = [...a.sent, ...b.sent].some((message) => Buffer.from(message).includes(cookie))
    expect(isSent).toBe(false)
  })
})

describe('with another cookie', () => {
  test('of the node that connects, the other fails and sends nothing', () => {
    const [a, b] = [Side.opening({ cookie: 'other' }), Side.accepting()]
    exchange(a, b)
    expect([a.why, b.why]).toEqual([null, WRONG_COOKIE])
    expect([a.peer, b.peer, b.sent.length]).toEqual([null, null, 2])
  })

  test('of the node that is connected to, both can fail', () => {
    const a = Side.opening().take(STATUS).take(CHALLENGE)
    expect(a.take(encodeAck(digestOf('other', CHALLENGE_OF_A))).why).toBe(WRONG_COOKIE)
    const [b, opening] = [Side.accepting({ cookie: 'other' }), Side.opening()]
    exchange(opening, b)
    expect([b.why, a.peer, b.peer, opening.peer]).toEqual([WRONG_COOKIE, null, null, null])
  })

  test('or a digest of another challenge, fails too', () => {
    const a = Side.opening().take(STATUS).take(CHALLENGE)
    expect(a.take(encodeAck(digestOf(COOKIE, CHALLENGE_OF_B))).why).toBe(WRONG_COOKIE)
    const b = Side.accepting().take(NAME)
    const digest = digestOf(COOKIE, CHALLENGE_OF_A)
    expect(b.take(encodeReply(CHALLENGE_OF_A, digest)).why).toBe(WRONG_COOKIE)
  })

  test('the other may close the connection once comet has replied', () => {
    const a = Side.opening().take(STATUS)
    expect(a.handshake.hasReplied).toBe(false)
    expect(a.take(CHALLENGE).handshake.hasReplied).toBe(true)
  })
})

describe('the status', () => {
  test.each([
    ['nok', 'the node is already connecting to this one'],
    ['not_allowed', 'the node does not allow this one (net_kernel:allow/1)'],
    ['', UNEXPECTED],
    ['o', UNEXPECTED],
    ['okk', UNEXPECTED],
    ['true', UNEXPECTED],
    ['named:', UNEXPECTED],
  ])('%p fails the handshake of the node that connects', (status, why) => {
    const a = Side.opening().take(encodeStatus(status))
    expect([a.why, a.sent.length, a.peer]).toEqual([why, 1, null])
  })

  test.each([
    ['nok', 'nok', 'this node is already connecting to it'],
    ['not_allowed', refused('a reason'), 'a reason'],
  ] as const)('%s is sent to a node that is refused', (status, says, why) => {
    const b = Side.accepting({ says }).take(NAME)
    expect([b.why, hexOf(b.sent)]).toEqual([why, hexOf([encodeStatus(status)])])
  })

  test('alive is answered with true by the node that connects, before the challenge', () => {
    const a = Side.opening().take(encodeStatus('alive'))
    expect(hexOf(a.sent).slice(1)).toEqual(hexOf([encodeStatus('true')]))
    expect(a.take(CHALLENGE).take(ACK).peer?.name).toBe(NODE_B)
  })

  test('alive is sent alone, and true is answered with the challenge', () => {
    const b = Side.accepting({ says: 'alive' }).take(NAME)
    expect(hexOf(b.sent)).toEqual(hexOf([encodeStatus('alive')]))
    b.take(encodeStatus('true'))
    expect(hexOf(b.sent).slice(1)).toEqual(hexOf([CHALLENGE]))
    expect(b.take(REPLY).peer?.name).toBe(NODE_A)
  })

  test.each([
    ['false', encodeStatus('false'), 'the node is already connected'],
    ['another status', encodeStatus('tru'), UNEXPECTED],
    ['an empty status', encodeStatus(''), UNEXPECTED],
    ['another message', REPLY, UNEXPECTED],
  ])('alive answered with %s fails the handshake', (_, answer, why) => {
    const b = Side.accepting({ says: 'alive' }).take(NAME).take(answer)
    expect([b.why, b.sent.length]).toEqual([why, 1])
  })
})

/** Each message with a side that expects it. */
const STEPS: [what: string, expecting: () => Side, message: Uint8Array][] = [
  ['a name', () => Side.accepting(), NAME],
  ['a status', () => Side.opening(), STATUS],
  ['a challenge', () => Side.opening().take(STATUS), CHALLENGE],
  ['a reply', () => Side.accepting().take(NAME), REPLY],
  ['an acknowledgement', () => Side.opening().take(STATUS).take(CHALLENGE), ACK],
]

describe('a side that expects', () => {
  test.each(STEPS)('%s accepts it, and rejects it when truncated', (_, expecting, message) => {
    expect(expecting().take(message).why).toBeNull()
    for (let length = 0; length < message.length; length++) {
      const side = expecting()
      const { length: sent } = side.sent
      side.take(message.slice(0, length))
      expect([side.why, side.sent.length, side.peer]).toEqual([UNEXPECTED, sent, null])
    }
  })

  test.each(STEPS)('%s rejects it with another first byte', (_, expecting, message) => {
    for (let first = 0; first < 256; first++) {
      if (first === message[0]) continue
      const side = expecting().take(bytesOf(first, message.slice(1)))
      // Older nodes begin with `n` instead of `N`.
      const isOld = first === 'n'.charCodeAt(0) && message[0] === 'N'.charCodeAt(0)
      expect([side.why, side.peer]).toEqual([isOld ? TOO_OLD : UNEXPECTED, null])
    }
  })

  test.each(STEPS.filter(([, , message]) => message[0] !== NAME[0]))(
    '%s rejects it with further bytes',
    (_, expecting, message) => {
      expect(expecting().take(bytesOf(message, 0)).why).toBe(UNEXPECTED)
    },
  )

  test.each(STEPS)('%s rejects the message of any other step', (what, expecting) => {
    for (const [other, , message] of STEPS) {
      if (other === what) continue
      const side = expecting().take(message)
      expect([side.why === null, side.peer]).toEqual([false, null])
    }
  })
})

describe('a node', () => {
  test.each([0x4n, 0x100n, 0x10000n, 0x800n, 0x40000n, 0x1000000n])(
    'without flag %p is too old, on either side',
    (flag) => {
      const flags = OWN_FLAGS & ~flag
      const b = Side.accepting().take(encodeName({ ...IDENTITY_OF_A, flags }))
      expect([b.why, b.sent, b.judged]).toEqual([TOO_OLD, [], []])
      const a = Side.opening().take(STATUS)
      a.take(encodeChallenge({ ...IDENTITY_OF_B, flags, challenge: CHALLENGE_OF_B }))
      expect([a.why, a.sent.length]).toEqual([TOO_OLD, 1])
    },
  )

  test('with another name than expected gets no digest', () => {
    const a = Side.opening({ to: 'c@localhost' }).take(STATUS).take(CHALLENGE)
    expect([a.why, a.sent.length]).toEqual(['the node has another name', 1])
    expect(a.handshake.hasReplied).toBe(false)
  })

  test.each([
    [''],
    ['a'],
    ['a@b@c'],
    ['a@local\nhost'],
    ['\u001b[31m@localhost'],
    ['é@localhost'],
    [`${'a'.repeat(250)}@localhost`],
  ])('with the invalid name %p is rejected before it is judged', (name) => {
    const b = Side.accepting().take(encodeName({ ...IDENTITY_OF_A, name }))
    expect([b.why, b.sent, b.judged]).toEqual([UNEXPECTED, [], []])
  })
})
