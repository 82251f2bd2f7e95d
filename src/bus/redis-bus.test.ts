// Goal: a node that joins has the history, publishers that Redis keeps waiting are told in time,
// and what others write into Redis does no harm. Method: nodes on a real server.

import { describe, expect, test } from 'bun:test'
import { HAS_REDIS, RedisServer } from '../../scripts/support/redis.ts'
import { TcpProxy } from '../../scripts/support/tcp-proxy.ts'
import { FakeClock, until } from '../core/time.fixture.ts'
import { about, missed, reader } from '../log/log.fixture.ts'
import type { MessageLog } from '../log/message-log.ts'
import { RedisNode } from './bus.fixture.ts'
import { Nodes, settled } from './cluster.fixture.ts'

const KEY = 'comet:log'

function since(node: RedisNode, number: number): string[] | string {
  return missed(node.bus.window as MessageLog, reader(1), number)
}

describe.skipIf(!HAS_REDIS)('a node that joins', () => {
  test('has the history of all others, over restarts of Redis, and the same cursors', async () => {
    await using redis = await RedisServer.start({ isDurable: true })
    await using left = await RedisNode.start(redis.url)
    const start = left.bus.cursor
    const texts = Array.from({ length: 300 }, (_, at) => `0 ${at}`)
    for (const [at, text] of texts.entries()) {
      left.publish(text)
      if (at % 3 === 0) await left.accepted(text)
      if (at === 100) await redis.restart()
    }
    await left.accepted('0 299')
    const [, , third] = left.listener.heard
    await using right = await RedisNode.start(redis.url)
    await settled([left, right])
    // There is no listener yet.
    expect(right.listener.heard).toEqual([])
    expect(right.bus.cursor).toEqual(left.bus.cursor)
    expect(right.bus.numberOf(start)).toBe(start.number)
    expect(since(right, start.number)).toEqual(texts)
    const cursor = third !== undefined && 'cursor' in third ? third.cursor : start
    expect(cursor.epoch).toBeLessThan(right.bus.cursor.epoch)
    expect(since(right, Number(right.bus.numberOf(cursor)))).toEqual(texts.slice(3))
  })

  test('has the newest part of a history that was cut, and says so of the rest', async () => {
    await using redis = await RedisServer.start()
    const options = { historyBytes: 64 * 1024 }
    await using left = await RedisNode.start(redis.url, options)
    const start = left.bus.cursor
    for (let at = 0; at < 200; at++) {
      left.publish(`0 ${at} ${'x'.repeat(1_000)}`)
      if (at % 5 === 0) await settled([left])
    }
    left.publish('0 200')
    await left.accepted('0 200')
    await using right = await RedisNode.start(redis.url, options)
    await settled([left, right])
    expect(right.bus.cursor).toEqual(left.bus.cursor)
    expect(right.listener.gaps).toBe(0)
    expect(right.bus.numberOf(start)).toBeNull()
    const after = right.bus.window.oldest - 1
    expect(after).toBeGreaterThan(100)
    expect(since(right, after)).toEqual(since(left, after))
  })

  test('of another cluster on the same Redis hears nothing of the first', async () => {
    await using redis = await RedisServer.start()
    await using left = await RedisNode.start(redis.url, { prefix: 'left:' })
    await using right = await RedisNode.start(redis.url, { prefix: 'right:' })
    left.publish('0 0')
    right.publish('1 0')
    await left.accepted('0 0')
    await right.accepted('1 0')
    expect([left, right].map(({ listener }) => listener.texts)).toEqual([['0 0'], ['1 0']])
  })
})

describe.skipIf(!HAS_REDIS)('a stream that was further on another node', () => {
  test('waits until this one is there, also over an outage, and not for a place that is none', async () => {
    await using redis = await RedisServer.start()
    await using proxy = await TcpProxy.start(redis.port)
    await using left = await RedisNode.start(redis.url)
    await using right = await RedisNode.start(proxy.url)
    await settled([left, right])
    for (const hinder of ['delay', 'refuse'] as const) {
      proxy.delayMs = hinder === 'delay' ? 100 : 0
      proxy.isRefusing = hinder === 'refuse'
      if (proxy.isRefusing) proxy.cut()
      left.publish(`0 ${hinder}`)
      await left.accepted(`0 ${hinder}`)
      const place = left.bus.cursor
      const first = right.bus.settled(place)
      expect(first).not.toBeNull()
      proxy.isRefusing = false
      for (let again = first; again !== null; again = right.bus.settled(place)) {
        expect(await again).toBe(true)
      }
      expect(right.bus.cursor).toEqual(place)
    }
    proxy.delayMs = 0
    await until('it to be ready', () => right.redis.figures.isReady)
    const { epoch, number } = right.bus.cursor
    for (const nowhere of [
      { epoch, number: number + 1 },
      { epoch: epoch + 1, number: 1 },
    ]) {
      expect(await right.bus.settled(nowhere)).toBe(false)
    }
    expect(right.bus.settled({ epoch, number })).toBeNull()
  })
})

