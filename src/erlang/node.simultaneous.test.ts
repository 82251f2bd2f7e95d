// Goal: two nodes that connect to each other at the same time end with one connection, which both have,
// no matter who is first, by how little. Method: two whole nodes that each have the other for a peer,
// and a port mapper that tells them when the test says so; no second try is let happen.

import { describe, expect, test } from 'bun:test'
import { erlangLimits } from '../core/limits.ts'
import { until } from '../core/time.fixture.ts'
import { turns } from './channel.fixture.ts'
import { FakeMapper } from './epmd.fixture.ts'
import { RemoteNode, TestNode } from './node.fixture.ts'
import { call, message } from './packet.fixture.ts'
import { CaughtTimers } from './timers.fixture.ts'

const { retryMs, retryMsMax, handshakeMsMax, answerMsMax } = erlangLimits

const ROUNDS = 64
/** Turns of the loop by which one of them is later at most. */
const TURNS_MAX = 16

/** Bounds of one try, which are as long as always. */
const BOUNDS: readonly number[] = [handshakeMsMax, answerMsMax]

/** All waits for another try. */
function retries(): CaughtTimers {
  const isRetry = (delayMs: number) => delayMs >= retryMs && delayMs <= retryMsMax
  return new CaughtTimers((delayMs) => isRetry(delayMs) && !BOUNDS.includes(delayMs))
}

/** Two nodes that have asked where the other is, and are told, one so many turns after the other. */
async function both(mapper: FakeMapper, first: 'a' | 'b', gap: number) {
  mapper.hold()
  const a = new TestNode('a@localhost', mapper, { peer: 'b@localhost' })
  const b = new TestNode('b@localhost', mapper, { peer: 'a@localhost' })
  await until('both have asked', () => mapper.held === 2 && mapper.nodes.size === 2)
  mapper.release(first)
  for (let turn = 0; turn < gap; turn++) await new Promise(setImmediate)
  mapper.release(first === 'a' ? 'b' : 'a')
  return { a, b }
}

/** Waits until neither has had anything to say for a while. */
async function quiet(...nodes: readonly TestNode[]): Promise<void> {
  const lines = () => nodes.reduce((sum, { log }) => sum + log.lines.length, 0)
  for (let before = -1; before !== lines(); ) {
    before = lines()
    for (let round = 0; round < 3; round++) await turns()
  }
}

describe('two nodes that connect to each other at the same time', () => {
  test.each(['a', 'b'] as const)('are connected once, when %s is told first', async (first) => {
    for (let round = 0; round < ROUNDS / 2; round++) {
      using timers = retries()
      using mapper = new FakeMapper()
      const { a, b } = await both(mapper, first, round % TURNS_MAX)
      using stack = new DisposableStack()
      for (const node of [a, b]) stack.use(node)
      await until('both are connected', () => a.node.isConnected && b.node.isConnected)
      await quiet(a, b)
      const state = [round, a.connected, b.connected, a.node.isConnected, b.node.isConnected]
      expect(state).toEqual([round, ['b@localhost'], ['a@localhost'], true, true])
      expect(timers.waiting).toBe(0)
      // It is the same one: when one of them ends it, the other has none.
      a.node.drain()
      await a.node.stop()
      await until('the other knows', () => b.connected.length === 0)
      expect([a.log.bugs, b.log.bugs]).toEqual([[], []])
    }
  })

  test('say nothing of it that would alarm anybody', async () => {
    using _ = retries()
    using mapper = new FakeMapper()
    const { a, b } = await both(mapper, 'a', 0)
    using stack = new DisposableStack()
    for (const node of [a, b]) stack.use(node)
    await until('both are connected', () => a.node.isConnected && b.node.isConnected)
    await quiet(a, b)
    expect([a, b].map(({ log }) => log.of('erlang_unreachable'))).toEqual([[], []])
  })
})

describe('while comet is about to connect to its peer', () => {
  /** A node that answers no handshake, where comet has sent its name. */
  async function opening(name: string, peer: string) {
    const mapper = new FakeMapper()
    let greetings = 0
    let isClosed = false
    const listener = Bun.listen({
      ...{ hostname: '127.0.0.1', port: 0 },
      socket: {
        data: () => {
          greetings++
        },
        close: () => {
          isClosed = true
        },
      },
    })
    const [alive = ''] = peer.split('@')
    mapper.nodes.set(alive, { port: listener.port, type: 77, protocol: 0, highest: 6, lowest: 5 })
    const comet = new TestNode(name, mapper, { peer })
    await until('comet has greeted', () => greetings === 1)
    const end = () => {
      comet[Symbol.dispose]()
      listener.stop(true)
      mapper.stop()
    }
    return { comet, isGivenUp: () => isClosed, [Symbol.dispose]: end }
  }

  test('a peer of a greater name that connects is let in; it is to refuse what comet began', async () => {
    using timers = retries()
    using open = await opening('b@localhost', 'c@localhost')
    const options = { name: 'c@localhost', to: 'b@localhost' }
    using remote = await RemoteNode.connected(open.comet.port, options)
    expect(Buffer.from(remote.greetings[0] ?? []).toString()).toBe('sok_simultaneous')
    await until('it is connected', () => open.comet.node.isConnected)
    expect([timers.waiting, open.isGivenUp(), open.comet.log.of('erlang_unreachable')]).toEqual([
      ...[0, false, []],
    ])
  })

  test('a peer of a lesser name is told that comet will connect', async () => {
    using _ = retries()
    using open = await opening('b@localhost', 'a@localhost')
    const options = { name: 'a@localhost', to: 'b@localhost' }
    using remote = await RemoteNode.connected(open.comet.port, options)
    expect(Buffer.from(remote.greetings[0] ?? []).toString()).toBe('snok')
    expect([open.isGivenUp(), open.comet.connected]).toEqual([false, []])
  })

  test('any other node is let in as always', async () => {
    using _ = retries()
    using open = await opening('b@localhost', 'a@localhost')
    const options = { name: 'z@localhost', to: 'b@localhost' }
    using remote = await RemoteNode.connected(open.comet.port, options)
    remote.send(call(message(1)))
    await until('it is answered', () => remote.packets.length === 1)
    expect([open.isGivenUp(), open.comet.connected]).toEqual([false, ['z@localhost']])
  })

  test('anyone who only greets by the name of the peer does not end what comet began', async () => {
    using timers = retries()
    using open = await opening('b@localhost', 'c@localhost')
    const options = { name: 'c@localhost', to: 'b@localhost', cookie: 'other' }
    using remote = await RemoteNode.connected(open.comet.port, options)
    await until('it is turned away', () => remote.isClosed)
    expect([timers.waiting, open.isGivenUp()]).toEqual([0, false])
    expect(open.comet.node.figures().peer?.state).toBe('connecting')
  })
})
