// Goal: epmd is queried as OTP documents it, and any response yields a port, a registration or a
// reason in bounded time; comet stays registered until it stops, also when epmd is restarted.
// Method: bytes by the documented layout, and a small epmd that responds, refuses, delays, stops
// and restarts as each test says; the test ends the waits between attempts.

import { describe, expect, test } from 'bun:test'
import { erlangLimits } from '../core/limits.ts'
import { FakeClock, until } from '../core/time.fixture.ts'
import { settled } from './channel.fixture.ts'
import { type EpmdSocket, FakeEpmd, nodeAt } from './epmd.fixture.ts'
import {
  decodePort,
  decodeRegistration,
  encodeAlive,
  findPort,
  Registration,
  register,
} from './epmd.ts'
import { nodeName, RememberingLog } from './node.fixture.ts'
import { bytesOf, uint16 } from './terms.fixture.ts'
import { CaughtTimers, caughtRetries, RETRY_DELAYS } from './timers.fixture.ts'

const { answerMsMax, retry } = erlangLimits

const INVALID = 'epmd is not available: invalid response'
const TRUNCATED = 'epmd is not available: truncated response'
const REFUSED = 'epmd is not available: connection refused'
const NOT_REGISTERED = 'the node is not registered at epmd'
const TAKEN = 'the name is already registered at epmd'

const NODE = nodeName('other@127.0.0.1')

/** A complete PORT2_RESP for a node at port 4711. */
const AT_4711 = bytesOf(119, 0, uint16(4711), 77, 0, uint16(6), uint16(5), uint16(5), 'other', 0, 0)
/** ALIVE2_X_RESP and the older ALIVE2_RESP. */
const REGISTERED = bytesOf(118, 0, 0, 0, 0, 7)
const REGISTERED_OLD = bytesOf(121, 0, 0, 7)

/** An epmd that sends these parts, each in a task of its own, and then closes the connection
 * or not. */
function epmdThatSends(parts: readonly Uint8Array[], closes = true): FakeEpmd {
  const epmd = new FakeEpmd()
  epmd.onRequest = async (socket: EpmdSocket) => {
    for (const part of parts) {
      socket.write(part)
      socket.flush()
      await new Promise(setImmediate)
    }
    if (closes) socket.end()
  }
  return epmd
}

function bytewise(bytes: Uint8Array): Uint8Array[] {
  return Array.from(bytes, (byte) => Uint8Array.of(byte))
}

function freePort(): number {
  using epmd = new FakeEpmd()
  return epmd.port
}

describe('registering', () => {
  test('sends the documented request', () => {
    const request = bytesOf(
      ...[120, uint16(0x1234), 72, 0, uint16(6), uint16(5), uint16(5), 'comet', uint16(0)],
    )
    expect(bytesOf(encodeAlive('comet', 0x1234))).toEqual(bytesOf(uint16(18), request))
  })

  test('lasts while the connection is open, and gives a name to one node', async () => {
    using epmd = new FakeEpmd()
    const registered = await register('comet', 4711, epmd.port)
    if (!registered.ok) throw new Error(registered.why)
    const hidden = { port: 4711, type: 72, protocol: 0, highest: 6, lowest: 5 }
    expect([...epmd.nodes]).toEqual([['comet', hidden]])
    expect(await register('comet', 4712, epmd.port)).toEqual({ ok: false, why: TAKEN })
    expect([...epmd.nodes.values()]).toEqual([hidden])
    registered.value.end()
    await until('it ends', () => epmd.nodes.size === 0)
  })

  test.each([
    ['at once', [REGISTERED]],
    ['byte by byte', bytewise(REGISTERED)],
    ['in the old format', [REGISTERED_OLD]],
    ['in the old format byte by byte', bytewise(REGISTERED_OLD)],
  ])('succeeds with a response %s', async (_, parts) => {
    using epmd = epmdThatSends(parts, false)
    const registered = await register('comet', 4711, epmd.port)
    expect(registered.ok).toBe(true)
    if (registered.ok) registered.value.end()
  })

  test.each([
    ['a refusal', [Uint8Array.of(118, 1, 0, 0, 0, 7)], TAKEN],
    ['an old refusal', [Uint8Array.of(121, 1, 0, 7)], TAKEN],
    ['a refusal byte by byte', bytewise(Uint8Array.of(118, 1, 0, 0, 0, 7)), TAKEN],
    ['a truncated refusal', [Uint8Array.of(118, 1)], TAKEN],
    ['no response', [], INVALID],
    ['an HTTP response', [bytesOf('HTTP/1.1 400 Bad Request')], INVALID],
    ['the response to another request', [AT_4711], INVALID],
    ['a truncated confirmation', [REGISTERED.slice(0, 2)], TRUNCATED],
    ['one byte', [REGISTERED.slice(0, 1)], TRUNCATED],
  ])('fails with %s, and closes its connection', async (_, parts, why) => {
    using _timers = new CaughtTimers((delayMs) => delayMs === answerMsMax)
    using epmd = epmdThatSends(parts)
    expect(await register('comet', 4711, epmd.port)).toEqual({ ok: false, why })
    await until('it is closed', () => epmd.sockets.size === 0)
  })
})

