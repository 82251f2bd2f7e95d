// Goal: a node that knows the cookie is connected and served, others are refused with a reason in
// the log, and nothing stays open when comet stops. Method: a whole node over real sockets with a
// small epmd, and other nodes that connect to it.

import { describe, expect, test } from 'bun:test'
import { erlangLimits } from '../core/limits.ts'
import { FakeClock, until } from '../core/time.fixture.ts'
import { messagesOf } from '../hub/outlet.fixture.ts'
import { FakeEpmd } from './epmd.fixture.ts'
import { RemoteNode, TestNode, type TestNodeOptions } from './node.fixture.ts'
import {
  CALLER,
  call,
  list,
  message,
  packet,
  pid,
  reference,
  reply,
  toName,
} from './packet.fixture.ts'
import { COOKIE } from './recorded.fixture.ts'
import { atomOf, bytesOf, integerOf, tupleOf, uint32 } from './terms.fixture.ts'

const { connectionsMax, handshakesMax } = erlangLimits

const NAME = 'comet@localhost'
const A = 'a@localhost'

/** A node with an epmd of its own. */
function started(options?: TestNodeOptions) {
  const epmd = new FakeEpmd()
  const comet = new TestNode(NAME, epmd, options)
  return {
    epmd,
    comet,
    [Symbol.dispose]: () => {
      comet[Symbol.dispose]()
      epmd.stop()
    },
  }
}

/** Why handshakes failed. */
function failures({ log }: TestNode): string[] {
  const line = /^The handshake with 127\.0\.0\.1 failed: (.*)\.$/
  return log.of('erlang_handshake_failed').map((text) => line.exec(text)?.[1] ?? text)
}

describe('a node that connects', () => {
  test('is served: its messages are delivered, its calls answered', async () => {
    using all = started()
    const { comet } = all
    const seven = comet.connect(7)
    using remote = await RemoteNode.connected(comet.port)
    expect([remote.peer?.name, comet.connected]).toEqual([NAME, [A]])
    remote.send(
      toName(message(7, 'a')),
      call(list(message(7, 'b'))),
      call(tupleOf(atomOf('online'), integerOf(7))),
    )
    await until('both calls are answered', () => remote.packets.length === 2)
    expect(messagesOf(seven)).toEqual(['a', 'b'])
    const own = bytesOf(pid(NAME, 1).slice(0, -4)).toHex()
    for (const packet of remote.packets) expect(packet.toHex()).toContain(own)
    expect(comet.log.of('erlang_connected')).toEqual(['Connected to the Erlang node a@localhost.'])
  })

  test('gets the process of comet, to which it can send and which it can monitor', async () => {
    using all = started()
    const { comet } = all
    const seven = comet.connect(7)
    using remote = await RemoteNode.connected(comet.port)
    remote.send(call(atomOf('whereis')))
    await until('the call is answered', () => remote.packets.length === 1)
    const creation = remote.peer?.creation ?? 0
    expect(creation).toBeGreaterThanOrEqual(4)
    const own = bytesOf(pid(NAME, 1).slice(0, -4), uint32(creation))
    const monitor = packet(tupleOf(integerOf(19), CALLER, own, reference(3)))
    remote.send(packet(tupleOf(integerOf(22), CALLER, own), message(7, 'x')), monitor)
    await until('the message is delivered', () => messagesOf(seven).length === 1)
    await comet.node.stop()
    await until('it is closed', () => remote.isClosed)
    const down = packet(tupleOf(integerOf(21), own, CALLER, reference(3), atomOf('shutdown')))
    expect(remote.packets.map((packet) => packet.toHex())).toEqual([
      ...[reply(own, { own }).toHex(), down.toHex()],
    ])
  })

  test.each([
    ['with another cookie', { cookie: 'other' }, 'wrong cookie'],
    ['with the name of comet', { name: NAME }, 'the node has the name of this one'],
    ['with an invalid name', { name: 'a\n@localhost' }, 'unexpected handshake message'],
  ])('%s is refused', async (_, options, why) => {
    using all = started()
    const { comet } = all
    using remote = await RemoteNode.connected(comet.port, options)
    await until('it is closed', () => remote.isClosed)
    expect([remote.peer, comet.connected, failures(comet)]).toEqual([null, [], [why]])
    expect(JSON.stringify(comet.log.lines)).not.toContain(COOKIE)
  })

  test('to a node of another name closes the connection, which is logged', async () => {
    using all = started()
    using remote = await RemoteNode.connected(all.comet.port, { to: 'other@localhost' })
    expect(remote.why).toBe('the node has another name')
    remote.close()
    await until('it is logged', () => failures(all.comet).length > 0)
    expect(failures(all.comet)).toEqual(['the node closed the connection'])
  })

  test('and disconnects is in the figures no more, but its messages are', async () => {
    const clock = new FakeClock()
    using all = started({ clock })
    const { comet } = all
    using remote = await RemoteNode.connected(comet.port)
    remote.send(toName(message(7)), toName(list(message(7), message(7))), call(message(7)))
    await until('the call is answered', () => remote.packets.length === 1)
    clock.advance(1_500)
    const connection = { node: A, seconds: 1.5, messages: 3, callsPending: 0 }
    const { port } = comet
    expect(comet.node.figures()).toMatchObject({
      ...{ name: NAME, port, peer: null, messages: 3, connections: [connection] },
    })
    expect(comet.node.isConnected).toBe(true)
    remote.close()
    await until('it is disconnected', () => comet.connected.length === 0)
    expect(comet.node.figures()).toMatchObject({ messages: 3, connections: [] })
    expect(comet.node.isConnected).toBe(false)
    expect(comet.log.of('erlang_disconnected')).toEqual([
      'The connection to a@localhost is closed: the node closed the connection.',
    ])
    expect(comet.log.warned).toEqual(['erlang_disconnected'])
  })
})

