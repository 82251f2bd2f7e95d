// Goal: comet connects to its configured peer, and again with growing delay while that fails; the
// reason is visible, and nothing stays open when comet stops. Method: whole nodes over real sockets
// with a small epmd; the test ends the waits between attempts.

import { describe, expect, test } from 'bun:test'
import { erlangLimits } from '../core/limits.ts'
import { FakeClock, until } from '../core/time.fixture.ts'
import { messagesOf } from '../hub/outlet.fixture.ts'
import { settled } from './channel.fixture.ts'
import { FakeEpmd, nodeAt } from './epmd.fixture.ts'
import { Side } from './handshake.fixture.ts'
import { RemoteNode, TestNode } from './node.fixture.ts'
import { framed, handshakeFramed, message, toName } from './packet.fixture.ts'
import { bytesOf } from './terms.fixture.ts'
import { type CaughtTimers, caughtRetries, RETRY_DELAYS } from './timers.fixture.ts'

const { firstMs, maxMs, forgetMs } = erlangLimits.retry

const [COMET, OTHER] = ['comet@localhost', 'other@localhost']

/** The peer in `/stats`, without its name. */
function peerOf({ node }: TestNode) {
  const { peer } = node.figures()
  return peer === null ? null : [peer.state, peer.why]
}

/** A port that accepts connections and does this with received bytes. */
class Listening implements Disposable {
  opened = 0
  closed = 0
  readonly #listener: Bun.TCPSocketListener<undefined>