describe('the port of a node', () => {
  test('is queried with the documented request', async () => {
    using epmd = epmdThatSends([AT_4711])
    await findPort(NODE, epmd.port)
    expect(epmd.requests).toEqual([bytesOf(122, 'other')])
  })

  test.each([
    ['at once', [AT_4711]],
    ['byte by byte', bytewise(AT_4711)],
    ['truncated after the port', [AT_4711.slice(0, 4)]],
  ])('is found in a response %s', async (_, parts) => {
    using epmd = epmdThatSends(parts)
    expect(await findPort(NODE, epmd.port)).toEqual({ ok: true, value: 4711 })
    await until('it is closed', () => epmd.sockets.size === 0)
  })

  test.each([
    ['an error', [Uint8Array.of(119, 1)], NOT_REGISTERED],
    ['an error byte by byte', bytewise(Uint8Array.of(119, 1)), NOT_REGISTERED],
    ['no response', [], INVALID],
    ['other bytes', [bytesOf('other')], INVALID],
    ['the response to another request', [REGISTERED], INVALID],
    ['a response without result', [AT_4711.slice(0, 1)], TRUNCATED],
    ['a response without port', [AT_4711.slice(0, 2)], TRUNCATED],
    ['a response with half of a port', [AT_4711.slice(0, 3)], TRUNCATED],
  ])('is not found in %s', async (_, parts, why) => {
    using _timers = new CaughtTimers((delayMs) => delayMs === answerMsMax)
    using epmd = epmdThatSends(parts)
    expect(await findPort(NODE, epmd.port)).toEqual({ ok: false, why })
    await until('it is closed', () => epmd.sockets.size === 0)
  })

  test('is not found without an epmd or a host', async () => {
    expect(await findPort(NODE, freePort())).toEqual({ ok: false, why: REFUSED })
    // The name is too long for a query to a name server.
    const host = 'x'.repeat(64)
    const why = `epmd is not available: the host ${host} has no address`
    expect(await findPort(nodeName(`other@${host}`), freePort())).toEqual({ ok: false, why })
  })
})

describe('the time for a response', () => {
  test.each([
    ['about the port of a node', (port: number) => findPort(NODE, port)],
    ['about a registration', (port: number) => register('comet', 4711, port)],
  ])('%s is limited', async (_, query) => {
    using epmd = epmdThatSends([], false)
    using timers = new CaughtTimers((delayMs) => delayMs === answerMsMax)
    const result = query(epmd.port)
    await until('the request arrives', () => epmd.requests.length === 1)
    expect(timers.waiting).toBe(1)
    timers.fire()
    expect<unknown>(await result).toEqual({ ok: false, why: INVALID })
    await until('it is closed', () => epmd.sockets.size === 0)
  })

  test('ends with the response', async () => {
    using epmd = epmdThatSends([AT_4711], false)
    using timers = new CaughtTimers((delayMs) => delayMs === answerMsMax)
    expect(await findPort(NODE, epmd.port)).toEqual({ ok: true, value: 4711 })
    expect([timers.delays.length > 0, timers.waiting]).toEqual([true, 0])
  })
})

test('responses of any bytes are decoded', () => {
  for (let type = 0; type < 256; type++) {
    for (const length of [0, 1, 2, 3, 4, 5]) {
      const bytes = Uint8Array.of(type, 0, 0, 9, 0).slice(0, length)
      expect(decodePort(bytes).ok).toBe(type === 119 && length >= 4)
      const isRegistered = (type === 118 || type === 121) && length >= 4
      expect(decodeRegistration(bytes).ok).toBe(isRegistered)
    }
  }
})

/** A registration with its epmd, its log and its waits. */
class TestRegistration implements Disposable {
  readonly timers = caughtRetries()
  readonly epmd = new FakeEpmd()
  readonly clock = new FakeClock()
  readonly log = new RememberingLog()
  readonly registration: Registration

  constructor() {
    const { clock, log, epmd } = this
    const epmdPort = epmd.port
    this.registration = new Registration({ alive: 'comet', port: 4711, epmdPort, clock, log })
  }

  async start(): Promise<void> {
    this.registration.start()
    await this.isRegistered()
  }

  async isRegistered(): Promise<void> {
    await until('it is registered', () => this.registration.isRegistered)
  }

