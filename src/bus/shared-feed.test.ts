// Goal: a reader of the feed of several nodes, at any of them, knows exactly who is connected
// with all, whatever becomes of nodes and of Redis. Method: the contract of every feed, and nodes
// on a real Redis that die, and that lose it.

import { describe, expect, test } from 'bun:test'
import { waitFor } from '../../scripts/support/child-process.ts'
import { HAS_REDIS, RedisServer } from '../../scripts/support/redis.ts'
import { until } from '../core/time.fixture.ts'
import { feedSourceContract } from '../log/feed-source.contract.ts'
import { FeedNode, type FeedNodeOptions, Follower, SHORT_LIVES } from './feed-node.fixture.ts'

class FeedNodes implements AsyncDisposable {
  readonly redis: RedisServer
  readonly all: FeedNode[]

  static async start(count: number, options: FeedNodeOptions = {}): Promise<FeedNodes> {
    return await FeedNodes.startEach(Array.from({ length: count }, () => options))
  }

  /** One for each of these. */
  static async startEach(each: readonly FeedNodeOptions[]): Promise<FeedNodes> {
    const redis = await RedisServer.start()
    const names = ['left', 'middle', 'right']
    const starts = each.map((options, at) => {
      return FeedNode.start(redis.url, { name: names[at] ?? '', ...options })
    })
    return new FeedNodes(redis, await Promise.all(starts))
  }

  private constructor(redis: RedisServer, all: FeedNode[]) {
    this.redis = redis
    this.all = all
  }

  at(index: number): FeedNode {
    return this.all[index] as FeedNode
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.all.map((node) => node[Symbol.asyncDispose]()))
    await this.redis[Symbol.asyncDispose]()
  }
}

if (HAS_REDIS) {
  feedSourceContract(async () => {
    const nodes = await FeedNodes.start(3, {
      ...{ bytes: 64 * 256, feedBytes: 2 ** 16, limits: { tailEventsMax: 100 } },
    })
    let turn = 0
    return {
      source: nodes.at(2).source,
      eventsMax: 1_500,
      close: async () => {
        for (const node of nodes.all) node.feed.close()
        await nodes.at(2).sharing.close()
      },
      // One after the other at different nodes, as their order is to be seen.
      add: async (users) => {
        for (let at = 0; at < users.length; at += 100) {
          const node = nodes.at(turn++ % nodes.all.length)
          for (const user of users.slice(at, at + 100)) node.connect(user)
          await node.isSent()
        }
      },
      [Symbol.asyncDispose]: () => nodes[Symbol.asyncDispose](),
    }
  })
}

describe.skipIf(!HAS_REDIS)('who follows the feed of several nodes', () => {
  test('is told of the connections of all of them, with node, time and reason', async () => {
    await using nodes = await FeedNodes.start(3)
    const follower = new Follower(nodes.at(0))
    const [left, middle, right] = [nodes.at(0), nodes.at(1), nodes.at(2)]
    const one = left.connect(7)
    await follower.has('7 connected')
    middle.connect('alice')
    await follower.has('alice connected')
    right.connect(7)
    await until('it comes', () => follower.events.length === 3)
    left.disconnect(one, 'slow')
    await follower.has('7 slow')
    expect(follower.short).toEqual(['7 connected', 'alice connected', '7 connected', '7 slow'])
    const [first, second, , last] = follower.events
    expect(first).toMatchObject({ node: 'left', online: true, connection: `${left.run}-0-f4241` })
    expect(first?.sinceMs).toBe(1_000)
    expect(second).toMatchObject({ node: 'middle', user: 'alice', atMs: 1_000 })
    expect(last).toMatchObject({ node: 'left', online: false, sinceMs: 1_000 })
    expect(Date.now() - (last?.atMs ?? 0)).toBeWithin(0, 60_000)
    await follower.stop()
  })

  test('goes on at another node with its cursor', async () => {
    await using nodes = await FeedNodes.start(3)
    const follower = new Follower(nodes.at(0))
    for (let user = 1; user <= 300; user++) nodes.at(user % 3).connect(user)
    await until('some come', () => follower.events.length > 0)
    await follower.moveTo(nodes.at(1))
    for (let user = 301; user <= 600; user++) nodes.at(user % 3).connect(user)
    await follower.moveTo(nodes.at(2))
    await follower.agreesWith(nodes.all)
    expect(follower.events.length).toBe(600)
    expect(follower.gaps).toEqual([])
    await follower.stop()
  })

  test('is told once of what was told while its node knew it', async () => {
    await using nodes = await FeedNodes.start(2)
    for (let user = 1; user <= 2_000; user++) nodes.at(user % 2).connect(user)
    await Promise.all(nodes.all.map((node) => node.isSent()))
    const follower = new Follower(nodes.at(0), true)
    await follower.agreesWith(nodes.all)
    expect(follower.events.length).toBe(0)
    for (const which of [...nodes.at(1).open.keys()].slice(0, 500)) nodes.at(1).disconnect(which)
    await follower.agreesWith(nodes.all)
    await follower.stop()
  })

  test('is told the ends of a node that stops, which leaves nothing behind', async () => {
    await using nodes = await FeedNodes.start(2)
    const follower = new Follower(nodes.at(0))
    const [, right] = nodes.all
    for (const user of [1, 2, 3]) right?.connect(user)
    await follower.agreesWith(nodes.all)
    await right?.stop()
    await follower.agreesWith(nodes.all)
    expect(follower.short.slice(3).toSorted()).toEqual(['1 drained', '2 drained', '3 drained'])
    const left = nodes.at(0).bus.origin
    expect(
      Object.keys((await nodes.redis.command('HGETALL', 'comet:feed:nodes')) as object),
    ).toEqual([left])
    expect(await nodes.redis.command('KEYS', 'comet:connected:*')).toEqual([
      `comet:connected:${left}`,
    ])
    await follower.stop()
  })
})