  constructor(onData: (socket: Bun.Socket<undefined>, bytes: Uint8Array) => void) {
    this.#listener = Bun.listen({
      ...{ hostname: '127.0.0.1', port: 0 },
      socket: {
        open: () => {
          this.opened++
        },
        data: onData,
        close: () => {
          this.closed++
        },
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

/** The first attempt to connect has failed. */
async function failed(timers: CaughtTimers): Promise<void> {
  await until('the attempt fails', () => timers.waiting === 1)
}

describe('the peer', () => {
  test('is connected, which both nodes report', async () => {
    using epmd = new FakeEpmd()
    using other = new TestNode(OTHER, epmd)
    await other.isRegistered()
    using comet = new TestNode(COMET, epmd, { peer: OTHER })
    expect([comet.node.isConnected, peerOf(comet)]).toEqual([false, ['connecting', null]])
    await until('it is connected', () => comet.node.isConnected && other.connected.length === 1)
    expect([peerOf(comet), comet.connected, other.connected]).toEqual([
      ...[['connected', null], [OTHER], [COMET]],
    ])
    expect([peerOf(other), other.node.isConnected]).toEqual([null, true])
  })

  test('may connect itself, which ends the attempts of comet', async () => {
    using timers = caughtRetries()
    using epmd = new FakeEpmd()
    using comet = new TestNode(COMET, epmd, { peer: OTHER })
    await failed(timers)
    using remote = await RemoteNode.connected(comet.port, { name: OTHER })
    await until('it is connected', () => comet.node.isConnected)
    expect([remote.peer?.name, peerOf(comet), timers.waiting]).toEqual([
      ...[COMET, ['connected', null], 0],
    ])
  })

  test('may connect itself while comet waits for epmd', async () => {
    using timers = caughtRetries()
    using epmd = new FakeEpmd()
    epmd.delay()
    using comet = new TestNode(COMET, epmd, { peer: OTHER })
    await until('the request arrives', () => epmd.delayed === 1)
    using remote = await RemoteNode.connected(comet.port, { name: OTHER })
    await until('it is connected', () => comet.node.isConnected)
    epmd.release('other')
    await until('the response arrives', () => epmd.sockets.size === 1)
    await settled()
    expect([peerOf(comet), remote.isClosed]).toEqual([['connected', null], false])
    expect([comet.log.of('erlang_unreachable'), timers.waiting]).toEqual([[], 0])
  })

  test('may send a packet together with the end of the handshake', async () => {
    using epmd = new FakeEpmd()
    const side = Side.accepting({ name: OTHER })
    let received = Buffer.alloc(0)
    let packet: Uint8Array = framed(toName(message(7)))
    using listening = new Listening((socket, bytes) => {
      received = Buffer.concat([received, bytes])
      while (received.length > 2 && received.length >= 2 + received.readUInt16BE()) {
        const end = 2 + received.readUInt16BE()
        side.take(bytesOf(received.subarray(2, end)))
        received = received.subarray(end)
      }
      socket.write(bytesOf(handshakeFramed(...side.unread.splice(0)), side.peer ? packet : ''))
      if (side.peer !== null) packet = new Uint8Array()
    })
    epmd.nodes.set('other', nodeAt(listening.port))
    using comet = new TestNode(COMET, epmd, { peer: OTHER })
    const seven = comet.connect(7)
    await until('the message is delivered', () => messagesOf(seven).length > 0)
    expect([messagesOf(seven), comet.connected]).toEqual([['x'], [OTHER]])
  })

  test('is waited for when another node connects', async () => {
    using timers = caughtRetries()
    using epmd = new FakeEpmd()
    using comet = new TestNode(COMET, epmd, { peer: OTHER })
    await failed(timers)
    using remote = await RemoteNode.connected(comet.port)
    await until('the other is connected', () => comet.connected.length === 1)
    expect([remote.peer?.name, comet.node.isConnected, timers.waiting]).toEqual([COMET, false, 1])
  })
})

describe('an unreachable peer', () => {
  test('is retried with growing delay, and logged once', async () => {
    using timers = caughtRetries()
    using epmd = new FakeEpmd()
    using comet = new TestNode(COMET, epmd, { peer: OTHER })
    for (const attempts of RETRY_DELAYS.keys()) {
      await until('the attempt fails', () => timers.delays.length === attempts + 1)
      timers.fire()
    }
    await until('the attempt fails', () => timers.delays.length > RETRY_DELAYS.length)
    expect(timers.delays).toEqual([...RETRY_DELAYS, maxMs])
    const why = 'the node is not registered at epmd'
    expect(peerOf(comet)).toEqual(['waiting', why])
    expect(comet.log.of('erlang_unreachable')).toEqual([
      `Cannot connect to ${OTHER}: ${why}; retrying, first in ${firstMs} ms.`,
    ])
  })

  test('is logged again for another reason', async () => {
    using timers = caughtRetries()
    using epmd = new FakeEpmd()
    using comet = new TestNode(COMET, epmd, { peer: OTHER })
    await failed(timers)
    epmd.stop()
    await until('the registration ends', () => timers.waiting === 2)
    timers.fire()
    await until('it is logged', () => comet.log.of('erlang_unreachable').length === 2)
    expect(peerOf(comet)).toEqual(['waiting', 'epmd is not available: connection refused'])
  })

  test('is found once it is registered', async () => {
    using timers = caughtRetries()
    using epmd = new FakeEpmd()
    using comet = new TestNode(COMET, epmd, { peer: OTHER })
    await failed(timers)
    using other = new TestNode(OTHER, epmd)
    await other.isRegistered()
    expect(comet.node.isConnected).toBe(false)
    timers.fire()
    expect(comet.node.figures().peer?.state).toBe('connecting')
    await until('it is connected', () => comet.node.isConnected)
    expect([peerOf(comet), timers.waiting]).toEqual([['connected', null], 0])
  })

  test.each([
    ['closes the connection', null, 'the node closed the connection'],
    ['sends HTTP', 'HTTP/1.1 400\r\n', 'the data is not a distribution handshake'],
    ['sends nok', '\0\x04snok', 'the node is already connecting to this one'],
    [
      'does not allow comet',
      '\0\x0csnot_allowed',
      'the node does not allow this one (net_kernel:allow/1)',
    ],
  ])('that %s is logged and retried', async (_, sent, why) => {
    using timers = caughtRetries()
    using epmd = new FakeEpmd()
    using listening = new Listening((socket) => {
      if (sent === null) socket.end()
      else socket.write(sent)
    })
    epmd.nodes.set('other', nodeAt(listening.port))
    using comet = new TestNode(COMET, epmd, { peer: OTHER })
    await failed(timers)
    expect([peerOf(comet), timers.delays]).toEqual([['waiting', why], [firstMs]])
    timers.fire()
    await failed(timers)
    expect([listening.opened, timers.delays]).toEqual([2, [firstMs, 2 * firstMs]])
    expect(comet.log.of('erlang_unreachable').length).toBe(1)
  })

  test('that does not listen is reported with its port', async () => {
    using timers = caughtRetries()
    using epmd = new FakeEpmd()
    const listening = new Listening(() => undefined)
    listening[Symbol.dispose]()
    epmd.nodes.set('other', nodeAt(listening.port))
    using comet = new TestNode(COMET, epmd, { peer: OTHER })
    await failed(timers)
    expect(peerOf(comet)).toEqual(['waiting', `port ${listening.port}: connection refused`])
  })

  test('with another cookie is reported by both nodes', async () => {
    using timers = caughtRetries()
    using epmd = new FakeEpmd()
    using other = new TestNode(OTHER, epmd, { cookie: 'another' })
    await other.isRegistered()
    using comet = new TestNode(COMET, epmd, { peer: OTHER })
    await failed(timers)
    const why = 'the node closed the connection, as for a wrong cookie'
    expect(peerOf(comet)).toEqual(['waiting', why])
    expect(other.log.of('erlang_handshake_failed')).toEqual([
      'The handshake with 127.0.0.1 failed: wrong cookie.',
    ])
    expect(other.connected).toEqual([])
  })

  test('is not tried while the name of comet is taken', async () => {
    using timers = caughtRetries()
    using epmd = new FakeEpmd()
    using other = new TestNode(OTHER, epmd)
    using first = new TestNode(COMET, epmd)
    await until('both are registered', () => epmd.nodes.size === 2)
    using second = new TestNode(COMET, epmd, { peer: OTHER })
    await until('both wait', () => timers.waiting === 2)
    expect(peerOf(second)).toEqual(['waiting', 'the name is already registered at epmd'])
    expect([first.connected, other.connected]).toEqual([[], []])
  })
})

describe('a peer that was connected', () => {
  test('is retried with the first delay if it was connected for long', async () => {
    using timers = caughtRetries()
    using epmd = new FakeEpmd()
    const clock = new FakeClock()
    using comet = new TestNode(COMET, epmd, { peer: OTHER, clock })
    await failed(timers)
    const delays: (number | undefined)[] = []
    for (const ms of [0, forgetMs - 1, forgetMs, 0, forgetMs * 10]) {
      using remote = await RemoteNode.connected(comet.port, { name: OTHER })
      await until('it is connected', () => comet.node.isConnected)
      clock.advance(ms)
      remote.close()
      await until('it is disconnected', () => !comet.node.isConnected)
      delays.push(timers.delays.at(-1))
    }
    expect(delays).toEqual([2, 4, 1, 2, 1].map((times) => times * firstMs))
    expect(peerOf(comet)).toEqual(['waiting', 'the node closed the connection'])
    expect(comet.log.of('erlang_disconnected')[2]).toBe(
      `The connection to ${OTHER} is closed: the node closed the connection; ` +
        `retrying in ${firstMs} ms.`,
    )
  })

  test('and is started again is connected again', async () => {
    using timers = caughtRetries()
    using epmd = new FakeEpmd()
    using comet = new TestNode(COMET, epmd, { peer: OTHER })
    await failed(timers)
    for (let start = 0; start < 3; start++) {
      using other = new TestNode(OTHER, epmd)
      await other.isRegistered()
      timers.fire()
      await until('it is connected', () => comet.node.isConnected)
      other.node.drain()
      // To its end: a shutdown has a time limit, which has the length of a delay between attempts.
      await other.node.stop()
      await until('it is gone', () => !comet.node.isConnected && epmd.nodes.size === 1)
    }
    expect([comet.connected, timers.waiting]).toEqual([[], 1])
    // The reason of before is logged again.
    timers.fire()
    await until('it is logged', () => comet.log.of('erlang_unreachable').length === 2)
  })
})

describe('a node that stops', () => {
  test('makes no further attempt', async () => {
    using timers = caughtRetries()
    using epmd = new FakeEpmd()
    const comet = new TestNode(COMET, epmd, { peer: OTHER })
    await failed(timers)
    comet.node.drain()
    await comet.node.stop()
    await until('nothing is open', () => epmd.sockets.size === 0)
    expect(timers.waiting).toBe(0)
  })

  test('announces no attempt when it closes the connection', async () => {
    using timers = caughtRetries()
    using epmd = new FakeEpmd()
    using other = new TestNode(OTHER, epmd)
    await other.isRegistered()
    const comet = new TestNode(COMET, epmd, { peer: OTHER })
    await until('it is connected', () => comet.node.isConnected)
    comet.node.drain()
    expect(comet.connected).toEqual([OTHER])
    await comet.node.stop()
    expect(comet.log.of('erlang_disconnected')).toEqual([
      `The connection to ${OTHER} is closed: the server stopped.`,
    ])
    await until('the other is disconnected', () => other.connected.length === 0)
    expect(timers.waiting).toBe(0)
  })

  test('at any step of connecting leaves nothing open', async () => {
    using timers = caughtRetries()
    // Comet opens a handshake and waits.
    using listening = new Listening(() => undefined)
    for (let steps = 0; steps < 20; steps++) {
      using epmd = new FakeEpmd()
      epmd.nodes.set('other', nodeAt(listening.port))
      const comet = new TestNode(COMET, epmd, { peer: OTHER })
      for (let step = 0; step < steps; step++) await new Promise(setImmediate)
      comet.node.drain()
      await comet.node.stop()
      await until('no query is open', () => epmd.sockets.size === 0)
      await settled()
      await until('nothing is open', () => listening.opened === listening.closed)
      expect([steps, comet.connected, timers.waiting]).toEqual([steps, [], 0])
      expect(comet.log.of('erlang_unreachable')).toEqual([])
    }
    expect(listening.opened).toBeGreaterThan(0)
  })

  test('while it waits for epmd ignores the response', async () => {
    using timers = caughtRetries()
    using epmd = new FakeEpmd()
    epmd.delay()
    const comet = new TestNode(COMET, epmd, { peer: OTHER })
    await until('the request arrives', () => epmd.delayed === 1)
    comet.node.drain()
    epmd.release('other')
    await until('nothing is open', () => epmd.sockets.size === 0)
    await settled()
    expect([comet.log.of('erlang_unreachable'), timers.waiting]).toEqual([[], 0])
  })
})