  /** Stops epmd. */
  async lose(): Promise<void> {
    this.epmd.stop()
    await until('it is not registered', () => !this.registration.isRegistered)
  }

  /** Starts epmd again. */
  async regain(): Promise<void> {
    this.epmd.start()
    this.timers.fire()
    await this.isRegistered()
  }

  get isWaiting(): Promise<void> {
    return until('it waits for the next attempt', () => this.timers.waiting === 1)
  }

  [Symbol.dispose](): void {
    this.registration.stop()
    this.epmd.stop()
    this.timers[Symbol.dispose]()
  }
}

function unregistered(why: string): string {
  return `comet is not registered at epmd: ${why}; retrying.`
}

const CLOSED = unregistered('epmd closed the connection')

describe('a registration', () => {
  test('is logged, and ends when comet stops', async () => {
    using own = new TestRegistration()
    await own.start()
    expect([...own.epmd.nodes].map(([alive, { port }]) => [alive, port])).toEqual([['comet', 4711]])
    own.registration.stop()
    await until('it ends', () => own.epmd.nodes.size === 0 && own.epmd.sockets.size === 0)
    const line: [string, string] = ['erlang_registered', 'Registered comet at epmd with port 4711.']
    expect([own.timers.waiting, own.log.lines]).toEqual([0, [line]])
  })

  test('is renewed when epmd was restarted', async () => {
    using own = new TestRegistration()
    await own.start()
    for (let restart = 0; restart < 2; restart++) {
      await own.lose()
      await own.regain()
      expect(own.epmd.nodes.size).toBe(1)
    }
    expect(own.log.of('erlang_unregistered')).toEqual([CLOSED, CLOSED])
    expect(own.log.of('erlang_registered').length).toBe(3)
  })

  test('is retried with growing delay, each new reason logged once', async () => {
    using own = new TestRegistration()
    await own.start()
    await own.lose()
    for (const attempts of RETRY_DELAYS.keys()) {
      await until('the attempt fails', () => own.timers.delays.length === attempts + 1)
      own.timers.fire()
    }
    await until('the attempt fails', () => own.timers.delays.length > RETRY_DELAYS.length)
    expect(own.timers.delays).toEqual([...RETRY_DELAYS, retry.maxMs])
    expect(own.log.of('erlang_unregistered')).toEqual([CLOSED, unregistered(REFUSED)])
  })

  test('that lasted long is retried with the first delay', async () => {
    using own = new TestRegistration()
    await own.start()
    for (const [lifetimeMs, times] of [
      [retry.forgetMs - 1, 1],
      [0, 2],
      [retry.forgetMs, 1],
    ] as const) {
      own.clock.advance(lifetimeMs)
      await own.lose()
      expect(own.timers.delays.at(-1)).toBe(times * retry.firstMs)
      await own.regain()
    }
  })

  test('of a name that is taken is retried until the name is free', async () => {
    using own = new TestRegistration()
    own.epmd.nodes.set('comet', nodeAt(1))
    own.registration.start()
    await own.isWaiting
    expect([own.registration.isRegistered, own.registration.isNameTaken]).toEqual([false, true])
    expect(own.log.of('erlang_unregistered')).toEqual([unregistered(TAKEN)])
    own.epmd.nodes.clear()
    own.timers.fire()
    await own.isRegistered()
    expect(own.registration.isNameTaken).toBe(false)
  })

  test('ends with an epmd that closes the connection after its response', async () => {
    using own = new TestRegistration()
    own.epmd.onRequest = (socket) => {
      socket.end(REGISTERED)
    }
    own.registration.start()
    await own.isWaiting
    expect(own.registration.isRegistered).toBe(false)
  })

  test('ignores further bytes of epmd', async () => {
    using own = new TestRegistration()
    await own.start()
    for (const socket of own.epmd.sockets) socket.write('more')
    await settled()
    expect([own.registration.isRegistered, own.timers.waiting]).toEqual([true, 0])
  })

  test('stops while it waits for the next attempt', async () => {
    using own = new TestRegistration()
    own.epmd.stop()
    own.registration.start()
    await own.isWaiting
    own.registration.stop()
    expect(own.timers.waiting).toBe(0)
  })

  test('stops while it waits for a response', async () => {
    using own = new TestRegistration()
    const sockets: EpmdSocket[] = []
    own.epmd.onRequest = (socket) => sockets.push(socket)
    own.registration.start()
    await until('the request arrives', () => sockets.length === 1)
    own.registration.stop()
    for (const socket of sockets) socket.write(REGISTERED)
    await until('it is closed', () => own.epmd.sockets.size === 0)
    expect([own.registration.isRegistered, own.timers.waiting, own.log.lines]).toEqual([
      ...[false, 0, []],
    ])
  })
})