describe('a node that is already connected', () => {
  test('is asked whether it is alive, and its new connection replaces the old one', async () => {
    using all = started()
    const { comet } = all
    const seven = comet.connect(7)
    using first = await RemoteNode.connected(comet.port)
    first.send(toName(message(7, 'a')))
    await until('the message is delivered', () => messagesOf(seven).length === 1)
    using second = await RemoteNode.connected(comet.port)
    expect(Buffer.from(second.handshakeMessages[0] ?? []).toString()).toBe('salive')
    await until('the first is closed', () => first.isClosed)
    second.send(toName(message(7, 'b')), call(message(7, 'c')))
    await until('the call is answered', () => second.packets.length === 1)
    expect([comet.connected, messagesOf(seven)]).toEqual([[A], ['a', 'b', 'c']])
    expect(comet.node.figures().messages).toBe(3)
    expect(comet.log.of('erlang_disconnected')).toEqual([
      'The connection to a@localhost is closed: the node has connected again.',
    ])
  })

  test('keeps its connection when another without the cookie has its name', async () => {
    using all = started()
    using first = await RemoteNode.connected(all.comet.port)
    using second = await RemoteNode.connected(all.comet.port, { cookie: 'other' })
    await until('it is refused', () => second.isClosed)
    first.send(call(message(7)))
    await until('the first is served', () => first.packets.length === 1)
    expect([all.comet.connected, first.isClosed]).toEqual([[A], false])
  })
})

describe('the number of', () => {
  test('connected nodes is limited, until one disconnects', async () => {
    using all = started()
    const { comet } = all
    using stack = new DisposableStack()
    const open = async (at: number) => {
      return stack.use(await RemoteNode.connected(comet.port, { name: `a${at}@localhost` }))
    }
    const remotes: RemoteNode[] = []
    for (let at = 0; at < connectionsMax; at++) remotes.push(await open(at))
    expect(new Set(comet.connected).size).toBe(connectionsMax)
    const late = await open(connectionsMax)
    await until('it is refused', () => late.isClosed)
    expect([late.peer, failures(comet)]).toEqual([null, ['too many nodes are connected']])
    remotes[0]?.close()
    await until('it is disconnected', () => comet.connected.length < connectionsMax)
    expect((await open(connectionsMax + 1)).peer?.name).toBe(NAME)
    expect(remotes.slice(1).filter(({ isClosed }) => isClosed)).toEqual([])
  })

  test('handshakes is limited: the oldest is aborted', async () => {
    using all = started()
    const { comet } = all
    using stack = new DisposableStack()
    // A handshake that is over does not count.
    stack.use(await RemoteNode.connected(comet.port, { name: 'y@localhost' }))
    const idle: RemoteNode[] = []
    for (let at = 0; at < handshakesMax; at++) {
      idle.push(stack.use(await RemoteNode.open(comet.port, { to: 'nobody@localhost' })))
    }
    using remote = await RemoteNode.connected(comet.port, { name: 'z@localhost' })
    expect(remote.peer?.name).toBe(NAME)
    await until('the oldest is aborted', () => idle[0]?.isClosed === true)
    expect(idle.slice(1).filter(({ isClosed }) => isClosed)).toEqual([])
    expect(failures(comet)).toEqual(['too many handshakes in progress'])
  })

  test('connections does not include nodes that were refused', async () => {
    using all = started()
    for (let at = 0; at <= connectionsMax; at++) {
      using remote = await RemoteNode.connected(all.comet.port, { cookie: 'other' })
      await until('it is refused', () => remote.isClosed)
    }
    using remote = await RemoteNode.connected(all.comet.port)
    expect(remote.peer?.name).toBe(NAME)
  })
})

test('a node that stops refuses new connections and serves open ones', async () => {
  using all = started()
  const { comet, epmd } = all
  await comet.isRegistered()
  const seven = comet.connect(7)
  using remote = await RemoteNode.connected(comet.port)
  using half = await RemoteNode.open(comet.port, {
    name: 'half@localhost',
    to: 'nobody@localhost',
  })
  await until('the handshake has begun', () => half.handshakeMessages.length === 2)
  const { port } = comet
  comet.node.drain()
  await until('the handshake is aborted', () => half.isClosed)
  await expect(RemoteNode.open(port)).rejects.toThrow('connection refused')
  await until('it is not registered', () => epmd.nodes.size === 0)
  remote.send(toName(message(7)))
  await until('the message is delivered', () => messagesOf(seven).length === 1)
  await comet.node.stop()
  await until('it is closed', () => remote.isClosed)
  expect([comet.connected, epmd.sockets.size, comet.log.bugs]).toEqual([[], 0, []])
  expect(comet.log.warned).toEqual([])
  expect(comet.log.of('erlang_disconnected')).toEqual([
    'The connection to a@localhost is closed: the server stopped.',
  ])
})

test('a port that is in use is an error', () => {
  using all = started()
  const listen = { hostname: '127.0.0.1', port: all.comet.port }
  expect(() => new TestNode('other@localhost', all.epmd, { listen })).toThrow(
    `127.0.0.1:${all.comet.port} cannot be opened (EADDRINUSE)`,
  )
})
