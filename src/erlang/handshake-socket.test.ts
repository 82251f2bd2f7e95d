// Goal: a handshake succeeds or fails in the same way however its bytes come, in bounded time, and hands
// over what comes behind it. Method: the recorded handshake in every two parts and byte by byte, on a real
// socket, and such as break off, hang or are none.

import { describe, expect, test } from 'bun:test'
import { erlangLimits } from '../core/limits.ts'
import { until } from '../core/time.fixture.ts'
import {
  CHALLENGE_OF_A,
  CHALLENGE_OF_B,
  GREETING_OF_A,
  GREETING_OF_B,
} from './handshake.fixture.ts'
import { Handshake } from './handshake.ts'
import { encodeChallenge, encodeName, encodeStatus, type Greeting } from './handshake-messages.ts'
import { Introduction } from './handshake-socket.ts'
import {
  bytesOf,
  framed,
  fromHex,
  greeted,
  message,
  TICK,
  toName,
  uint16,
} from './packet.fixture.ts'
import { COOKIE, HANDSHAKE, NODE_A, NODE_B } from './recorded.fixture.ts'
import { SocketPair } from './socket.fixture.ts'
import { CaughtTimers } from './timers.fixture.ts'

const { handshakeMsMax, handshakeBytesMax } = erlangLimits

const NO_NODE = 'it does not speak as a node does'

const NAME = encodeName(GREETING_OF_A)
const CHALLENGE = encodeChallenge({ ...GREETING_OF_B, challenge: CHALLENGE_OF_B })
const [REPLY, ACK] = [fromHex(HANDSHAKE.challengeReply), fromHex(HANDSHAKE.challengeAck)]

/** What a node sends that connects, and what one sends that is connected to. */
const OF_A = greeted(NAME, REPLY)
const OF_B = greeted(encodeStatus('ok'), CHALLENGE, ACK)

/** What comes behind it. */
const BEHIND = bytesOf(TICK, framed(toName(message(123))), TICK)

type Role = 'accepts' | 'opens'

/** An introduction on the near end of a pair, and what it has told. */
class Introduced {
  readonly introduction: Introduction
  readonly done: string[] = []
  readonly failed: string[] = []
  /** What has come behind the handshake. */
  readonly behind: Uint8Array[] = []
  readonly #pair: SocketPair

  constructor(pair: SocketPair, role: Role) {
    this.#pair = pair
    this.introduction = new Introduction({
      socket: pair.near,
      begin: (send, onDone) => begun(role, send, onDone),
      onDone: ({ name }, rest) => {
        this.done.push(name)
        this.behind.push(rest)
        const { data } = pair.near
        data.owner = { ...data.owner, data: (bytes) => this.behind.push(bytes) }
      },
      onFailed: (why) => this.failed.push(why),
    })
  }

  /** Bytes come, in these parts. */
  take(...parts: readonly Uint8Array[]): this {
    for (const part of parts) this.#pair.near.data.owner.data(part)
    return this
  }
}

function begun(role: Role, send: (message: Uint8Array) => void, onDone: (peer: Greeting) => void) {
  const both = { cookie: COOKIE, send, onDone }
  return role === 'opens'
    ? Handshake.open({ ...GREETING_OF_A, ...both, challenge: CHALLENGE_OF_A }, NODE_B)
    : Handshake.accept({ ...GREETING_OF_B, ...both, challenge: CHALLENGE_OF_B }, () => 'ok')
}

