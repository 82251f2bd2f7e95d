// Goal: the node that comet was told of is connected, again whenever it is gone, less and less often while
// it is not to be had, and everybody can see why. Method: whole nodes over real sockets with a small port
// mapper between them; the waits between two tries are ended by the test.

import { describe, expect, test } from 'bun:test'
import { erlangLimits } from '../core/limits.ts'
import { FakeClock, until } from '../core/time.fixture.ts'
import { FakeMapper } from './epmd.fixture.ts'
import { Side } from './handshake.fixture.ts'
import { RemoteNode, TestNode } from './node.fixture.ts'
import { bytesOf, framed, greeted, message, toName } from './packet.fixture.ts'
import { CaughtTimers } from './timers.fixture.ts'

const { retryMs, retryMsMax, retryForgetMs } = erlangLimits

const [COMET, OTHER] = ['comet@localhost', 'other@localhost']

/** Waits between two tries, the doubled ones and the longest. */
const WAITS = [1, 2, 4, 8, 16, 32, 64].map((times) => Math.min(retryMs * times, retryMsMax))

function retries(): CaughtTimers {
  return new CaughtTimers((delayMs) => WAITS.includes(delayMs))
}

/** What `/stats` says of the peer, without its name. */
function peerOf({ node }: TestNode) {
  const { peer } = node.figures()
  return peer === null ? null : [peer.state, peer.why]
}

/** Registers a port under the peer's name, as its node would. */
function registers(mapper: FakeMapper, port: number): void {
  mapper.nodes.set('other', { port, type: 77, protocol: 0, highest: 6, lowest: 5 })
}

/** A port where something listens that is no node, or none that wants us. */
class Listening implements Disposable {
  opened = 0
  readonly #listener: Bun.TCPSocketListener<undefined>

  constructor(onData: (socket: Bun.Socket<undefined>, bytes: Uint8Array) => void) {
    this.#listener = Bun.listen({
      ...{ hostname: '127.0.0.1', port: 0 },
      socket: {
        open: () => {
          this.opened++
        },
        data: onData,
        error: () => undefined,
      },
    })
  }

  get port(): number {
    return this.#listener.port
  }

  [Symbol.dispose](): void {
    this.#listener.stop(true)
  }
}

/** The length of the first message if it is whole; 0 otherwise. */
function lengthOf(held: Uint8Array): number {
  const [high = 0, low = 0] = held
  const length = (high << 8) | low
  return held.length < 2 + length ? 0 : length
}

describe('the peer', () => {
  test('is connected, and both know of it', async () => {
    using mapper = new FakeMapper()
    using other = new TestNode(OTHER, mapper)
    await other.isRegistered()
    using comet = new TestNode(COMET, mapper, { peer: OTHER })
    expect([comet.node.isConnected, peerOf(comet)]).toEqual([false, ['connecting', null]])
    await until('it is connected', () => comet.node.isConnected)
    await until('the other knows', () => other.connected.length === 1)
    expect([peerOf(comet), comet.connected, other.connected]).toEqual([
      ...[['connected', null], [OTHER], [COMET]],
    ])
    expect([peerOf(other), other.node.isConnected]).toEqual([null, true])
  })

  test('that connects by itself is connected too, and not connected to', async () => {
    using timers = retries()
    using mapper = new FakeMapper()
    using comet = new TestNode(COMET, mapper, { peer: OTHER })
    await until('it is not there', () => timers.waiting === 1)
    using remote = await RemoteNode.connected(comet.port, { name: OTHER })
    await until('it is connected', () => comet.node.isConnected)
    expect([remote.peer?.name, peerOf(comet), timers.waiting]).toEqual([
      ...[COMET, ['connected', null], 0],
    ])
  })

  test('may send its first packet right behind the handshake', async () => {
    using mapper = new FakeMapper()
    let [packet, held]: [Uint8Array, Uint8Array] = [framed(toName(message(7))), new Uint8Array()]
    const side = Side.accepting({ name: OTHER })
    using listening = new Listening((socket, bytes) => {
      held = bytesOf(held, bytes)
      for (let length = lengthOf(held); length > 0; length = lengthOf(held)) {
        side.take(held.slice(2, 2 + length))
        held = held.slice(2 + length)
      }
      const isDone = side.done.length > 0
      socket.write(bytesOf(greeted(...side.unread.splice(0)), isDone ? packet : ''))
      if (isDone) packet = new Uint8Array()
    })
    registers(mapper, listening.port)
    using comet = new TestNode(COMET, mapper, { peer: OTHER })
    const seven = comet.connect(7)
    await until('it has come', () => seven.texts.length > 0)
    expect([seven.texts, comet.connected]).toEqual([['x'], [OTHER]])
  })

  test('that is another one than who connects is still waited for', async () => {
    using timers = retries()
    using mapper = new FakeMapper()
    using comet = new TestNode(COMET, mapper, { peer: OTHER })
    await until('it is not there', () => timers.waiting === 1)
    using remote = await RemoteNode.connected(comet.port)
    await until('somebody is connected', () => comet.connected.length === 1)
    expect([remote.peer?.name, comet.node.isConnected, timers.waiting]).toEqual([COMET, false, 1])
  })
})