describe.skipIf(!HAS_REDIS)('publishers while Redis is away', () => {
  test('wait, in a queue with a bound, and are served when it is back', async () => {
    await using redis = await RedisServer.start()
    await using node = await RedisNode.start(redis.url, { limits: { queueMessagesMax: 3 } })
    await redis.kill()
    await node.isAway()
    node.publish('0 0', '0 1', '0 2', '0 3')
    expect([...node.listener.outcomes]).toEqual([['0 3', 'full']])
    await redis.startAgain()
    await node.accepted('0 0', '0 1', '0 2')
    expect(node.listener.texts).toEqual(['0 0', '0 1', '0 2'])
    node.publish('0 4')
    await node.accepted('0 4')
  })

  test('are refused beyond the bytes of the queue', async () => {
    await using redis = await RedisServer.start()
    await using node = await RedisNode.start(redis.url, { limits: { queueBytesMax: 2_500 } })
    await redis.kill()
    await node.isAway()
    for (const text of ['0', '1', '2']) node.publishItem(text, about(1, 'x'.repeat(1_000)))
    expect([...node.listener.outcomes]).toEqual([['2', 'full']])
  })

  test('are told after the longest wait whether it was sent, and it is heard at most once', async () => {
    await using redis = await RedisServer.start()
    await using proxy = await TcpProxy.start(redis.port)
    const clock = new FakeClock()
    await using node = await RedisNode.start(proxy.url, { clock, limits: { waitCheckEveryMs: 1 } })
    proxy.swallow('answers')
    node.publish('0 0')
    await until('it is there', () => node.redis.figures.queuedMessages === 1)
    // One more turn of the loop sends it.
    await new Promise(setImmediate)
    proxy.cutOff()
    await node.isAway()
    node.publish('0 1')
    clock.advance(10_001)
    await until('both are told', () => node.listener.outcomes.size === 2)
    expect([...node.listener.outcomes]).toEqual([
      ['0 1', 'unavailable'],
      ['0 0', 'unknown'],
    ])
    proxy.isRefusing = false
    node.publish('0 2')
    await node.accepted('0 2')
    expect(node.listener.texts).toEqual(['0 0', '0 2'])
  })

  test('are told when the node ends', async () => {
    await using redis = await RedisServer.start()
    const node = await RedisNode.start(redis.url)
    await redis.kill()
    await node.isAway()
    node.publish('0 0')
    await node.bus.close()
    expect([...node.listener.outcomes]).toEqual([['0 0', 'unavailable']])
  })
})

describe.skipIf(!HAS_REDIS)('what others do in Redis', () => {
  test.each([
    ['an entry of their own', ['XADD', KEY, '*', 'field', 'value']],
    ['a batch that is none', ['XADD', KEY, '*', 'o', 'x', 'n', '1', 'c', '1']],
    ['the log gone', ['DEL', KEY]],
    ['its state gone', ['DEL', `${KEY}:state`]],
    ['all scripts gone', ['SCRIPT', 'FLUSH']],
    ['all connections cut', ['CLIENT', 'KILL', 'TYPE', 'normal']],
  ] as const)('leaves %s, and the nodes go on', async (_, command) => {
    await using redis = await RedisServer.start()
    await using nodes = await Nodes.start(redis.url, redis.url)
    nodes.at(0).publish('0 0', '0 1')
    await nodes.at(1).heard('0 1')
    await settled(nodes.all)
    const [name, ...args] = command
    await redis.command(name, ...args)
    nodes.at(0).publish('0 2')
    nodes.at(1).publish('1 0')
    for (const node of nodes.all) await node.heard('0 2', '1 0')
    await settled(nodes.all)
    nodes.check()
    expect(nodes.gaps).toEqual([0, 0])
  })

  test('a batch with damaged content is a gap, and nothing of it is heard', async () => {
    await using redis = await RedisServer.start()
    await using nodes = await Nodes.start(redis.url, redis.url)
    nodes.at(0).publish('0 0')
    await nodes.at(1).heard('0 0')
    const { epoch } = nodes.at(0).bus.cursor
    const fields = ['o', '0'.repeat(16), 'n', '1', 'c', '2', 't', '1', 'h', 'a1,1 a1', 'm', 'xy']
    await redis.command('XADD', KEY, `${epoch}-*`, ...fields)
    nodes.at(0).publish('0 1')
    await nodes.at(1).heard('0 1')
    expect(nodes.at(1).listener.texts).toEqual(['0 0', 'gap', '0 1'])
    expect(nodes.at(1).redis.figures.foreign).toBe(1)
  })
})
