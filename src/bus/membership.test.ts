// Goal: all nodes know the same members, soon after one joins, stops, dies or comes back, and none
// is taken for dead because Redis was away. Method: nodes on a real Redis, and in processes of
// their own that are killed and frozen.

import { describe, expect, test } from 'bun:test'
import { HAS_REDIS, RedisServer } from '../../scripts/support/redis.ts'
import { TcpProxy } from '../../scripts/support/tcp-proxy.ts'
import type { NodeLimits } from '../core/bus-limits.ts'
import { until } from '../core/time.fixture.ts'
import { RedisNode } from './bus.fixture.ts'
import { Nodes, sameMembers, settled } from './cluster.fixture.ts'
import { NodeProcess } from './node-process.fixture.ts'

/** A machine that is busy stands still for a hundred milliseconds now and then. */
const SHORT: Partial<NodeLimits> = { beatEveryMs: 50, aliveMs: 500, judgeAfterMs: 600 }
const NAMES = ['left', 'middle', 'right']

/** Waits until the nodes have sent heartbeats for long enough to judge others. */
async function steady(redis: RedisServer, ms = 800): Promise<void> {
  await passed(ms)
  expect(await redis.command('HLEN', 'comet:nodes')).toBeGreaterThan(1)
}

/** Time is what heartbeats are about. */
async function passed(ms: number): Promise<void> {
  const startedMs = performance.now()
  await until(`${ms} ms have passed`, () => performance.now() - startedMs > ms)
}

/** What the log says of the members: `j` or `l`, and the version. */
async function changes(redis: RedisServer): Promise<string[]> {
  const entries = (await redis.command('XRANGE', 'comet:log', '-', '+')) as [string, string[]][]
  const heads = entries.flatMap(([, fields]) => (fields[1] === 'f'.repeat(16) ? fields[9] : []))
  return heads.map((head = '') => `${head[0]}${head.slice(18)}`)
}

async function know(nodes: readonly RedisNode[], ...names: readonly string[]): Promise<void> {
  const wanted = names.toSorted().join()
  await until(`all know ${wanted}`, () => nodes.every(({ members }) => members.join() === wanted))
}

