// Goal: a handshake succeeds or fails in the same way whatever parts its bytes arrive in, in
// bounded time, and what follows it is passed on. Method: the recorded handshake in any two parts
// and byte by byte, on a real socket, and handshakes that are aborted, silent or invalid.

import { describe, expect, test } from 'bun:test'
import { erlangLimits } from '../core/limits.ts'
import { success } from '../core/result.ts'
import { until } from '../core/time.fixture.ts'
import {
  CHALLENGE_OF_A,
  CHALLENGE_OF_B,
  IDENTITY_OF_A,
  IDENTITY_OF_B,
} from './handshake.fixture.ts'
import { Handshake, HandshakeSocket } from './handshake.ts'
import { encodeChallenge, encodeName, encodeStatus } from './handshake-messages.ts'
import { framed, fromHex, handshakeFramed, message, TICK, toName } from './packet.fixture.ts'
import { COOKIE, HANDSHAKE, NODE_A, NODE_B } from './recorded.fixture.ts'
import { SocketPair } from './socket.fixture.ts'
import { bytesOf, uint16 } from './terms.fixture.ts'
import { CaughtTimers } from './timers.fixture.ts'

const { handshakeMsMax, handshakeBytesMax } = erlangLimits

const NOT_A_HANDSHAKE = 'the data is not a distribution handshake'

const CHALLENGE = encodeChallenge({ ...IDENTITY_OF_B, challenge: CHALLENGE_OF_B })
const [REPLY, ACK] = [fromHex(HANDSHAKE.challengeReply), fromHex(HANDSHAKE.challengeAck)]

/** What the node sends that connects, and what the other sends. */
const OF_A = handshakeFramed(encodeName(IDENTITY_OF_A), REPLY)
const OF_B = handshakeFramed(encodeStatus('ok'), CHALLENGE, ACK)

/** What follows the handshake. */
const REST = bytesOf(TICK, framed(toName(message(123))), TICK)

type Role = 'accepts' | 'opens'

/** A handshake on the near end of a pair. */
class TestHandshake {
  readonly socket: HandshakeSocket
  readonly done: string[] = []
  readonly failed: string[] = []
  /** What follows the handshake, passed on or received afterwards. */
  readonly rest: Uint8Array[] = []
  readonly #pair: SocketPair

  constructor(pair: SocketPair, role: Role) {
    this.#pair = pair
    this.socket = new HandshakeSocket({
      socket: pair.near,
      begin: (send) => begun(role, send),
      onDone: ({ name }, rest) => {
        this.done.push(name)
        this.rest.push(rest)
        const { data } = pair.near
        data.owner = { ...data.owner, data: (bytes) => this.rest.push(bytes) }
      },
      onFailed: (why) => this.failed.push(why),
    })
  }

  receive(...parts: readonly Uint8Array[]): this {
    for (const part of parts) this.#pair.near.data.owner.data(part)
    return this
  }
}

function begun(role: Role, send: (message: Uint8Array) => void): Handshake {
  const both = { cookie: COOKIE, send }
  return role === 'opens'
    ? Handshake.open({ ...IDENTITY_OF_A, ...both, challenge: CHALLENGE_OF_A }, NODE_B)
    : Handshake.accept({ ...IDENTITY_OF_B, ...both, challenge: CHALLENGE_OF_B }, () =>
        success('ok'),
      )
}

