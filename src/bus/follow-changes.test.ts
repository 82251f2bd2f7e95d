// Goal: who follows whom is the same in Redis and on all nodes, and each change is told once it
// counts on the node that made it. Method: nodes on a real Redis; what each knows, and the sets.

import { describe, expect, test } from 'bun:test'
import { HAS_REDIS, RedisServer } from '../../scripts/support/redis.ts'
import { busLimits } from '../core/bus-limits.ts'
import { until } from '../core/time.fixture.ts'
import { user } from '../log/log.fixture.ts'
import { wrongFollows } from './accounts.fixture.ts'
import type { RedisNode } from './bus.fixture.ts'
import { Nodes, settled } from './cluster.fixture.ts'

async function wrong(nodes: Nodes): Promise<string[]> {
  await settled(nodes.all)
  return await wrongFollows(nodes.all, nodes.at(0).load)
}

function known({ graph }: RedisNode): string[] {
  return [...graph.pairs].toSorted()
}

describe.skipIf(!HAS_REDIS)('changes of who follows whom', () => {
  test('count on their own node once they are told, and on all others', async () => {
    await using redis = await RedisServer.start()
    await using nodes = await Nodes.start(redis.url, redis.url, redis.url)
    const [left, right] = [nodes.at(0), nodes.at(1)]
    expect(await left.follow(['1 2', '1 3', '2 3'])).toEqual({ ok: true, value: 3 })
    expect(known(left)).toEqual(['1 2', '1 3', '2 3'])
    expect(await right.follow(['1 3', '1 4'])).toEqual({ ok: true, value: 1 })
    // What others have changed before counts there, too.
    expect(known(right)).toEqual(['1 2', '1 3', '1 4', '2 3'])
    expect(await left.follow(['1 2', '7 7'], false)).toEqual({ ok: true, value: 1 })
    expect(await wrong(nodes)).toEqual([])
    expect(known(nodes.at(2))).toEqual(['1 3', '1 4', '2 3'])
  })

  test('that change nothing are told as such once their node knows it', async () => {
    await using redis = await RedisServer.start()
    await using nodes = await Nodes.start(redis.url, redis.url)
    const [left, right] = [nodes.at(0), nodes.at(1)]
    const { cursor } = left.bus
    const both = [left.follow(['1 2']), right.follow(['1 2'])]
    const results = await Promise.all(both)
    expect(results.map((result) => result.ok && result.value).toSorted()).toEqual([0, 1])
    for (const node of nodes.all) expect(known(node)).toEqual(['1 2'])
    expect(left.bus.cursor.number).toBe(cursor.number + 1)
    expect(await left.follow([])).toEqual({ ok: true, value: 0 })
  })

  test('keep their place among the messages of their node', async () => {
    await using redis = await RedisServer.start()
    await using nodes = await Nodes.start(redis.url, redis.url)
    const [left] = nodes.all as [RedisNode]
    const before = left.bus.cursor.number
    left.publish('a')
    const following = left.follow(['1 2'])
    left.publish('b')
    expect((await following).ok).toBe(true)
    await left.accepted('b')
    const numbers = left.listener.heard.map((one) => 'cursor' in one && one.cursor.number)
    expect(numbers).toEqual([before + 1, before + 3])
  })

  test('of names are those of all nodes, whatever their handles are', async () => {
    await using redis = await RedisServer.start()
    await using nodes = await Nodes.start(redis.url, redis.url)
    const pair = { user: user(4_000_000_001, 'alice'), subject: user(4_000_000_002, 'room:42') }
    const changed = await nodes.at(0).redis.changeFollows([pair], true, null)
    expect(changed).toEqual({ ok: true, value: 1 })
    expect(await wrong(nodes)).toEqual([])
    expect(known(nodes.at(1))).toEqual(['alice room:42'])
  })

  test('are refused whole if a user would follow too many', async () => {
    await using redis = await RedisServer.start()
    await using nodes = await Nodes.start(redis.url, redis.url)
    const [left, right] = [nodes.at(0), nodes.at(1)]
    expect(await left.follow(['1 2', '1 3'], true, 2)).toEqual({ ok: true, value: 2 })
    expect(await right.follow(['2 2', '1 4'], true, 2)).toEqual({ ok: false, why: 'limit' })
    right.publish('1 0')
    await right.accepted('1 0')
    expect(await wrong(nodes)).toEqual([])
    expect(known(left)).toEqual(['1 2', '1 3'])
  })

  test('are as many as a batch may have, and no more', async () => {
    await using redis = await RedisServer.start()
    await using nodes = await Nodes.start(redis.url, redis.url)
    const [left] = nodes.all as [RedisNode]
    const pairs = Array.from({ length: busLimits.batchMessagesMax }, (_, at) => `${1 + at} 5`)
    expect(await left.follow(pairs)).toEqual({ ok: true, value: pairs.length })
    expect(left.follow([...pairs, '1 6'])).rejects.toThrow(RangeError)
    expect(await wrong(nodes)).toEqual([])
    expect(known(nodes.at(1))).toHaveLength(pairs.length)
  })

  test('are as Redis has them after it has lost everything, on all nodes', async () => {
    await using redis = await RedisServer.start()
    await using nodes = await Nodes.start(redis.url, redis.url)
    const [left, right] = [nodes.at(0), nodes.at(1)]
    await left.follow(['1 2', '1 3'])
    await settled(nodes.all)
    const { epoch } = left.bus.cursor
    await redis.command('FLUSHALL')
    await until('a new epoch', () => nodes.all.every(({ bus }) => bus.cursor.epoch > epoch))
    expect(await right.follow(['1 4'])).toEqual({ ok: true, value: 1 })
    expect(await wrong(nodes)).toEqual([])
    for (const node of nodes.all) expect(known(node)).toEqual(['1 4'])
    expect(nodes.gaps).toEqual([0, 0])
  })

  test('are told to be closed, or not to be known, when their node ends', async () => {
    await using redis = await RedisServer.start()
    await using nodes = await Nodes.start(redis.url)
    const [left] = nodes.all as [RedisNode]
    await redis.kill()
    await left.isAway()
    const following = left.follow(['1 2'])
    await left.bus.close()
    expect(await following).toEqual({ ok: false, why: 'unavailable' })
    expect(await left.follow(['1 2'])).toEqual({ ok: false, why: 'closed' })
  })
})
