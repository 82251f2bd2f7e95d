// Goal: what is published with a key goes out once on all nodes, and each publisher is told what
// became of it, whatever answers are lost. Method: nodes on a real Redis, one of them behind a
// proxy that swallows answers.

import { describe, expect, test } from 'bun:test'
import { HAS_REDIS, RedisServer } from '../../scripts/support/redis.ts'
import { TcpProxy } from '../../scripts/support/tcp-proxy.ts'
import type { Cursor } from '../core/cursor.ts'
import { FakeClock, until } from '../core/time.fixture.ts'
import { about } from '../log/log.fixture.ts'
import { NOT_DELIVERED, RedisNode } from './bus.fixture.ts'
import { Nodes, settled } from './cluster.fixture.ts'

/** Where a node has heard a text. */
function placeOf({ listener }: RedisNode, text: string): Cursor | undefined {
  const heard = listener.heard.find((one) => 'text' in one && one.text === text)
  return heard !== undefined && 'cursor' in heard ? heard.cursor : undefined
}

describe.skipIf(!HAS_REDIS)('a message with a key', () => {
  test('goes out once, though all nodes publish it at once, and all are told where', async () => {
    await using redis = await RedisServer.start()
    await using nodes = await Nodes.start(redis.url, redis.url, redis.url)
    const texts = Array.from({ length: 100 }, (_, at) => `k${at}.0 0`)
    for (const text of texts) {
      for (const node of nodes.all) node.publishKeyed(text, text, text)
    }
    for (const node of nodes.all) await node.accepted(...texts)
    await settled(nodes.all)
    nodes.check()
    for (const text of texts) {
      const place = placeOf(nodes.at(0), text)
      for (const { listener } of nodes.all) expect(listener.outcomes.get(text)).toEqual(place)
      const isFirst = nodes.all.filter(({ listener }) => !listener.repeated.has(text))
      expect(isFirst).toHaveLength(1)
    }
    for (const { listener } of nodes.all) {
      expect(listener.texts.toSorted()).toEqual(texts.toSorted())
    }
  })

  test('stays in the order of its node, among those that are repetitions or have no key', async () => {
    await using redis = await RedisServer.start()
    await using nodes = await Nodes.start(redis.url, redis.url)
    const [left, right] = [nodes.at(0), nodes.at(1)]
    left.publishKeyed('k0.0 0', 'k0', 'k0.0 0')
    await left.accepted('k0.0 0')
    const expected: string[] = []
    for (let count = 1; count <= 200; count++) {
      right.publish(`1 ${count}`)
      right.publishKeyed(`k0.0 0#${count}`, 'k0', 'k0.0 0')
      right.publishKeyed(`2 ${count}`, `a key ${count}`, `2 ${count}`)
      expected.push(`1 ${count}`, `2 ${count}`)
    }
    await settled(nodes.all)
    nodes.check()
    for (const { listener } of nodes.all) expect(listener.texts).toEqual(['k0.0 0', ...expected])
    expect(right.listener.repeated.size).toBe(200)
  })

  test('is a conflict if it was another one, and the next one is not', async () => {
    await using redis = await RedisServer.start()
    await using nodes = await Nodes.start(redis.url, redis.url)
    const [left, right] = [nodes.at(0), nodes.at(1)]
    left.publishKeyed('one', 'a key', 'one')
    await left.accepted('one')
    right.publishKeyed('two', 'a key', 'two')
    right.publishKeyed('three', 'another', 'three')
    await right.accepted('three')
    expect(right.listener.outcomes.get('two')).toBe('conflict')
    expect(right.listener.texts).toEqual(['one', 'three'])
  })

  test('is told to be a repetition once its own node has read the first one', async () => {
    await using redis = await RedisServer.start()
    await using proxy = await TcpProxy.start(redis.port)
    await using nodes = await Nodes.start(redis.url, proxy.url)
    proxy.delayMs = 40
    const [left, right] = [nodes.at(0), nodes.at(1)]
    const told = Promise.withResolvers<readonly string[]>()
    left.publishKeyed('a', 'a key', 'a')
    await left.accepted('a')
    expect(right.listener.texts).toEqual([])
    right.bus.publish(about(1, 'a', { key: 'a key' }), {
      ...NOT_DELIVERED,
      onAccepted: () => told.reject(new Error('it was accepted')),
      onRepeated: () => told.resolve(right.listener.texts),
      onRefused: (why) => told.reject(new Error(why)),
    })
    expect(await told.promise).toEqual(['a'])
  })

  test('is told what became of it, though the answer is lost', async () => {
    await using redis = await RedisServer.start()
    await using proxy = await TcpProxy.start(redis.port)
    await using nodes = await Nodes.start(redis.url, proxy.url)
    const [left, right] = [nodes.at(0), nodes.at(1)]
    left.publishKeyed('k0.0 0', 'k0', 'k0.0 0')
    await right.heard('k0.0 0')
    proxy.swallow('answers')
    right.publishKeyed('k0.0 0#same', 'k0', 'k0.0 0')
    right.publishKeyed('k0.1 0#other', 'k0', 'k0.1 0')
    right.publishKeyed('k1.0 0', 'k1', 'k1.0 0')
    right.publish('1 0')
    right.publishKeyed('k1.0 0#again', 'k1', 'k1.0 0')
    const following = right.follow(['101 1'], false)
    await left.heard('1 0')
    await right.isAway()
    expect(right.listener.outcomes.size).toBe(0)
    await settled(nodes.all)
    nodes.check()
    const place = placeOf(left, 'k1.0 0')
    expect(Object.fromEntries<unknown>(right.listener.outcomes)).toEqual({
      '1 0': placeOf(left, '1 0'),
      'k0.0 0#same': placeOf(left, 'k0.0 0'),
      'k0.1 0#other': 'conflict',
      'k1.0 0': place,
      'k1.0 0#again': place,
    })
    expect([...right.listener.repeated]).toEqual(['k0.0 0#same', 'k1.0 0#again'])
    expect(await following).toEqual({ ok: true, value: 0 })
    expect(nodes.gaps).toEqual([0, 0])
  })

  test('is not reported as accepted when its outcome is unknown', async () => {
    await using redis = await RedisServer.start()
    await using proxy = await TcpProxy.start(redis.port)
    await using nodes = await Nodes.start(redis.url, proxy.url)
    const [left, right] = [nodes.at(0), nodes.at(1)]
    left.publishKeyed('a', 'a key', 'a')
    await right.heard('a')
    proxy.swallow('answers')
    right.publishKeyed('b', 'a key', 'b')
    right.publish('c')
    await left.heard('c')
    for (const key of (await redis.command('KEYS', 'comet:log:key:*')) as string[]) {
      await redis.command('DEL', key)
    }
    await right.accepted('c')
    await settled(nodes.all)
    expect(right.listener.outcomes.get('b')).toBe('unknown')
    for (const { listener } of nodes.all) expect(listener.texts).toEqual(['a', 'c'])
  })

  test('goes out once, though Redis has lost everything meanwhile', async () => {
    await using redis = await RedisServer.start()
    await using nodes = await Nodes.start(redis.url, redis.url, redis.url)
    const [left, right] = [nodes.at(0), nodes.at(1)]
    const texts = Array.from({ length: 20 }, (_, at) => `k${at}.0 0`)
    for (const text of texts) left.publishKeyed(text, text, text)
    for (const node of nodes.all) await node.heard(...texts)
    for (const lose of [() => redis.restart(), () => redis.command('FLUSHALL')]) {
      const { epoch } = left.bus.cursor
      await lose()
      await until('a new epoch', () => nodes.all.every(({ bus }) => bus.cursor.epoch > epoch))
      await settled(nodes.all)
    }
    for (const text of texts) right.publishKeyed(text, text, text)
    await right.accepted(...texts)
    expect(right.listener.repeated.size).toBe(texts.length)
    for (const { listener } of nodes.all) expect(listener.texts).toEqual(texts)
    expect(nodes.gaps).toEqual([0, 0, 0])
  })

  test('is refused when it has waited for too long, as others are', async () => {
    await using redis = await RedisServer.start()
    await using proxy = await TcpProxy.start(redis.port)
    const clock = new FakeClock()
    await using node = await RedisNode.start(proxy.url, { clock, limits: { waitCheckEveryMs: 1 } })
    proxy.swallow('answers')
    node.publishKeyed('a', 'a', 'a')
    await until('it was sent', () => node.redis.figures.queuedMessages === 1)
    await new Promise(setImmediate)
    proxy.cutOff()
    await node.isAway()
    node.publishKeyed('b', 'b', 'b')
    clock.advance(10_001)
    await until('both are told', () => node.listener.outcomes.size === 2)
    expect([...node.listener.outcomes]).toEqual([
      ['b', 'unavailable'],
      ['a', 'unknown'],
    ])
    proxy.isRefusing = false
    node.publishKeyed('c', 'c', 'c')
    await node.accepted('c')
    expect(node.listener.texts).toEqual(['a', 'c'])
  })
})
