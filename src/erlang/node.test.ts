// Goal: a node that knows the cookie is connected and served, others are refused with a reason in the
// log, and when comet stops nothing of it is left. Method: a whole node over real sockets, with a small
// port mapper, and other nodes that connect to it.

import { describe, expect, test } from 'bun:test'
import { erlangLimits } from '../core/limits.ts'
import { FakeClock, until } from '../core/time.fixture.ts'
import { FakeMapper } from './epmd.fixture.ts'
import { RemoteNode, TestNode } from './node.fixture.ts'
import {
  answer,
  atom,
  bytesOf,
  CALLER,
  call,
  integer,
  list,
  message,
  packet,
  pid,
  reference,
  toName,
  tuple,
} from './packet.fixture.ts'
import { COOKIE } from './recorded.fixture.ts'

const { connectionsMax, handshakesMax } = erlangLimits

const NAME = 'comet@localhost'

/** Why nodes were turned away, without where they came from. */
function turnedAway({ log }: TestNode): string[] {
  const told = /^A node at 127\.0\.0\.1 was turned away: (.*)\.$/
  return log.of('erlang_turned_away').map((line) => told.exec(line)?.[1] ?? line)
}

describe('a node that connects', () => {
  test('is served: what it sends arrives, what it asks is answered', async () => {
    using mapper = new FakeMapper()
    using comet = new TestNode(NAME, mapper)
    const seven = comet.connect(7)
    using remote = await RemoteNode.connected(comet.port)
    expect([remote.peer?.name, comet.connected]).toEqual([NAME, ['a@localhost']])
    remote.send(
      toName(message(7, 'a')),
      call(list(message(7, 'b'))),
      call(tuple(atom('online'), integer(7))),
    )
    await until('it is answered', () => remote.packets.length === 2)
    expect(seven.texts).toEqual(['a', 'b'])
    const own = bytesOf(pid(NAME, 1).slice(0, -4))
    for (const got of remote.packets) expect(got.toHex()).toContain(own.toHex())
    expect(comet.log.of('erlang_connected')).toEqual([
      'Connected with the Erlang node a@localhost.',
    ])
  })

  test('is told which process comet is, as the one that may be written to and watched', async () => {
    using mapper = new FakeMapper()
    using comet = new TestNode(NAME, mapper)
    const seven = comet.connect(7)
    using remote = await RemoteNode.connected(comet.port)
    remote.send(call(atom('whereis')))
    await until('it is answered', () => remote.packets.length === 1)
    const creation = remote.peer?.creation ?? 0
    expect(creation).toBeGreaterThanOrEqual(4)
    const bytes = new DataView(new ArrayBuffer(4))
    bytes.setUint32(0, creation)
    const own = bytesOf(pid(NAME, 1).slice(0, -4), new Uint8Array(bytes.buffer))
    expect(remote.hex).toEqual([answer(own, { own }).toHex()])
    const monitor = packet(tuple(integer(19), CALLER, own, reference(3)))
    remote.send(packet(tuple(integer(22), CALLER, own), message(7, 'x')), monitor)
    await until('it has come', () => seven.texts.length === 1)
    await comet.node.stop()
    await until('it is closed', () => remote.isClosed)
    const down = packet(tuple(integer(21), own, CALLER, reference(3), atom('shutdown')))
    expect(remote.hex.slice(1)).toEqual([down.toHex()])
  })

  test.each([
    ['with another cookie', { cookie: 'other' }, 'its cookie is another one'],
    ['by our own name', { name: NAME }, 'it has the name of this node'],
    [
      'by what is no name',
      { name: 'a\n@localhost' },
      'it sent something else than the handshake has',
    ],
  ])('%s is turned away', async (_, options, why) => {
    using mapper = new FakeMapper()
    using comet = new TestNode(NAME, mapper)
    using remote = await RemoteNode.connected(comet.port, options)
    await until('it is closed', () => remote.isClosed)
    expect([remote.peer, comet.connected, turnedAway(comet)]).toEqual([null, [], [why]])
    expect(JSON.stringify(comet.log.lines)).not.toContain(COOKIE)
  })

  test('takes us for another, hangs up, and is told of in the log', async () => {
    using mapper = new FakeMapper()
    using comet = new TestNode(NAME, mapper)
    using remote = await RemoteNode.connected(comet.port, { to: 'other@localhost' })
    expect(remote.why).toBe('it has another name')
    remote.hangUp()
    await until('it is known', () => turnedAway(comet).length > 0)
    expect(turnedAway(comet)).toEqual(['it has closed the connection'])
  })

  test('goes, and is forgotten, with its messages counted', async () => {
    using mapper = new FakeMapper()
    const clock = new FakeClock()
    using comet = new TestNode(NAME, mapper, { clock })
    using remote = await RemoteNode.connected(comet.port)
    remote.send(toName(message(7)), toName(list(message(7), message(7))), call(message(7)))
    await until('it is answered', () => remote.packets.length === 1)
    clock.advance(1_500)
    const connection = { node: 'a@localhost', seconds: 1.5, messages: 3, callsPending: 0 }
    const { port } = comet
    expect(comet.node.figures()).toMatchObject({
      ...{ name: NAME, port, peer: null, messages: 3, connections: [connection] },
    })
    expect(comet.node.isConnected).toBe(true)
    remote.hangUp()
    await until('it is forgotten', () => comet.connected.length === 0)
    expect(comet.node.figures()).toMatchObject({ messages: 3, connections: [] })
    expect([comet.node.isConnected, comet.log.of('erlang_disconnected')]).toEqual([
      ...[false, ['The connection with a@localhost has ended: it has closed the connection.']],
    ])
    expect(comet.log.warned).toEqual(['erlang_disconnected'])
  })
})

