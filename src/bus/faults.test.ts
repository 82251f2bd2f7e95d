// Goal: whatever happens to Redis and the network, what was accepted reaches every stream once and
// in order, or a gap is told; and none is told where nothing can be missing. Method: nodes publish
// to a real Redis while it is killed, frozen, emptied or cut off; then exact accounts.

import { describe, expect, test } from 'bun:test'
import { HAS_REDIS, RedisServer } from '../../scripts/support/redis.ts'
import { TcpProxy } from '../../scripts/support/tcp-proxy.ts'
import type { Cursor } from '../core/cursor.ts'
import { until } from '../core/time.fixture.ts'
import { RedisNode } from './bus.fixture.ts'
import { cutOff, Nodes, settled, Traffic } from './cluster.fixture.ts'
import { compareCursors } from './stream-entry.ts'

const NO_GAPS = [0, 0, 0]

/** So little is kept that a node which is away misses some of it. */
const TRIMMED = { historyBytes: 64 * 1024, limits: { readBlockMs: 100 } }

describe.skipIf(!HAS_REDIS)('the bus while Redis fails', () => {
  test('loses nothing and tells of no gap when one with a file is killed', async () => {
    await using redis = await RedisServer.start({ isDurable: true })
    await using nodes = await Nodes.start(redis.url, redis.url, redis.url)
    const traffic = new Traffic(nodes.all)
    for (let round = 0; round < 3; round++) {
      await traffic.more(30)
      await redis.restart()
    }
    await traffic.more(30)
    await traffic.end()
    nodes.check()
    expect(nodes.gaps).toEqual(NO_GAPS)
  })

  test('goes on behind a gap when Redis knows of fewer batches than there were', async () => {
    await using redis = await RedisServer.start()
    await using nodes = await Nodes.start(redis.url, redis.url, redis.url)
    const [left, right] = [nodes.at(0), nodes.at(1)]
    for (const text of ['0 1', '0 2', '0 3']) {
      left.publish(text)
      await right.heard(text)
    }
    await redis.command('SET', `comet:log:origin:${left.origin}`, '1')
    left.publish('0 4')
    await right.heard('0 4')
    await settled(nodes.all)
    expect(right.listener.texts).toEqual(['0 1', '0 2', '0 3', 'gap', '0 4'])
    nodes.check()
  })

  test('has exact accounts when one without a file is killed', async () => {
    await using redis = await RedisServer.start()
    await using nodes = await Nodes.start(redis.url, redis.url, redis.url)
    const traffic = new Traffic(nodes.all)
    for (let round = 0; round < 5; round++) {
      await traffic.more(30)
      await redis.restart()
    }
    await traffic.more(30)
    await traffic.end()
    nodes.check()
  })

  test('tells of no gap when all nodes had everything that was lost', async () => {
    await using redis = await RedisServer.start()
    await using nodes = await Nodes.start(redis.url, redis.url, redis.url)
    nodes.at(0).publish('0 1', '0 2')
    for (const node of nodes.all) await node.heard('0 2')
    const { cursor } = nodes.at(0).bus
    for (const lose of [() => redis.restart(), () => redis.command('FLUSHALL')]) {
      await lose()
      await until('a new epoch', () =>
        nodes.all.every(({ bus }) => bus.cursor.epoch > cursor.epoch),
      )
      await settled(nodes.all)
    }
    nodes.at(1).publish('1 1')
    for (const node of nodes.all) await node.heard('1 1')
    nodes.check()
    expect(nodes.gaps).toEqual(NO_GAPS)
    // Cursors from before count on each node.
    for (const { bus } of nodes.all) expect(bus.numberOf(cursor)).toBe(cursor.number)
  })

  test('has exact accounts when all of Redis is emptied again and again', async () => {
    await using redis = await RedisServer.start()
    await using nodes = await Nodes.start(redis.url, redis.url, redis.url)
    const traffic = new Traffic(nodes.all)
    for (let round = 0; round < 10; round++) {
      await traffic.more(20)
      await redis.command('FLUSHALL')
    }
    await traffic.more(20)
    await traffic.end()
    nodes.check()
  })

  // The second time, the log of the node that misses nothing is one that it has never seen.
  test.each([1, 2])(
    'tells a gap to nodes that miss what no node has any more, though they are first, %i times',
    async (times) => {
      await using redis = await RedisServer.start()
      await using near = await TcpProxy.start(redis.port)
      await using far = await TcpProxy.start(redis.port)
      await using nodes = await Nodes.start(redis.url, near.url, far.url)
      const [publisher, left, right] = [nodes.at(0), nodes.at(1), nodes.at(2)]
      publisher.publish('0 0')
      await right.heard('0 0')
      await cutOff(far, right)
      publisher.publish('0 1')
      await left.heard('0 1')
      await publisher.bus.close()
      // Behind a gap, a node does not keep what was before.
      await redis.command('XADD', 'comet:log', `${left.bus.cursor.epoch}-*`, 'lost', '1')
      await until('left is told', () => left.listener.gaps === 1)
      await cutOff(near, left)
      far.isRefusing = false
      for (let time = 0; time < times; time++) {
        const { epoch } = right.bus.cursor
        await redis.command('FLUSHALL')
        await until('a new epoch', () => right.bus.cursor.epoch > epoch)
      }
      expect(right.listener.gaps).toBe(0)
      near.isRefusing = false
      await until('right is told', () => right.listener.gaps > 0)
      await settled([left, right])
      expect(right.listener.texts.slice(0, 2)).toEqual(['0 0', 'gap'])
    },
  )

  // After one loss the log tells where the node that was away has left it. After two it does not:
  // that node tells a gap for the log that it does not know, and then all do for what may be lost.
  test.each([
    [1, NO_GAPS],
    [2, [1, 1, 2]],
  ] as const)(
    'that has lost everything %i times while a node was away, has these gaps: %j',
    async (times, gaps) => {
      await using redis = await RedisServer.start()
      await using proxy = await TcpProxy.start(redis.port)
      await using nodes = await Nodes.start(redis.url, redis.url, proxy.url)
      const [publisher, away] = [nodes.at(0), nodes.at(2)]
      publisher.publish('0 0')
      await settled(nodes.all)
      await cutOff(proxy, away)
      for (let time = 1; time <= times; time++) {
        const { epoch } = publisher.bus.cursor
        await redis.command('FLUSHALL')
        await until('a new epoch', () => publisher.bus.cursor.epoch > epoch)
        publisher.publish(`0 ${time}`)
        await nodes.at(1).heard(`0 ${time}`)
      }
      expect(nodes.gaps).toEqual(NO_GAPS)
      proxy.isRefusing = false
      await until('it is back', () => compareCursors(away.bus.cursor, publisher.bus.cursor) >= 0)
      publisher.publish('0 9')
      await away.heard('0 9')
      await settled(nodes.all)
      nodes.check()
      expect(nodes.gaps).toEqual([...gaps])
    },
  )

  test('goes on after Redis stood still, with everything and without a gap', async () => {
    await using redis = await RedisServer.start()
    await using nodes = await Nodes.start(redis.url, redis.url, redis.url)
    const traffic = new Traffic(nodes.all)
    await traffic.more(20)
    redis.pause()
    for (const node of nodes.all) await node.isAway()
    await traffic.more(20)
    redis.resume()
    await traffic.more(20)
    await traffic.end()
    nodes.check()
    expect(nodes.gaps).toEqual(NO_GAPS)
  })

  test('waits while Redis has no memory, and goes on when it has', async () => {
    await using redis = await RedisServer.start()
    await using nodes = await Nodes.start(redis.url, redis.url, redis.url)
    const traffic = new Traffic(nodes.all)
    await traffic.more(20)
    await redis.command('CONFIG', 'SET', 'maxmemory', '1')
    for (const node of nodes.all) {
      await until('it is told', () => node.redis.figures.link.why?.startsWith('OOM') === true)
    }
    await redis.command('CONFIG', 'SET', 'maxmemory', '0')
    await traffic.end()
    nodes.check()
    expect(nodes.gaps).toEqual(NO_GAPS)
  })
})