describe.skipIf(!HAS_REDIS)('a node that dies', () => {
  test('is told by one of the others', async () => {
    await using nodes = await FeedNodes.start(3, { nodeLimits: SHORT_LIVES })
    const follower = new Follower(nodes.at(0))
    const dead = nodes.at(2)
    for (let user = 1; user <= 1_000; user++) dead.connect(user)
    nodes.at(1).connect(7)
    await follower.agreesWith(nodes.all)
    await dead.kill()
    await follower.agreesWith([nodes.at(0), nodes.at(1)])
    const lost = follower.events.filter(({ reason }) => reason === 'lost')
    expect(lost.length).toBe(1_000)
    expect(new Set(lost.map(({ connection }) => connection)).size).toBe(1_000)
    expect(lost.every(({ online, node }) => !online && node === 'right')).toBe(true)
    await until('one has counted it', () => {
      return nodes.all.reduce((sum, { sharing }) => sum + sharing.figures.nodesRemoved, 0) === 1
    })
    expect(await nodes.redis.command('EXISTS', `comet:connected:${dead.bus.origin}`)).toBe(0)
    await follower.stop()
  })

  test('and comes back, tells of all its connections again', async () => {
    // Its heartbeats are so seldom that the other one looks between two of them.
    const seldom = { ...SHORT_LIVES, beatEveryMs: 300, aliveMs: 3_000 }
    await using nodes = await FeedNodes.startEach([
      { nodeLimits: SHORT_LIVES },
      { nodeLimits: seldom },
    ])
    const follower = new Follower(nodes.at(0))
    const [left, right] = [nodes.at(0), nodes.at(1)]
    for (let user = 1; user <= 300; user++) right.connect(user)
    left.connect(1_000)
    await follower.agreesWith(nodes.all)
    // Redis forgets that it lives, and the other one takes it for dead.
    await waitFor('it counts as dead', async () => {
      await nodes.redis.command('DEL', `comet:node:${right.bus.origin}`)
      return follower.short.includes('300 lost')
    })
    await follower.agreesWith(nodes.all)
    expect(right.sharing.figures.renewals).toBeGreaterThan(0)
    await follower.stop()
  })

  test('and whose end was not reported is reported by the next look', async () => {
    await using nodes = await FeedNodes.start(2, { nodeLimits: SHORT_LIVES })
    const follower = new Follower(nodes.at(0))
    nodes.at(0).connect(1)
    await follower.has('1 connected')
    const origin = 'a'.repeat(16)
    const connected = `comet:connected:${origin}`
    await nodes.redis.command('HSET', connected, '@', '1 9', '0-f4240', '1 7', '0-f4241', '1 bob')
    await nodes.redis.command('HSET', 'comet:feed:nodes', origin, 'abc gone')
    await until('both are told', () => follower.events.length === 3)
    expect(follower.events.slice(1)).toMatchObject([
      { node: 'gone', user: 7, connection: 'abc-0-f4240', sinceMs: 1_000, reason: 'lost' },
      { node: 'gone', user: 'bob', connection: 'abc-0-f4241', online: false },
    ])
    await waitFor('nothing of it is left', async () => {
      return (await nodes.redis.command('EXISTS', connected)) === 0
    })
    await follower.stop()
  })
})