describe('a node that is connected already', () => {
  test('is asked whether it insists, and then the new connection counts', async () => {
    using mapper = new FakeMapper()
    using comet = new TestNode(NAME, mapper)
    const seven = comet.connect(7)
    using first = await RemoteNode.connected(comet.port)
    first.send(toName(message(7, 'a')))
    await until('it has come', () => seven.texts.length === 1)
    using second = await RemoteNode.connected(comet.port)
    expect(Buffer.from(second.greetings[0] ?? []).toString()).toBe('salive')
    await until('the first is closed', () => first.isClosed)
    second.send(toName(message(7, 'b')), call(message(7, 'c')))
    await until('it is answered', () => second.packets.length === 1)
    expect([comet.connected, seven.texts]).toEqual([['a@localhost'], ['a', 'b', 'c']])
    expect(comet.node.figures().messages).toBe(3)
    expect(comet.log.of('erlang_disconnected')).toEqual([
      'The connection with a@localhost has ended: it has connected anew.',
    ])
  })

  test('keeps its connection when somebody without the cookie pretends to be it', async () => {
    using mapper = new FakeMapper()
    using comet = new TestNode(NAME, mapper)
    using first = await RemoteNode.connected(comet.port)
    using second = await RemoteNode.connected(comet.port, { cookie: 'other' })
    await until('it is turned away', () => second.isClosed)
    first.send(call(message(7)))
    await until('the first is served', () => first.packets.length === 1)
    expect([comet.connected, first.isClosed]).toEqual([['a@localhost'], false])
  })
})

describe('as many nodes as there may be', () => {
  test('are connected, one more is turned away, and taken when another leaves', async () => {
    using mapper = new FakeMapper()
    using comet = new TestNode(NAME, mapper)
    using stack = new DisposableStack()
    const open = async (at: number) => {
      return stack.use(await RemoteNode.connected(comet.port, { name: `a${at}@localhost` }))
    }
    const remotes: RemoteNode[] = []
    for (let at = 0; at < connectionsMax; at++) remotes.push(await open(at))
    expect(new Set(comet.connected).size).toBe(connectionsMax)
    const late = await open(connectionsMax)
    await until('it is turned away', () => late.isClosed)
    expect([late.peer, comet.log.of('erlang_turned_away')]).toEqual([
      ...[null, ['A node at 127.0.0.1 was turned away: too many nodes are connected.']],
    ])
    remotes[0]?.hangUp()
    await until('it is known', () => comet.connected.length < connectionsMax)
    expect((await open(connectionsMax + 1)).peer?.name).toBe(NAME)
    expect(remotes.slice(1).filter(({ isClosed }) => isClosed)).toEqual([])
  })
})

describe('those who connect and do not greet', () => {
  test('keep nobody out: the oldest gives way', async () => {
    using mapper = new FakeMapper()
    using comet = new TestNode(NAME, mapper)
    using stack = new DisposableStack()
    const idle: RemoteNode[] = []
    for (let at = 0; at < handshakesMax; at++) {
      const options = { name: 'a@localhost', to: 'nobody@localhost' }
      idle.push(stack.use(await RemoteNode.open(comet.port, options)))
    }
    using remote = await RemoteNode.connected(comet.port, { name: 'z@localhost' })
    expect(remote.peer?.name).toBe(NAME)
    await until('the oldest is turned away', () => idle[0]?.isClosed === true)
    expect(idle.slice(1).filter(({ isClosed }) => isClosed)).toEqual([])
    expect(comet.log.of('erlang_turned_away')).toEqual([
      'A node at 127.0.0.1 was turned away: too many others want to connect.',
    ])
  })
})

test('those who were turned away take no place', async () => {
  using mapper = new FakeMapper()
  using comet = new TestNode(NAME, mapper)
  for (let at = 0; at <= connectionsMax; at++) {
    using remote = await RemoteNode.connected(comet.port, { cookie: 'other' })
    await until('it is turned away', () => remote.isClosed)
  }
  using remote = await RemoteNode.connected(comet.port)
  expect([remote.peer?.name, comet.log.of('erlang_full')]).toEqual([NAME, []])
})

describe('a node that stops', () => {
  test('turns away who is about to connect, and serves those who are', async () => {
    using mapper = new FakeMapper()
    using comet = new TestNode(NAME, mapper)
    await comet.isRegistered()
    const seven = comet.connect(7)
    using remote = await RemoteNode.connected(comet.port)
    using half = await RemoteNode.open(comet.port, {
      name: 'half@localhost',
      to: 'nobody@localhost',
    })
    await until('it has begun', () => half.greetings.length === 2)
    const { port } = comet
    comet.node.drain()
    await until('it is turned away', () => half.isClosed)
    await expect(RemoteNode.open(port)).rejects.toThrow()
    await until('it is registered no more', () => mapper.nodes.size === 0)
    remote.send(toName(message(7)))
    await until('it has come', () => seven.texts.length === 1)
    await comet.node.stop()
    await until('it is closed', () => remote.isClosed)
    expect([comet.connected, mapper.sockets.size, comet.log.bugs]).toEqual([[], 0, []])
    expect(comet.log.warned).toEqual([])
    expect(comet.log.of('erlang_disconnected')).toEqual([
      'The connection with a@localhost has ended: the server has stopped.',
    ])
  })
})

test('a port that cannot be had is a reason', () => {
  using mapper = new FakeMapper()
  using comet = new TestNode(NAME, mapper)
  const listen = { hostname: '127.0.0.1', port: comet.port }
  expect(() => new TestNode('other@localhost', mapper, { listen })).toThrow(
    `127.0.0.1:${comet.port} cannot be opened (EADDRINUSE)`,
  )
})