describe.each([
  ['accepts', NODE_A, OF_A, OF_B],
  ['opens', NODE_B, OF_B, OF_A],
] as const)('a handshake that comet %s', (role, peer, sent, answered) => {
  const stream = bytesOf(sent, BEHIND)

  test('is done in whatever two parts it comes, and what is behind it is handed over', async () => {
    using pair = await SocketPair.open()
    for (let cut = 0; cut <= stream.length; cut++) {
      const parts = [stream.slice(0, cut), stream.slice(cut)]
      const { done, failed, behind } = new Introduced(pair, role).take(...parts)
      expect([cut, done, failed]).toEqual([cut, [peer], []])
      expect(bytesOf(...behind)).toEqual(BEHIND)
    }
    await until('all answers have come', () => {
      return pair.got.length === (stream.length + 1) * answered.length
    })
    expect(pair.gotBytes().slice(0, answered.length)).toEqual(answered)
  })

  test('is done byte by byte, and each answer goes out when it is due', async () => {
    using pair = await SocketPair.open()
    const introduced = new Introduced(pair, role)
    for (const byte of stream) introduced.take(Uint8Array.of(byte))
    const { done, failed, behind } = introduced
    expect([done, failed, bytesOf(...behind)]).toEqual([[peer], [], BEHIND])
    await until('all answers have come', () => pair.got.length === answered.length)
    expect(pair.gotBytes()).toEqual(answered)
  })

  test('is done over a real socket', async () => {
    using pair = await SocketPair.open()
    const { done, failed, behind } = new Introduced(pair, role)
    for (const half of [stream.slice(0, 40), stream.slice(40)]) {
      pair.far.write(half)
      await new Promise(setImmediate)
    }
    await until('all has come', () => bytesOf(...behind).length === BEHIND.length)
    expect([done, failed, bytesOf(...behind)]).toEqual([[peer], [], BEHIND])
  })

  test('ends by a message that is too long or has no length, as soon as that is known', async () => {
    const lengths = [0, handshakeBytesMax - 1, 65_535]
    for (const length of lengths) {
      using pair = await SocketPair.open()
      const { done, failed } = new Introduced(pair, role).take(uint16(length))
      expect([length, done, failed]).toEqual([length, [], [NO_NODE]])
      await until('it is closed', () => pair.isClosed)
    }
    using pair = await SocketPair.open()
    const { failed } = new Introduced(pair, role).take(uint16(handshakeBytesMax - 2))
    expect(failed).toEqual([])
  })

  test('ends when its time is over, and leaves no timer when it was done before', async () => {
    using timers = new CaughtTimers((delayMs) => delayMs === handshakeMsMax)
    using pair = await SocketPair.open()
    const late = new Introduced(pair, role).take(stream.slice(0, 20))
    expect(timers.waiting).toBe(1)
    timers.fire()
    expect(late.failed).toEqual(['it does not finish the handshake'])
    await until('it is closed', () => pair.isClosed)
    using another = await SocketPair.open()
    const { done } = new Introduced(another, role).take(stream)
    expect([done, timers.waiting]).toEqual([[peer], 0])
  })

  test('ends when the other side hangs up', async () => {
    using pair = await SocketPair.open()
    const { failed } = new Introduced(pair, role).take(stream.slice(0, 4))
    pair.far.end()
    await until('it is known', () => failed.length > 0)
    expect(failed).toEqual(['it has closed the connection'])
  })

  test('is given up once, and not any more when it is done', async () => {
    using pair = await SocketPair.open()
    const given = new Introduced(pair, role)
    for (const why of ['first', 'second']) given.introduction.fail(why)
    expect([given.failed, given.take(stream).done]).toEqual([['first'], []])
    await until('it is closed', () => pair.isClosed)
    using another = await SocketPair.open()
    const { introduction, done, failed } = new Introduced(another, role).take(stream)
    introduction.fail('late')
    expect([done, failed]).toEqual([[peer], []])
  })
})

test('who is answered and hangs up may have another cookie', async () => {
  using pair = await SocketPair.open()
  const { failed } = new Introduced(pair, 'opens').take(greeted(encodeStatus('ok'), CHALLENGE))
  pair.far.end()
  await until('it is known', () => failed.length > 0)
  expect(failed).toEqual(['it has closed the connection, as for a wrong cookie'])
})

test.each([
  ['a browser', bytesOf('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'), NO_NODE],
  ['a TLS client', Uint8Array.of(22, 3, 1, 2, 0, 1), NO_NODE],
  [
    'one with a bad message',
    greeted(bytesOf('x')),
    'it sent something else than the handshake has',
  ],
  [
    'an old node',
    greeted(bytesOf('n', 0, 5, 0, 0, 0, 0, NODE_A)),
    'it is older than Erlang/OTP 23',
  ],
])('%s is turned away, whatever it sends behind', async (_, bytes, why) => {
  using pair = await SocketPair.open()
  const { done, failed } = new Introduced(pair, 'accepts').take(bytes, OF_A, OF_A)
  expect([done, failed]).toEqual([[], [why]])
  await until('it is closed', () => pair.isClosed)
  expect(pair.got.length).toBe(0)
})
