// Goal: the port mapper is asked as OTP documents it, and whatever it answers, in whatever parts, or
// not at all, comes to a port or a reason in bounded time. Method: bytes by the documented layout, and a
// small real server that answers as each test says.

import { describe, expect, test } from 'bun:test'
import { erlangLimits } from '../core/limits.ts'
import { until } from '../core/time.fixture.ts'
import { FakeMapper, type MapperSocket } from './epmd.fixture.ts'
import { decodePort, encodeAlive, findPort, register, whyNotRegistered } from './epmd.ts'
import { nodeName } from './node.fixture.ts'
import { bytesOf, uint16 } from './packet.fixture.ts'
import { CaughtTimers } from './timers.fixture.ts'

const { answerMsMax } = erlangLimits

const CANNOT = 'the port mapper (epmd) of its host cannot be asked:'
const NO_ANSWER = `${CANNOT} its answer is none`
const CUT_OFF = `${CANNOT} its answer is cut off`
const NO_NODE = 'no node of that name is registered on its host'
const TAKEN = 'a node of that name is registered already'

const NODE = nodeName('other@127.0.0.1')

/** PORT2_RESP of a node at port 4711, whole. */
const AT_4711 = bytesOf(119, 0, uint16(4711), 77, 0, uint16(6), uint16(5), uint16(5), 'other', 0, 0)
/** ALIVE2_X_RESP and the older ALIVE2_RESP. */
const REGISTERED = bytesOf(118, 0, 0, 0, 0, 7)
const REGISTERED_OLD = bytesOf(121, 0, 0, 7)

/** A port mapper that does this with each request. */
function mapperThat(answers: (socket: MapperSocket) => void): FakeMapper {
  const mapper = new FakeMapper()
  mapper.onRequest = answers
  return mapper
}

/** One that writes the parts, each in a turn of its own, and then hangs up or not. */
function mapperOf(parts: readonly Uint8Array[], ends = true): FakeMapper {
  return mapperThat(async (socket) => {
    for (const part of parts) {
      socket.write(part)
      socket.flush()
      await new Promise(setImmediate)
    }
    if (ends) socket.end()
  })
}

function bytewise(bytes: Uint8Array): Uint8Array[] {
  return Array.from(bytes, (byte) => Uint8Array.of(byte))
}

/** The port of a listener that is gone. */
function closedPort(): number {
  const listener = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data: () => undefined } })
  listener.stop(true)
  return listener.port
}

describe('a registration', () => {
  test('is asked for as documented', () => {
    const request = bytesOf(
      ...[120, uint16(0x1234), 72, 0, uint16(6), uint16(5), uint16(5), 'comet', uint16(0)],
    )
    expect(bytesOf(encodeAlive('comet', 0x1234))).toEqual(bytesOf(uint16(18), request))
  })

  test('is good for as long as its connection is open', async () => {
    using mapper = new FakeMapper()
    const result = await register('comet', 4711, mapper.port)
    if ('why' in result) throw new Error(result.why)
    const hidden = { port: 4711, type: 72, protocol: 0, highest: 6, lowest: 5 }
    expect([...mapper.nodes]).toEqual([['comet', hidden]])
    result.socket.end()
    await until('it is known', () => mapper.nodes.size === 0)
  })

  test.each([
    ['at once', [REGISTERED]],
    ['byte by byte', bytewise(REGISTERED)],
    ['by an old one', [REGISTERED_OLD]],
    ['by an old one byte by byte', bytewise(REGISTERED_OLD)],
  ])('that is granted %s is taken', async (_, parts) => {
    using mapper = mapperOf(parts, false)
    const result = await register('comet', 4711, mapper.port)
    expect(result).toContainKey('socket')
    if ('socket' in result) result.socket.end()
  })

  test.each([
    ['is refused', [Uint8Array.of(118, 1, 0, 0, 0, 7)], TAKEN],
    ['is refused by an old one', [Uint8Array.of(121, 1, 0, 7)], TAKEN],
    ['is refused byte by byte', bytewise(Uint8Array.of(118, 1, 0, 0, 0, 7)), TAKEN],
    ['is refused and cut off', [Uint8Array.of(118, 1)], TAKEN],
    ['is not answered', [], NO_ANSWER],
    ['is answered with rubbish', [bytesOf('HTTP/1.1 400 Bad Request')], NO_ANSWER],
    ['is answered with what is not asked for', [AT_4711], NO_ANSWER],
    ['is granted and cut off', [REGISTERED.slice(0, 2)], CUT_OFF],
    ['has its answer cut off', [REGISTERED.slice(0, 1)], CUT_OFF],
  ])('that %s comes to a reason, and its connection is closed', async (_, parts, why) => {
    using _timers = new CaughtTimers((delayMs) => delayMs === answerMsMax)
    using mapper = mapperOf(parts)
    expect(await register('comet', 4711, mapper.port)).toEqual({ why })
    await until('it is closed', () => mapper.sockets.size === 0)
  })

  test('that nobody takes comes to a reason', async () => {
    const why = `${CANNOT} nobody listens there`
    expect(await register('comet', 4711, closedPort())).toEqual({ why })
  })

  test('of a name that another node has is refused', async () => {
    using mapper = new FakeMapper()
    const first = await register('comet', 4711, mapper.port)
    expect(await register('comet', 4712, mapper.port)).toEqual({ why: TAKEN })
    expect([...mapper.nodes.values()].map(({ port }) => port)).toEqual([4711])
    if ('socket' in first) first.socket.end()
  })
})