describe('a peer that is not to be had', () => {
  test('is tried less and less often, and told of once', async () => {
    using timers = retries()
    using mapper = new FakeMapper()
    using comet = new TestNode(COMET, mapper, { peer: OTHER })
    for (const tries of WAITS.keys()) {
      await until('it was tried', () => timers.delays.length === tries + 1)
      timers.fire()
    }
    await until('it was tried', () => timers.delays.length === WAITS.length + 1)
    expect(timers.delays).toEqual([...WAITS, retryMsMax])
    const why = 'no node of that name is registered on its host'
    expect(peerOf(comet)).toEqual(['waiting', why])
    expect(comet.log.of('erlang_unreachable')).toEqual([
      `There is no connection with ${OTHER}: ${why}; it is tried again, in ${retryMs} ms at first.`,
    ])
  })

  test('for another reason than before is told of again', async () => {
    using timers = retries()
    using mapper = new FakeMapper()
    using comet = new TestNode(COMET, mapper, { peer: OTHER })
    await until('it was tried', () => timers.waiting === 1)
    mapper.stop()
    await until('the registration is gone', () => timers.waiting === 2)
    timers.fire()
    const why = 'the port mapper (epmd) of its host cannot be asked: nobody listens there'
    await until('it is known', () => comet.log.of('erlang_unreachable').length === 2)
    expect(peerOf(comet)).toEqual(['waiting', why])
  })

  test('comes, and is found', async () => {
    using timers = retries()
    using mapper = new FakeMapper()
    using comet = new TestNode(COMET, mapper, { peer: OTHER })
    await until('it was tried', () => timers.waiting === 1)
    using other = new TestNode(OTHER, mapper)
    await other.isRegistered()
    expect(comet.node.isConnected).toBe(false)
    timers.fire()
    await until('it is connected', () => comet.node.isConnected)
    expect([peerOf(comet), timers.waiting]).toEqual([['connected', null], 0])
  })

  test.each([
    ['hangs up', (socket: Bun.Socket<undefined>) => socket.end(), 'it has closed the connection'],
    [
      'says rubbish',
      (socket: Bun.Socket<undefined>) => socket.write('HTTP/1.1 400\r\n'),
      'it does not speak as a node does',
    ],
    [
      'says nok',
      (socket: Bun.Socket<undefined>) => socket.write(greeted(Buffer.from('snok'))),
      'it is about to connect by itself',
    ],
    [
      'does not allow us',
      (socket: Bun.Socket<undefined>) => socket.write(greeted(Buffer.from('snot_allowed'))),
      'it does not allow this node (net_kernel:allow/1)',
    ],
  ])('since it %s, is told of and tried again', async (_, onData, why) => {
    using timers = retries()
    using mapper = new FakeMapper()
    using listening = new Listening(onData)
    registers(mapper, listening.port)
    using comet = new TestNode(COMET, mapper, { peer: OTHER })
    await until('it was tried', () => timers.waiting === 1)
    expect([peerOf(comet), timers.delays]).toEqual([['waiting', why], [retryMs]])
    timers.fire()
    await until('it was tried again', () => timers.waiting === 1)
    expect([listening.opened, timers.delays]).toEqual([2, [retryMs, 2 * retryMs]])
    expect(comet.log.of('erlang_unreachable').length).toBe(1)
  })

  test('since nobody listens at its port, is told of with the port', async () => {
    using timers = retries()
    using mapper = new FakeMapper()
    const listening = new Listening(() => undefined)
    listening[Symbol.dispose]()
    registers(mapper, listening.port)
    using comet = new TestNode(COMET, mapper, { peer: OTHER })
    await until('it was tried', () => timers.waiting === 1)
    const why = `port ${listening.port}: nobody listens there`
    expect(peerOf(comet)).toEqual(['waiting', why])
  })

  test('since it has another cookie, is told of on both sides', async () => {
    using timers = retries()
    using mapper = new FakeMapper()
    using other = new TestNode(OTHER, mapper, { cookie: 'another' })
    await other.isRegistered()
    using comet = new TestNode(COMET, mapper, { peer: OTHER })
    await until('it was tried', () => timers.waiting === 1)
    const why = 'it has closed the connection, as for a wrong cookie'
    expect(peerOf(comet)).toEqual(['waiting', why])
    expect(other.log.of('erlang_turned_away')).toEqual([
      'A node at 127.0.0.1 was turned away: its cookie is another one.',
    ])
    expect(other.connected).toEqual([])
  })
})

