// Goal: two nodes that connect to each other at the same time end with one connection that both
// have, whichever is first and by how little. Method: two whole nodes that are each other's peer,
// and an epmd that responds when the test says so; no second attempt runs.

import { describe, expect, test } from 'bun:test'
import { until } from '../core/time.fixture.ts'
import { settled } from './channel.fixture.ts'
import { FakeEpmd, nodeAt } from './epmd.fixture.ts'
import { RemoteNode, TestNode } from './node.fixture.ts'
import { call, message } from './packet.fixture.ts'
import { caughtRetries } from './timers.fixture.ts'

const ROUNDS = 64
/** The delay of the second node, at most, in turns of the event loop. */
const TURNS_MAX = 16

/** Two nodes that find each other, one so many turns after the other. */
async function both(epmd: FakeEpmd, first: 'a' | 'b', turns: number) {
  epmd.delay()
  const a = new TestNode('a@localhost', epmd, { peer: 'b@localhost' })
  const b = new TestNode('b@localhost', epmd, { peer: 'a@localhost' })
  await until('both requests arrive', () => epmd.delayed === 2 && epmd.nodes.size === 2)
  epmd.release(first)
  for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate)
  epmd.release(first === 'a' ? 'b' : 'a')
  await until('both are connected', () => a.node.isConnected && b.node.isConnected)
  const lines = () => a.log.lines.length + b.log.lines.length
  for (let before = -1; before !== lines(); ) {
    before = lines()
    for (let round = 0; round < 3; round++) await settled()
  }
  return { a, b }
}

test.each(['a', 'b'] as const)('two nodes are connected once when %s is first', async (first) => {
  for (let round = 0; round < ROUNDS / 2; round++) {
    using timers = caughtRetries()
    using epmd = new FakeEpmd()
    const { a, b } = await both(epmd, first, round % TURNS_MAX)
    using stack = new DisposableStack()
    for (const node of [a, b]) stack.use(node)
    const state = [round, a.connected, b.connected, a.node.isConnected, b.node.isConnected]
    expect(state).toEqual([round, ['b@localhost'], ['a@localhost'], true, true])
    expect(timers.waiting).toBe(0)
    // Both have the same connection: when one closes it, the other has none.
    a.node.drain()
    await a.node.stop()
    await until('the other is disconnected', () => b.connected.length === 0)
    const unreachable = [a, b].map(({ log }) => log.of('erlang_unreachable'))
    expect([a.log.bugs, b.log.bugs, unreachable]).toEqual([[], [], [[], []]])
  }
})

describe('while comet opens a handshake with its peer', () => {
  /** A peer that does not answer, to which comet has sent its name. */
  async function opening(name: string, peer: string) {
    const timers = caughtRetries()
    const epmd = new FakeEpmd()
    let names = 0
    let isClosed = false
    const listener = Bun.listen({
      ...{ hostname: '127.0.0.1', port: 0 },
      socket: {
        data: () => {
          names++
        },
        close: () => {
          isClosed = true
        },
      },
    })
    const [alive = ''] = peer.split('@')
    epmd.nodes.set(alive, nodeAt(listener.port))
    const comet = new TestNode(name, epmd, { peer })
    await until('the name arrives', () => names === 1)
    const end = () => {
      comet[Symbol.dispose]()
      listener.stop(true)
      epmd.stop()
      timers[Symbol.dispose]()
    }
    return { comet, timers, isAborted: () => isClosed, [Symbol.dispose]: end }
  }

  function statusOf({ handshakeMessages }: RemoteNode): string {
    return Buffer.from(handshakeMessages[0] ?? []).toString()
  }

  test('a peer of a greater name is accepted, and has to refuse the handshake of comet', async () => {
    using open = await opening('b@localhost', 'c@localhost')
    const options = { name: 'c@localhost', to: 'b@localhost' }
    using remote = await RemoteNode.connected(open.comet.port, options)
    expect(statusOf(remote)).toBe('sok_simultaneous')
    await until('it is connected', () => open.comet.node.isConnected)
    expect([open.timers.waiting, open.isAborted()]).toEqual([0, false])
    expect(open.comet.log.of('erlang_unreachable')).toEqual([])
  })

  test('a peer of a lesser name is told that comet connects', async () => {
    using open = await opening('b@localhost', 'a@localhost')
    const options = { name: 'a@localhost', to: 'b@localhost' }
    using remote = await RemoteNode.connected(open.comet.port, options)
    expect([statusOf(remote), open.isAborted(), open.comet.connected]).toEqual(['snok', false, []])
  })

  test('any other node is accepted as usual', async () => {
    using open = await opening('b@localhost', 'a@localhost')
    const options = { name: 'z@localhost', to: 'b@localhost' }
    using remote = await RemoteNode.connected(open.comet.port, options)
    remote.send(call(message(1)))
    await until('the call is answered', () => remote.packets.length === 1)
    expect([open.isAborted(), open.comet.connected]).toEqual([false, ['z@localhost']])
  })

  test('a node without the cookie but with the name of the peer does not end it', async () => {
    using open = await opening('b@localhost', 'c@localhost')
    const options = { name: 'c@localhost', to: 'b@localhost', cookie: 'other' }
    using remote = await RemoteNode.connected(open.comet.port, options)
    await until('it is refused', () => remote.isClosed)
    expect([open.timers.waiting, open.isAborted()]).toEqual([0, false])
    expect(open.comet.node.figures().peer?.state).toBe('connecting')
  })
})
