// Goal: what operators are told of a bus is so: while Redis is there, while it is away, and after
// it is back. Method: nodes on a real server, faults of it, and a clock that is set by hand.

import { describe, expect, test } from 'bun:test'
import { HAS_REDIS, RedisServer } from '../../scripts/support/redis.ts'
import { TcpProxy } from '../../scripts/support/tcp-proxy.ts'
import { systemClock } from '../core/clock.ts'
import { FakeClock, until } from '../core/time.fixture.ts'
import { about } from '../log/log.fixture.ts'
import { RedisNode } from './bus.fixture.ts'
import { type BusFigures, busFigures } from './bus-figures.ts'
import { Nodes } from './cluster.fixture.ts'

function figuresOf({ redis }: RedisNode, clock = systemClock): BusFigures {
  return busFigures({ redis, loader: { isReloading: false }, clock })
}

describe.skipIf(!HAS_REDIS)('the figures of a bus', () => {
  test('say who is there, what Redis is, and that everything is read', async () => {
    await using redis = await RedisServer.start({ settings: ['maxmemory 100mb'] })
    await using left = await RedisNode.start(redis.url, { name: 'left' })
    await using right = await RedisNode.start(redis.url, { name: 'right' })
    await until('both know each other', () => left.members.length === 2)
    const figures = figuresOf(left)
    expect(figures).toMatchObject({ connected: true, why: null, ready: true, reloading: false })
    expect(figures.epoch).toBe(left.bus.cursor.epoch)
    const nodes = figures.nodes.map(({ name, own, origin }) => [name, own, origin])
    expect(nodes.toSorted()).toEqual([
      ['left', true, left.origin],
      ['right', false, right.origin],
    ])
    expect(figures.redis).toMatchObject({
      ...{ product: 'Redis', durable: false, evictionPolicy: 'noeviction' },
      limitBytes: 100 * 1024 * 1024,
    })
    expect(figures.redis?.usedBytes).toBeGreaterThan(100_000)
    await until('nothing is to be read', () => figuresOf(left).behind === 0)
  })

  test('count batches and their round trips where they were published, entries everywhere', async () => {
    await using redis = await RedisServer.start()
    await using nodes = await Nodes.start(redis.url, redis.url)
    const before = nodes.all.map((node) => figuresOf(node))
    for (const text of ['0 0', '0 1', '0 2']) {
      nodes.at(0).publish(text)
      await nodes.at(0).accepted(text)
    }
    await nodes.at(1).heard('0 2')
    const [left, right] = nodes.all.map((node) => figuresOf(node))
    expect([left?.added, right?.added]).toEqual([3, 0])
    expect([left?.roundTrip.batches, right?.roundTrip.batches]).toEqual([3, 0])
    expect([left?.roundTrip.p50Seconds, right?.roundTrip.p50Seconds]).toEqual([
      expect.any(Number),
      null,
    ])
    expect(left?.roundTrip.sumSeconds).toBeGreaterThan(0)
    expect(left?.roundTrip.sumSeconds).toBeLessThan(3)
    expect(right?.read).toBeGreaterThanOrEqual((before[1]?.read ?? 0) + 3)
  })

  test('have what waits while Redis is away, how long, and what was refused of it', async () => {
    await using redis = await RedisServer.start({ isDurable: true })
    const clock = new FakeClock()
    const limits = { queueMessagesMax: 2, waitCheckEveryMs: 1 }
    await using node = await RedisNode.start(redis.url, { clock, limits })
    await redis.kill()
    await node.isAway()
    node.publishItem('a', about(1, 'xyz'))
    clock.advance(4_000)
    node.publish('b', 'c')
    expect(figuresOf(node, clock)).toMatchObject({
      ...{ connected: false, seconds: 4, ready: false, behind: null },
      why: expect.stringContaining('Redis'),
      queue: { messages: 2, limitMessages: 2, oldestAgeSeconds: 4 },
      refused: { full: 1, unavailable: 0 },
    })
    clock.advance(6_001)
    await until('the first is refused', () => node.listener.outcomes.has('a'))
    expect(figuresOf(node, clock)).toMatchObject({
      queue: { messages: 1, oldestAgeSeconds: 6.001 },
      refused: { full: 1, unavailable: 1, unknown: 0 },
    })
    await redis.startAgain()
    // Not of the clock of the node, which stands still.
    await node.accepted('b')
    expect(figuresOf(node, clock)).toMatchObject({
      ...{ connected: true, seconds: 0, forks: expect.any(Number), gaps: 0 },
      queue: { messages: 0, bytes: 0, oldestAgeSeconds: 0 },
    })
  })

  test('have how far behind a node is that reads slowly', async () => {
    await using redis = await RedisServer.start()
    await using writer = await RedisNode.start(redis.url)
    const texts = Array.from({ length: 50 }, (_, at) => `0 ${at}`)
    for (const text of texts) {
      writer.publish(text)
      await writer.accepted(text)
    }
    await using proxy = await TcpProxy.start(redis.port)
    // One entry an answer, so that it takes many; each takes some looks.
    proxy.delayMs = 2
    const node = RedisNode.open(proxy.url, { limits: { readEntries: 1 } })
    await using _ = node
    const seen: (number | null)[] = []
    await until('it is ready', () => {
      seen.push(figuresOf(node).behind)
      return figuresOf(node).ready
    })
    const known = seen.filter((behind) => behind !== null)
    expect(Math.max(...known)).toBeGreaterThan(0)
    expect(known.toSorted((one, other) => other - one)).toEqual(known)
    await until('it has all', () => figuresOf(node).behind === 0)
  })

  test('have how far behind a node is that was there before and cannot keep up', async () => {
    await using redis = await RedisServer.start()
    await using writer = await RedisNode.start(redis.url)
    await using proxy = await TcpProxy.start(redis.port)
    const limits = { readEntries: 1, topEveryMs: 5 }
    await using node = await RedisNode.start(proxy.url, { limits })
    await until('it has all', () => figuresOf(node).behind === 0)
    proxy.delayMs = 2
    for (let at = 0; at < 50; at++) {
      writer.publish(`0 ${at}`)
      await writer.accepted(`0 ${at}`)
    }
    const behind: number[] = []
    await until('it is at the top', () => {
      const now = figuresOf(node).behind ?? Number.POSITIVE_INFINITY
      behind.push(now)
      return now === 0 && node.listener.texts.includes('0 49')
    })
    expect(Math.max(...behind.filter(Number.isFinite))).toBeWithin(10, 51)
    expect(figuresOf(node)).toMatchObject({ ready: true, gaps: 0, forks: expect.any(Number) })
  })

  test('have gaps, forks and what others wrote', async () => {
    await using redis = await RedisServer.start()
    await using node = await RedisNode.start(redis.url)
    const { forks } = figuresOf(node)
    node.publish('0 0')
    await node.accepted('0 0')
    await redis.command('XADD', 'comet:log', '*', 'field', 'value')
    await until('it is read', () => figuresOf(node).foreign === 1)
    await until('the log goes on', () => figuresOf(node).forks > forks)
    const { epoch } = node.bus.cursor
    const fields = ['o', '0'.repeat(16), 'n', '1', 'c', '2', 't', '1', 'h', 'a1,1 a1', 'm', 'xy']
    await redis.command('XADD', 'comet:log', `${epoch}-*`, ...fields)
    node.publish('0 1')
    await node.heard('0 1')
    expect(figuresOf(node)).toMatchObject({ gaps: 1, foreign: 2 })
  })

  test('have the memory of Redis as it is now, and whether it has a file by now', async () => {
    await using redis = await RedisServer.start()
    await using node = await RedisNode.start(redis.url, { redisLimits: { infoEveryMs: 5 } })
    const before = figuresOf(node).redis
    expect(before?.durable).toBe(false)
    await redis.command('SET', 'large', 'x'.repeat(5_000_000))
    await redis.command('CONFIG', 'SET', 'appendonly', 'yes')
    await until('it is told', () => figuresOf(node).redis?.durable === true)
    await until('it is told of the memory', () => {
      return (figuresOf(node).redis?.usedBytes ?? 0) > (before?.usedBytes ?? 0) + 4_000_000
    })
    await redis.kill()
    await node.isAway()
    expect(figuresOf(node).redis?.durable).toBe(true)
  })
})
