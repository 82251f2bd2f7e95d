// Goal: when comet stops, or its peer connects by itself, nothing is left of what comet had begun. Method:
// whole nodes over real sockets that are stopped at every step of connecting, and a port mapper that answers
// when it is too late.

import { describe, expect, test } from 'bun:test'
import { erlangLimits } from '../core/limits.ts'
import { until } from '../core/time.fixture.ts'
import { turns } from './channel.fixture.ts'
import { FakeMapper } from './epmd.fixture.ts'
import { RemoteNode, TestNode } from './node.fixture.ts'
import { CaughtTimers } from './timers.fixture.ts'

const { retryMs } = erlangLimits

const [COMET, OTHER] = ['comet@localhost', 'other@localhost']

function retries(): CaughtTimers {
  return new CaughtTimers((delayMs) => delayMs === retryMs)
}

describe('a node that stops', () => {
  test('tries its peer no more', async () => {
    using timers = retries()
    using mapper = new FakeMapper()
    const comet = new TestNode(COMET, mapper, { peer: OTHER })
    await until('it was tried', () => timers.waiting === 1)
    comet.node.drain()
    await comet.node.stop()
    await until('nothing is open', () => mapper.sockets.size === 0)
    expect(timers.waiting).toBe(0)
  })

  test('says nothing of another try when it ends the connection', async () => {
    using timers = retries()
    using mapper = new FakeMapper()
    using other = new TestNode(OTHER, mapper)
    await other.isRegistered()
    const comet = new TestNode(COMET, mapper, { peer: OTHER })
    await until('it is connected', () => comet.node.isConnected)
    comet.node.drain()
    expect(comet.connected).toEqual([OTHER])
    await comet.node.stop()
    expect(comet.log.of('erlang_disconnected')).toEqual([
      `The connection with ${OTHER} has ended: the server has stopped.`,
    ])
    await until('the other knows', () => other.connected.length === 0)
    expect(timers.waiting).toBe(0)
  })

  test('in the midst of connecting leaves nothing open, wherever it was', async () => {
    using timers = retries()
    let [opened, closed] = [0, 0]
    // A peer that answers nothing; comet begins, and waits.
    const listener = Bun.listen({
      ...{ hostname: '127.0.0.1', port: 0 },
      socket: {
        data: () => undefined,
        open: () => {
          opened++
        },
        close: () => {
          closed++
        },
      },
    })
    const { port } = listener
    for (let steps = 0; steps < 20; steps++) {
      using mapper = new FakeMapper()
      mapper.nodes.set('other', { port, type: 77, protocol: 0, highest: 6, lowest: 5 })
      const comet = new TestNode(COMET, mapper, { peer: OTHER })
      for (let step = 0; step < steps; step++) await new Promise(setImmediate)
      comet.node.drain()
      await comet.node.stop()
      await until('the port mapper is asked no more', () => mapper.sockets.size === 0)
      await turns()
      await until('nothing is open', () => opened === closed)
      expect([steps, comet.connected, timers.waiting]).toEqual([steps, [], 0])
      expect(comet.log.of('erlang_unreachable')).toEqual([])
    }
    expect(opened).toBeGreaterThan(0)
    listener.stop(true)
  })

  test('while the port mapper is asked says nothing of its answer', async () => {
    using timers = retries()
    using mapper = new FakeMapper()
    mapper.hold()
    const comet = new TestNode(COMET, mapper, { peer: OTHER })
    await until('it is asked', () => mapper.held === 1)
    comet.node.drain()
    mapper.release('other')
    await until('nothing is open', () => mapper.sockets.size === 0)
    await turns()
    expect([comet.log.of('erlang_unreachable'), timers.waiting]).toEqual([[], 0])
  })
})

describe('a peer that has connected by itself', () => {
  test('stays so, whatever the port mapper says too late', async () => {
    using timers = retries()
    using mapper = new FakeMapper()
    mapper.hold()
    using comet = new TestNode(COMET, mapper, { peer: OTHER })
    await until('it is asked', () => mapper.held === 1)
    using remote = await RemoteNode.connected(comet.port, { name: OTHER })
    await until('it is connected', () => comet.node.isConnected)
    mapper.release('other')
    await until('it has been told', () => mapper.sockets.size === 1)
    await turns()
    expect([comet.node.figures().peer?.state, remote.isClosed]).toEqual(['connected', false])
    expect([comet.log.of('erlang_unreachable'), timers.waiting]).toEqual([[], 0])
  })
})