describe('a peer that was connected', () => {
  /** Connects both, lets the connection live, ends it, and answers when it is tried again. */
  async function lives(timers: CaughtTimers, clock: FakeClock, comet: TestNode, ms: number) {
    using remote = await RemoteNode.connected(comet.port, { name: OTHER })
    await until('it is connected', () => comet.node.isConnected)
    clock.advance(ms)
    remote.hangUp()
    await until('it is gone', () => !comet.node.isConnected)
    return timers.delays.at(-1)
  }

  test('is tried again at once when it had lived long, and later when it had not', async () => {
    using timers = retries()
    using mapper = new FakeMapper()
    const clock = new FakeClock()
    using comet = new TestNode(COMET, mapper, { peer: OTHER, clock })
    await until('it was tried', () => timers.waiting === 1)
    const waits: (number | undefined)[] = []
    for (const ms of [0, retryForgetMs - 1, retryForgetMs, 0, retryForgetMs * 10]) {
      waits.push(await lives(timers, clock, comet, ms))
    }
    expect(waits).toEqual([2, 4, 1, 2, 1].map((times) => times * retryMs))
    expect(peerOf(comet)).toEqual(['waiting', 'it has closed the connection'])
    expect(comet.log.of('erlang_disconnected')[2]).toBe(
      `The connection with ${OTHER} has ended: it has closed the connection; ` +
        `it is tried again in ${retryMs} ms.`,
    )
  })

  test('comes back under the same name, and is connected again', async () => {
    using timers = retries()
    using mapper = new FakeMapper()
    using comet = new TestNode(COMET, mapper, { peer: OTHER })
    await until('it was tried', () => timers.waiting === 1)
    for (let life = 0; life < 3; life++) {
      using other = new TestNode(OTHER, mapper)
      await other.isRegistered()
      timers.fire()
      await until('it is connected', () => comet.node.isConnected)
      other[Symbol.dispose]()
      await until('it is gone', () => !comet.node.isConnected && mapper.nodes.size === 1)
    }
    expect([comet.connected, timers.waiting]).toEqual([[], 1])
  })
})