describe.skipIf(!HAS_REDIS)('the bus while the network fails', () => {
  test('adds each batch once when connections are cut in the middle of one', async () => {
    await using redis = await RedisServer.start()
    await using proxy = await TcpProxy.start(redis.port)
    await using nodes = await Nodes.start(proxy.url, proxy.url, proxy.url)
    const traffic = new Traffic(nodes.all)
    for (let round = 0; round < 20; round++) {
      await traffic.more(10)
      proxy.cutAfter(1 + round * 37)
    }
    await traffic.more(10)
    await traffic.end()
    nodes.check()
    expect(nodes.gaps).toEqual(NO_GAPS)
  })

  test.each(['requests', 'answers', 'both'] as const)(
    'finds out that %s vanish, and adds each batch once',
    async (what) => {
      await using redis = await RedisServer.start()
      await using proxy = await TcpProxy.start(redis.port)
      await using nodes = await Nodes.start(proxy.url, redis.url, redis.url)
      const traffic = new Traffic(nodes.all)
      await traffic.more(20)
      proxy.swallow(what)
      await nodes.at(0).isAway()
      await traffic.more(20)
      await traffic.end()
      nodes.check()
      expect(nodes.gaps).toEqual(NO_GAPS)
    },
  )

  test('keeps its promises over a slow network', async () => {
    await using redis = await RedisServer.start()
    await using proxy = await TcpProxy.start(redis.port)
    await using nodes = await Nodes.start(proxy.url, redis.url, redis.url)
    proxy.delayMs = 30
    const traffic = new Traffic(nodes.all)
    await traffic.more(100)
    await traffic.end()
    nodes.check()
    expect(nodes.gaps).toEqual(NO_GAPS)
  })

  test('tells one gap to a node past which the log was trimmed, and to no other', async () => {
    await using redis = await RedisServer.start()
    await using proxy = await TcpProxy.start(redis.port)
    await using left = await RedisNode.start(redis.url, TRIMMED)
    await using right = await RedisNode.start(proxy.url, TRIMMED)
    left.publish('0 0')
    await right.heard('0 0')
    proxy.cutOff()
    await right.isAway()
    for (let count = 1; count <= 300; count++) {
      left.publish(`0 ${count} ${'x'.repeat(1_000)}`)
      if (count % 10 === 0) await settled([left])
    }
    left.publish('0 301')
    await left.accepted('0 301')
    const kept = Number(await redis.command('XLEN', 'comet:log'))
    expect(kept).toBeLessThan(30)
    proxy.isRefusing = false
    await right.heard('0 301')
    expect([left.listener.gaps, right.listener.gaps]).toEqual([0, 1])
    left.publish('0 302')
    await right.heard('0 302')
    expect(right.bus.cursor).toEqual(left.bus.cursor)
    // A client that heard the first text gets a gap there, and no silent hole.
    const [first] = right.listener.heard
    const cursor = first !== undefined && 'cursor' in first ? first.cursor : right.bus.cursor
    expect(right.bus.numberOf(cursor)).toBeNull()
    expect(left.bus.numberOf(cursor)).toBe(cursor.number)
  })

  test('tells a publisher no later place than that of its message, if it is behind a gap', async () => {
    await using redis = await RedisServer.start()
    await using proxy = await TcpProxy.start(redis.port)
    await using nodes = await Nodes.start(proxy.url, redis.url)
    const [left, right] = [nodes.at(0), nodes.at(1)]
    left.publish('0 0')
    await right.heard('0 0')
    await settled(nodes.all)
    proxy.swallow('answers')
    left.publish('0 1')
    await right.heard('0 1')
    await cutOff(proxy, left)
    const place = right.bus.cursor
    await redis.command('FLUSHALL')
    await until('a new epoch', () => right.bus.cursor.epoch > place.epoch)
    // Behind the gap, and read before it is known what became of the other one.
    right.publish('1 0', '1 1')
    await right.accepted('1 1')
    proxy.isRefusing = false
    await left.accepted('0 1')
    await settled(nodes.all)
    expect(left.listener.texts).toEqual(['0 0', 'gap', '1 0', '1 1'])
    const told = left.listener.outcomes.get('0 1') as Cursor
    expect(compareCursors(told, place)).toBeLessThanOrEqual(0)
    nodes.check()
  })

  test('adds batches after one past which the log was trimmed has begun it again', async () => {
    await using redis = await RedisServer.start()
    await using first = await TcpProxy.start(redis.port)
    await using second = await TcpProxy.start(redis.port)
    await using third = await TcpProxy.start(redis.port)
    await using left = await RedisNode.start(first.url, TRIMMED)
    await using middle = await RedisNode.start(second.url, TRIMMED)
    await using right = await RedisNode.start(third.url, TRIMMED)
    left.publish('0 0')
    await right.heard('0 0')
    await cutOff(third, right)
    left.publish('0 1')
    await left.accepted('0 1')
    for (let count = 0; count < 200; count++) {
      middle.publish(`1 ${count} ${'x'.repeat(1_000)}`)
      if (count % 10 === 0) await settled([middle])
    }
    await settled([left, middle])
    third.isRefusing = false
    await until('right is told', () => right.listener.gaps === 1)
    await settled([left, middle, right])
    await Promise.all([cutOff(first, left), cutOff(second, middle)])
    const { epoch } = right.bus.cursor
    await redis.command('FLUSHALL')
    await until('a new epoch', () => right.bus.cursor.epoch > epoch)
    for (const proxy of [first, second, third]) proxy.isRefusing = false
    left.publish('0 2')
    await left.accepted('0 2')
    await right.heard('0 2')
  })
})