describe.skipIf(!HAS_REDIS)('Redis', () => {
  test.each([
    ['restarted without a file', (redis: RedisServer) => redis.restart()],
    ['flushed', (redis: RedisServer) => redis.command('FLUSHALL')],
    ['without its feed', (redis: RedisServer) => redis.command('DEL', 'comet:feed:state')],
    ['written to by others', (redis: RedisServer) => redis.command(...FOREIGN)],
    ['without a list', (redis: RedisServer) => redis.command('EVAL', DROP_CONNECTED, '0')],
  ])('that is %s gets all connections again', async (_, lose) => {
    await using nodes = await FeedNodes.start(3)
    const plain = new Follower(nodes.at(0))
    const withSnapshots = new Follower(nodes.at(1), true)
    for (let user = 1; user <= 700; user++) nodes.at(user % 3).connect(user)
    await plain.agreesWith(nodes.all)
    await withSnapshots.agreesWith(nodes.all)
    await lose(nodes.redis)
    for (const node of nodes.all) {
      for (const which of [...node.open.keys()].slice(0, 50)) node.disconnect(which)
    }
    nodes.at(1).connect(1_000)
    await plain.agreesWith(nodes.all)
    await withSnapshots.agreesWith(nodes.all)
    await until('all nodes have begun again', () =>
      nodes.all.every(({ sharing }) => sharing.figures.renewals > 0),
    )
    await plain.agreesWith(nodes.all)
    const late = new Follower(nodes.at(2), true)
    await late.agreesWith(nodes.all)
    await Promise.all([plain, withSnapshots, late].map((one) => one.stop()))
  })

  test('that is away for long is told what is so then, though events have left the window', async () => {
    await using nodes = await FeedNodes.start(2, { feedBytes: 4_096 })
    const follower = new Follower(nodes.at(0))
    const [left, right] = [nodes.at(0), nodes.at(1)]
    for (let user = 1; user <= 100; user++) right.connect(user)
    await follower.agreesWith(nodes.all)
    nodes.redis.pause()
    for (const which of right.open.keys()) right.disconnect(which)
    for (let user = 101; user <= 400; user++) right.connect(user)
    nodes.redis.resume()
    await follower.agreesWith(nodes.all)
    expect([left.sharing.figures.renewals, right.sharing.figures.renewals]).toEqual([0, 1])
    expect(follower.gaps).toEqual([])
    expect(follower.events.filter(({ reason }) => reason === 'lost').length).toBe(100)
    await follower.stop()
  })

  test('whose answer is lost gets no event twice', async () => {
    await using nodes = await FeedNodes.start(2)
    const follower = new Follower(nodes.at(0))
    const [, right] = nodes.all as [FeedNode, FeedNode]
    right.proxy.swallow('answers')
    const first = right.connect(1)
    await follower.has('1 connected')
    right.disconnect(first)
    for (let user = 2; user <= 50; user++) right.connect(user)
    right.proxy.cut()
    await follower.agreesWith(nodes.all)
    expect(follower.events.map(({ user }) => user)).toEqual([
      ...[1, 1, ...Array.from({ length: 49 }, (_, at) => at + 2)],
    ])
    expect(right.sharing.figures).toMatchObject({ renewals: 0, sent: 51 })
    await follower.stop()
  })

  test('that is away keeps readers waiting, and lets none begin', async () => {
    await using nodes = await FeedNodes.start(2, { limits: { beginMsMax: 50 } })
    const follower = new Follower(nodes.at(0))
    nodes.at(1).connect(1)
    await follower.agreesWith(nodes.all)
    await nodes.redis.kill()
    await until('it is away', () => !nodes.at(0).bus.isReady)
    expect(await nodes.at(1).source.begin('live')).toBeNull()
    expect(await nodes.at(1).present(0, 10)).toBeNull()
    await nodes.redis.startAgain()
    nodes.at(1).connect(2)
    await follower.agreesWith(nodes.all)
    await follower.stop()
  })
})

const FOREIGN = ['XADD', 'comet:feed', '*', 'a', 'b'] as const

const DROP_CONNECTED = `for _, key in ipairs(redis.call('KEYS', 'comet:connected:*')) do
  redis.call('DEL', key) end`

test.skipIf(!HAS_REDIS)('connections to Redis end with the last reader', async () => {
  await using nodes = await FeedNodes.start(1, { limits: { idleMs: 30 } })
  const clients = async () => Number(await nodes.redis.info('connected_clients'))
  const before = await clients()
  const stop = nodes.at(0).source.listen(() => undefined)
  await waitFor('they are there', async () => (await clients()) === before + 2)
  stop()
  await waitFor('they are not there', async () => (await clients()) === before)
  const follower = new Follower(nodes.at(0))
  nodes.at(0).connect(1)
  await follower.agreesWith(nodes.all)
  await follower.stop()
})