describe.skipIf(!HAS_REDIS)('the members', () => {
  test('are the same on all nodes, each with what it has said of itself', async () => {
    await using redis = await RedisServer.start()
    const beforeMs = Date.now()
    await using nodes = await Nodes.start(redis.url, redis.url, redis.url)
    await sameMembers(nodes.all)
    const [first] = nodes.at(2).redis.members.all
    expect(first).toMatchObject({ address: '127.0.0.1:8001', version: '0.0.0' })
    expect(first?.sinceMs).toBeGreaterThan(beforeMs - 2_000)
    for (const node of nodes.all) {
      expect(node.members).toEqual(NAMES)
      expect(node.recorder.told.toSorted()).toEqual(NAMES.map((name) => `${name} joined`))
    }
    await settled(nodes.all)
    expect(await changes(redis)).toEqual(['j1', 'j2', 'j3'])
  })

  test('lose one that stops at once, and all are told that it has said so', async () => {
    await using redis = await RedisServer.start()
    await using nodes = await Nodes.start(redis.url, redis.url, redis.url)
    await sameMembers(nodes.all)
    await nodes.at(1).bus.close()
    await know([nodes.at(0), nodes.at(2)], 'left', 'right')
    expect(nodes.at(0).recorder.told.at(-1)).toBe('middle stopped')
    expect(nodes.at(2).recorder.told.at(-1)).toBe('middle stopped')
    expect(await redis.command('EXISTS', `comet:node:${nodes.at(1).origin}`)).toBe(0)
    expect(await changes(redis)).toEqual(['j1', 'j2', 'j3', 'l4'])
  })

  test('lose one that is cut off, by one entry of the log, and have it again', async () => {
    await using redis = await RedisServer.start()
    await using proxy = await TcpProxy.start(redis.port)
    const urls = [redis.url, redis.url, proxy.url]
    await using nodes = await Nodes.startWith({ nodeLimits: SHORT }, ...urls)
    await steady(redis)
    proxy.cutOff()
    await know([nodes.at(0), nodes.at(1)], 'left', 'middle')
    expect(nodes.at(0).recorder.told.at(-1)).toBe('right died')
    // It does not know anything else as long as it is away.
    expect(nodes.at(2).members).toEqual(NAMES)
    proxy.isRefusing = false
    await sameMembers(nodes.all)
    expect(nodes.at(1).recorder.told.slice(-2)).toEqual(['right died', 'right joined'])
    expect(await changes(redis)).toEqual(['j1', 'j2', 'j3', 'l4', 'j5'])
    expect(nodes.gaps).toEqual([0, 0, 0])
  })

  test('lose one whose bytes vanish, and have it again by its new connections', async () => {
    await using redis = await RedisServer.start()
    await using proxy = await TcpProxy.start(redis.port)
    const options = { nodeLimits: SHORT, redisLimits: { answerMsMax: 1_200 } }
    await using nodes = await Nodes.startWith(options, redis.url, redis.url, proxy.url)
    await steady(redis)
    proxy.swallow('both')
    await know([nodes.at(0), nodes.at(1)], 'left', 'middle')
    await sameMembers(nodes.all)
    expect(nodes.at(0).recorder.told.slice(-2)).toEqual(['right died', 'right joined'])
  })

  test('lose one that is killed, and one that is frozen until it goes on', async () => {
    await using redis = await RedisServer.start()
    await using left = await RedisNode.start(redis.url, { name: 'left', nodeLimits: SHORT })
    await using middle = new NodeProcess(redis.url, 'middle', SHORT)
    await using right = new NodeProcess(redis.url, 'right', SHORT)
    for (const node of [middle, right]) await node.knows(...NAMES)
    await steady(redis)
    middle.kill('SIGKILL')
    await right.knows('left', 'right')
    await know([left], 'left', 'right')
    right.kill('SIGSTOP')
    await know([left], 'left')
    right.kill('SIGCONT')
    // It is told that it was taken for dead, too.
    await right.knows('left')
    await right.knows('left', 'right')
    await know([left], 'left', 'right')
    const told = ['middle died', 'right died', 'right joined']
    expect(left.recorder.told.slice(-3)).toEqual(told)
  })

  test('are still there after Redis stood still for longer than heartbeats count', async () => {
    await using redis = await RedisServer.start()
    const options = { nodeLimits: SHORT, redisLimits: { answerMsMax: 3_000 } }
    await using nodes = await Nodes.startWith(options, redis.url, redis.url, redis.url)
    await steady(redis)
    redis.pause()
    await passed(1_000)
    redis.resume()
    nodes.at(0).publish('0 0')
    for (const node of nodes.all) await node.heard('0 0')
    await steady(redis)
    expect(await changes(redis)).toEqual(['j1', 'j2', 'j3'])
  })

  test('have time to come back to a Redis that stood still', async () => {
    await using redis = await RedisServer.start()
    await using proxy = await TcpProxy.start(redis.port)
    const nodeLimits = { ...SHORT, judgeAfterMs: 1_800 }
    const options = { nodeLimits, redisLimits: { answerMsMax: 3_000 } }
    await using nodes = await Nodes.startWith(options, redis.url, redis.url, proxy.url)
    await steady(redis, 2_000)
    redis.pause()
    await passed(1_000)
    proxy.cutOff()
    redis.resume()
    // The others never lost their connections, and go on at once.
    nodes.at(0).publish('0 0')
    await nodes.at(1).heard('0 0')
    // Longer than the last heartbeat of the third one counts.
    await passed(900)
    proxy.isRefusing = false
    await nodes.at(2).heard('0 0')
    await steady(redis, 1_000)
    expect(await changes(redis)).toEqual(['j1', 'j2', 'j3'])
  })

  test.each([
    ['a restart of Redis without a file', null],
    ['FLUSHALL', ['FLUSHALL']],
    ['a DEL', ['DEL', 'comet:nodes']],
  ] as const)('are the same after %s, and one that joins then knows all', async (_, command) => {
    await using redis = await RedisServer.start()
    const options = { nodeLimits: SHORT }
    await using nodes = await Nodes.startWith(options, redis.url, redis.url, redis.url)
    await sameMembers(nodes.all)
    if (command === null) await redis.restart()
    else await redis.command(command[0], ...command.slice(1))
    await until('they have found out', () =>
      nodes.all.every(({ redis: { members, figures } }) => {
        return members.version > 3 && (command?.[0] === 'DEL' || figures.forks > 1)
      }),
    )
    await using late = await RedisNode.start(redis.url, { ...options, name: 'late' })
    await sameMembers([...nodes.all, late])
    for (const node of nodes.all) {
      expect(node.recorder.told.filter((text) => !text.endsWith('joined'))).toEqual([])
      expect(node.recorder.told).toHaveLength(4)
    }
    // One of them has told Redis of all: none had to join again.
    const before = command?.[0] === 'DEL' ? ['j1', 'j2', 'j3'] : []
    expect(await changes(redis)).toEqual([...before, 'j5'])
    expect(nodes.gaps).toEqual([0, 0, 0])
  })

  test('are known to one that joins when the log does not tell of them any more', async () => {
    await using redis = await RedisServer.start()
    await using nodes = await Nodes.start(redis.url, redis.url)
    for (let at = 0; at < 10; at++) nodes.at(0).publish(`0 ${at}`)
    await nodes.at(1).heard('0 9')
    await redis.command('XTRIM', 'comet:log', 'MAXLEN', '1')
    expect(await changes(redis)).toEqual([])
    await using late = await RedisNode.start(redis.url, { name: 'right' })
    await sameMembers([...nodes.all, late])
    expect(late.recorder.told.toSorted()).toEqual(NAMES.map((name) => `${name} joined`))
  })

  test('that were all killed are found dead by the next one', async () => {
    await using redis = await RedisServer.start()
    {
      await using old = new NodeProcess(redis.url, 'old')
      await old.knows('old')
      old.kill('SIGKILL')
    }
    await using node = await RedisNode.start(redis.url, { name: 'left', nodeLimits: SHORT })
    expect(node.members).toEqual(['left', 'old'])
    await know([node], 'left')
    expect(node.recorder.told).toContain('old died')
  })

  test('of two clusters on one Redis are two', async () => {
    await using redis = await RedisServer.start()
    await using left = await RedisNode.start(redis.url, { prefix: 'left:', name: 'left' })
    await using right = await RedisNode.start(redis.url, { prefix: 'right:', name: 'right' })
    expect([left.members, right.members]).toEqual([['left'], ['right']])
    expect((await left.redis.requests.ask('echo', 'a')).missing).toEqual([])
  })

  test.each([
    ['a member that is none', ['HSET', 'comet:nodes', '0'.repeat(16), 'x']],
    ['a field that is none', ['HSET', 'comet:nodes', 'name', '1 {}']],
    ['a version that is none', ['HSET', 'comet:nodes', 'version', 'x']],
    ['a version that is too high', ['HSET', 'comet:nodes', 'version', '9e99']],
    ['a counter that is none', ['SET', `comet:log:origin:${'f'.repeat(16)}`, '-1e99']],
    ['something else in an inbox', ['SET', 'comet:inbox:INBOX', 'x']],
  ] as const)('are right in spite of %s', async (_, [name, ...args]) => {
    await using redis = await RedisServer.start()
    const options = { nodeLimits: SHORT }
    await using nodes = await Nodes.startWith(options, redis.url, redis.url)
    await sameMembers(nodes.all)
    await redis.command(name, ...args.map((text) => text.replace('INBOX', nodes.at(0).origin)))
    await using late = await RedisNode.start(redis.url, { ...options, name: 'right' })
    await sameMembers([...nodes.all, late])
    await late.bus.close()
    await sameMembers(nodes.all)
    nodes.at(0).publish('0 0')
    await nodes.at(1).heard('0 0')
    expect(nodes.gaps).toEqual([0, 0])
  })

  test('do not hinder messages where something else is in their place', async () => {
    await using redis = await RedisServer.start()
    await using node = await RedisNode.start(redis.url, { nodeLimits: SHORT })
    await redis.command('DEL', 'comet:nodes')
    await redis.command('SET', 'comet:nodes', 'x')
    const { sinceMs } = node.redis.figures.link
    await steadyText(node)
    expect(node.redis.figures.link.sinceMs).toBe(sinceMs)
    await redis.command('DEL', 'comet:nodes')
    await until('it is there again', () => node.redis.members.version > 1)
    expect(node.members).toHaveLength(1)
  })
})

/** Over several heartbeats, messages pass. */
async function steadyText(node: RedisNode): Promise<void> {
  const startedMs = performance.now()
  let count = 0
  while (performance.now() - startedMs < 300) {
    node.publish(`0 ${count}`)
    await node.accepted(`0 ${count++}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  expect(count).toBeGreaterThan(5)
}