describe.each([
  ['accepts', NODE_A, OF_A, OF_B],
  ['opens', NODE_B, OF_B, OF_A],
] as const)('a handshake that comet %s', (role, peer, received, sent) => {
  const stream = bytesOf(received, REST)

  test('succeeds in any two parts, and passes on what follows', async () => {
    using pair = await SocketPair.open()
    for (let place = 0; place <= stream.length; place++) {
      const parts = [stream.slice(0, place), stream.slice(place)]
      const { done, failed, rest } = new TestHandshake(pair, role).receive(...parts)
      expect([place, done, failed]).toEqual([place, [peer], []])
      expect(bytesOf(...rest)).toEqual(REST)
    }
    const length = (stream.length + 1) * sent.length
    await until('all messages arrive', () => pair.received.length === length)
    expect(pair.receivedBytes().slice(0, sent.length)).toEqual(sent)
  })

  test('succeeds byte by byte', async () => {
    using pair = await SocketPair.open()
    const { done, failed, rest } = new TestHandshake(pair, role).receive(
      ...Array.from(stream, (byte) => Uint8Array.of(byte)),
    )
    expect([done, failed, bytesOf(...rest)]).toEqual([[peer], [], REST])
    await until('all messages arrive', () => pair.received.length === sent.length)
    expect(pair.receivedBytes()).toEqual(sent)
  })

  test('succeeds over a real socket', async () => {
    using pair = await SocketPair.open()
    const { done, failed, rest } = new TestHandshake(pair, role)
    for (const half of [stream.slice(0, 40), stream.slice(40)]) {
      pair.far.write(half)
      await new Promise(setImmediate)
    }
    await until('all bytes arrive', () => bytesOf(...rest).length === REST.length)
    expect([done, failed, bytesOf(...rest)]).toEqual([[peer], [], REST])
  })

  test('fails with a message that is empty or too long', async () => {
    for (const length of [0, handshakeBytesMax - 1, 65_535]) {
      using pair = await SocketPair.open()
      const { done, failed } = new TestHandshake(pair, role).receive(uint16(length))
      expect([length, done, failed]).toEqual([length, [], [NOT_A_HANDSHAKE]])
      await until('it is closed', () => pair.isClosed)
    }
    using pair = await SocketPair.open()
    const { failed } = new TestHandshake(pair, role).receive(uint16(handshakeBytesMax - 2))
    expect(failed).toEqual([])
  })

  test('has a time limit, which ends with it', async () => {
    using timers = new CaughtTimers((delayMs) => delayMs === handshakeMsMax)
    using pair = await SocketPair.open()
    const late = new TestHandshake(pair, role).receive(stream.slice(0, 20))
    expect(timers.waiting).toBe(1)
    timers.fire()
    expect(late.failed).toEqual(['handshake timeout'])
    await until('it is closed', () => pair.isClosed)
    using another = await SocketPair.open()
    const { done } = new TestHandshake(another, role).receive(stream)
    expect([done, timers.waiting]).toEqual([[peer], 0])
  })

  test('fails when the node closes the connection', async () => {
    using pair = await SocketPair.open()
    const { failed } = new TestHandshake(pair, role).receive(stream.slice(0, 4))
    pair.far.end()
    await until('it fails', () => failed.length > 0)
    expect(failed).toEqual(['the node closed the connection'])
  })

  test('can be aborted once, and not after it succeeded', async () => {
    using pair = await SocketPair.open()
    const aborted = new TestHandshake(pair, role)
    for (const why of ['first', 'second']) aborted.socket.fail(why)
    expect([aborted.failed, aborted.receive(stream).done]).toEqual([['first'], []])
    await until('it is closed', () => pair.isClosed)
    using another = await SocketPair.open()
    const { socket, done, failed } = new TestHandshake(another, role).receive(stream)
    socket.fail('late')
    expect([done, failed]).toEqual([[peer], []])
  })
})

test('a node that closes the connection after the reply may have another cookie', async () => {
  using pair = await SocketPair.open()
  const messages = handshakeFramed(encodeStatus('ok'), CHALLENGE)
  const { failed } = new TestHandshake(pair, 'opens').receive(messages)
  pair.far.end()
  await until('it fails', () => failed.length > 0)
  expect(failed).toEqual(['the node closed the connection, as for a wrong cookie'])
})

test.each([
  ['a browser', bytesOf('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'), NOT_A_HANDSHAKE],
  ['a TLS client', Uint8Array.of(22, 3, 1, 2, 0, 1), NOT_A_HANDSHAKE],
  ['an invalid message', handshakeFramed(bytesOf('x')), 'unexpected handshake message'],
  [
    'an old node',
    handshakeFramed(bytesOf('n', 0, 5, 0, 0, 0, 0, NODE_A)),
    'the node is older than Erlang/OTP 23',
  ],
])('%s is refused, whatever follows', async (_, bytes, why) => {
  using pair = await SocketPair.open()
  const { done, failed } = new TestHandshake(pair, 'accepts').receive(bytes, OF_A, OF_A)
  expect([done, failed]).toEqual([[], [why]])
  await until('it is closed', () => pair.isClosed)
  expect(pair.received.length).toBe(0)
})