describe('the port of a node', () => {
  test('is asked for as documented', async () => {
    using mapper = mapperOf([AT_4711])
    await findPort(NODE, mapper.port)
    expect(mapper.requests).toEqual([bytesOf(122, 'other')])
  })

  test('is found when the node is registered, and not otherwise', async () => {
    using mapper = new FakeMapper()
    const result = await register('other', 4711, mapper.port)
    expect(await findPort(NODE, mapper.port)).toEqual({ port: 4711 })
    expect(await findPort(nodeName('another@127.0.0.1'), mapper.port)).toEqual({ why: NO_NODE })
    if ('socket' in result) result.socket.end()
  })

  test.each([
    ['at once', [AT_4711]],
    ['byte by byte', bytewise(AT_4711)],
    ['and cut off behind the port', [AT_4711.slice(0, 4)]],
  ])('that is told %s is taken', async (_, parts) => {
    using mapper = mapperOf(parts)
    expect(await findPort(NODE, mapper.port)).toEqual({ port: 4711 })
    await until('it is closed', () => mapper.sockets.size === 0)
  })

  test.each([
    ['is not known', [Uint8Array.of(119, 1)], NO_NODE],
    ['is not known byte by byte', bytewise(Uint8Array.of(119, 1)), NO_NODE],
    ['is not told', [], NO_ANSWER],
    ['is told with rubbish', [bytesOf('rubbish')], NO_ANSWER],
    ['is told as a registration', [REGISTERED], NO_ANSWER],
    ['is cut off before the result', [AT_4711.slice(0, 1)], CUT_OFF],
    ['is cut off before the port', [AT_4711.slice(0, 2)], CUT_OFF],
    ['is cut off within the port', [AT_4711.slice(0, 3)], CUT_OFF],
  ])('that %s comes to a reason, and its connection is closed', async (_, parts, why) => {
    using _timers = new CaughtTimers((delayMs) => delayMs === answerMsMax)
    using mapper = mapperOf(parts)
    expect(await findPort(NODE, mapper.port)).toEqual({ why })
    await until('it is closed', () => mapper.sockets.size === 0)
  })

  test('that nobody tells comes to a reason', async () => {
    const why = `${CANNOT} nobody listens there`
    expect(await findPort(NODE, closedPort())).toEqual({ why })
    // No name server need be asked about a name that is too long.
    const host = 'x'.repeat(64)
    const nowhere = await findPort(nodeName(`other@${host}`), closedPort())
    expect(nowhere).toEqual({ why: `${CANNOT} the host ${host} has no address` })
  })
})

describe('silence', () => {
  test.each([
    ['the port of a node', (port: number) => findPort(NODE, port)],
    ['a registration', (port: number) => register('comet', 4711, port)],
  ])('about %s is taken for no answer when its time is over', async (_, ask) => {
    using mapper = mapperThat(() => undefined)
    using timers = new CaughtTimers((delayMs) => delayMs === answerMsMax)
    const asked = ask(mapper.port)
    await until('it is asked', () => mapper.requests.length === 1)
    expect(timers.waiting).toBe(1)
    timers.fire()
    expect(await asked).toMatchObject({ why: NO_ANSWER })
    await until('it is closed', () => mapper.sockets.size === 0)
  })

  test('is not waited for behind an answer', async () => {
    using mapper = mapperOf([AT_4711], false)
    using timers = new CaughtTimers((delayMs) => delayMs === answerMsMax)
    expect(await findPort(NODE, mapper.port)).toEqual({ port: 4711 })
    expect([timers.delays.length > 0, timers.waiting]).toEqual([true, 0])
  })
})

describe('an answer', () => {
  test('of any bytes comes to a port or a reason', () => {
    for (let kind = 0; kind < 256; kind++) {
      for (const length of [0, 1, 2, 3, 4, 5]) {
        const bytes = Uint8Array.of(kind, 0, 0, 9, 0).slice(0, length)
        const found = decodePort(bytes)
        expect('port' in found).toBe(kind === 119 && length >= 4)
        const isGranted = (kind === 118 || kind === 121) && length >= 4
        expect(whyNotRegistered(bytes) === null).toBe(isGranted)
      }
    }
  })
})
