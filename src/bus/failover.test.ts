// Goal: a replica that takes over without the last of what was accepted costs nothing where any
// node has it, and a gap where none has. Method: a master and a replica that is held back, behind
// one address; then exact accounts.

import { describe, expect, test } from 'bun:test'
import { HAS_REDIS, RedisServer } from '../../scripts/support/redis.ts'
import { TcpProxy } from '../../scripts/support/tcp-proxy.ts'
import type { Cursor } from '../core/cursor.ts'
import { until } from '../core/time.fixture.ts'
import type { MessageBus } from '../log/message-bus.ts'
import { wrongFollows } from './accounts.fixture.ts'
import { RedisNode, type RedisNodeOptions } from './bus.fixture.ts'
import { cutOff, Nodes, sameMembers, settled, Traffic } from './cluster.fixture.ts'
import { RedisPair } from './redis-pair.fixture.ts'

function textsOf(publisher: number, from: number, count: number): string[] {
  return Array.from({ length: count }, (_, at) => `${publisher} ${from + at}`)
}

/** Each in a turn of its own, so that it is a batch of its own. */
async function publishEach(node: RedisNode, texts: readonly string[]): Promise<void> {
  for (const text of texts) {
    node.publish(text)
    await node.accepted(text)
  }
}

/** All nodes and the replica have so many messages; the replica does not get what comes next. */
async function holdBehind(pair: RedisPair, nodes: Nodes, count: number): Promise<void> {
  await publishEach(nodes.at(0), textsOf(0, 0, count))
  await settled(nodes.all)
  await pair.isInStep()
  pair.hold()
}

/** Waits as a stream does that resumes behind a place. Answers whether all is there by then. */
async function isSettled(bus: MessageBus, place: Cursor): Promise<boolean> {
  for (let settling = bus.settled(place); settling !== null; settling = bus.settled(place)) {
    if (!(await settling)) return false
  }
  return true
}

describe.skipIf(!HAS_REDIS)('a failover that loses a tail', () => {
  test('is no gap to nodes that have it all, and cursors in it still count', async () => {
    await using pair = await RedisPair.start()
    const { url } = pair.proxy
    await using nodes = await Nodes.start(url, url, url)
    await holdBehind(pair, nodes, 10)
    await publishEach(nodes.at(0), textsOf(0, 10, 20))
    await publishEach(nodes.at(1), textsOf(1, 0, 20))
    await settled(nodes.all)
    const { cursor } = nodes.at(2).bus
    await pair.failOver()
    await publishEach(nodes.at(2), textsOf(2, 0, 10))
    await settled(nodes.all)
    nodes.check()
    expect(nodes.gaps).toEqual([0, 0, 0])
    expect(nodes.at(0).bus.cursor.epoch).toBeGreaterThan(cursor.epoch)
    for (const { bus } of nodes.all) expect(bus.numberOf(cursor)).toBe(cursor.number)
  })

  test('reaches a node that was cut off before it, though its publisher is dead', async () => {
    await using pair = await RedisPair.start()
    await using nodes = await Nodes.start(pair.proxy.url, pair.proxy.url, pair.other.url)
    await holdBehind(pair, nodes, 10)
    await cutOff(pair.other, nodes.at(2))
    await publishEach(nodes.at(0), textsOf(0, 10, 20))
    await nodes.at(1).heard('0 29')
    await nodes.at(0).bus.close()
    await pair.failOver()
    await until('it is there again', () => nodes.at(1).redis.figures.added >= 20)
    pair.other.isRefusing = false
    await nodes.at(2).heard('0 29')
    expect(nodes.at(2).listener.texts).toEqual(textsOf(0, 0, 30))
    expect(nodes.gaps).toEqual([0, 0, 0])
  })

  test('is waited for by who resumes at a node that has never had it', async () => {
    await using pair = await RedisPair.start()
    await using nodes = await Nodes.start(pair.proxy.url, pair.proxy.url, pair.other.url)
    await holdBehind(pair, nodes, 10)
    await cutOff(pair.other, nodes.at(2))
    await publishEach(nodes.at(0), textsOf(0, 10, 20))
    const { cursor } = nodes.at(0).bus
    // The one that is first at the new server does not have it.
    await cutOff(pair.proxy, nodes.at(0))
    await pair.failOver()
    pair.other.isRefusing = false
    const { bus } = nodes.at(2)
    await until('a new epoch', () => bus.cursor.epoch > cursor.epoch)
    expect(bus.numberOf(cursor)).toBeNull()
    const isThere = isSettled(bus, cursor)
    pair.proxy.isRefusing = false
    expect(await isThere).toBe(true)
    expect(bus.numberOf(cursor)).toBe(cursor.number)
    await settled(nodes.all)
    expect(nodes.gaps).toEqual([0, 0, 0])
  })

  test('is not waited for after the limit when no node has added it', async () => {
    await using pair = await RedisPair.start()
    const limits = { addAgainMsMax: 300 }
    await using nodes = await Nodes.startWith({ limits }, pair.proxy.url, pair.other.url)
    await holdBehind(pair, nodes, 10)
    await cutOff(pair.other, nodes.at(1))
    await publishEach(nodes.at(0), textsOf(0, 10, 20))
    const { cursor } = nodes.at(0).bus
    await cutOff(pair.proxy, nodes.at(0))
    await pair.failOver()
    pair.other.isRefusing = false
    const { bus } = nodes.at(1)
    await until('a new epoch', () => bus.cursor.epoch > cursor.epoch)
    expect(await isSettled(bus, cursor)).toBe(true)
    expect(bus.numberOf(cursor)).toBeNull()
  })

  test('is a gap to those who had it when something else comes before it', async () => {
    await using pair = await RedisPair.start()
    await using nodes = await Nodes.start(pair.proxy.url, pair.proxy.url, pair.other.url)
    await holdBehind(pair, nodes, 10)
    await cutOff(pair.other, nodes.at(2))
    await publishEach(nodes.at(0), textsOf(0, 10, 20))
    await nodes.at(1).heard('0 29')
    // The one that has less is there first.
    pair.proxy.isRefusing = true
    nodes.at(2).publish('2 0')
    await pair.failOver()
    pair.other.isRefusing = false
    await nodes.at(2).accepted('2 0')
    pair.proxy.isRefusing = false
    await nodes.at(2).heard('0 29')
    await settled(nodes.all)
    nodes.check()
    expect(nodes.gaps).toEqual([1, 1, 0])
    expect(nodes.at(2).listener.texts.slice(10)).toEqual(['2 0', ...textsOf(0, 10, 20)])
  })

  test('is a gap to all if no node has all of it', async () => {
    await using pair = await RedisPair.start()
    const few: RedisNodeOptions = { limits: { recentBytesMax: 100 } }
    await using left = await RedisNode.start(pair.proxy.url, few)
    await using right = await RedisNode.start(pair.other.url, few)
    await publishEach(left, textsOf(0, 0, 10))
    await settled([left, right])
    await pair.isInStep()
    pair.hold()
    await cutOff(pair.other, right)
    await publishEach(left, textsOf(0, 10, 200))
    await pair.failOver()
    pair.other.isRefusing = false
    await until('both are told', () => [left, right].every(({ listener }) => listener.gaps > 0))
    left.publish('0 210')
    await right.heard('0 210')
    expect(right.listener.texts.filter((text) => text !== 'gap')).toEqual([
      ...textsOf(0, 0, 10),
      '0 210',
    ])
  })

  test('has exact accounts under traffic of all nodes, one of which is cut off', async () => {
    await using pair = await RedisPair.start()
    await using nodes = await Nodes.start(pair.proxy.url, pair.proxy.url, pair.other.url)
    const traffic = new Traffic(nodes.all)
    await traffic.more(50)
    pair.hold()
    await traffic.more(30)
    pair.other.cutOff()
    await traffic.more(30)
    await pair.failOver()
    pair.other.isRefusing = false
    await traffic.more(50)
    await traffic.end()
    nodes.check()
  })

  test('costs no member that joined or left in it, and is no gap', async () => {
    await using pair = await RedisPair.start()
    const { url } = pair.proxy
    await using nodes = await Nodes.start(url, url)
    await using leaving = await RedisNode.start(url, { name: 'leaving' })
    await publishEach(nodes.at(0), textsOf(0, 0, 10))
    await settled([...nodes.all, leaving])
    await pair.isInStep()
    pair.hold()
    await using late = await RedisNode.start(url, { name: 'late' })
    await leaving.bus.close()
    await publishEach(late, textsOf(1, 0, 10))
    const all = [...nodes.all, late]
    await settled(all)
    await sameMembers(all)
    await pair.failOver()
    await publishEach(nodes.at(1), textsOf(2, 0, 10))
    await settled(all)
    await sameMembers(all)
    nodes.check()
    expect(all.map(({ listener }) => listener.gaps)).toEqual([0, 0, 0])
    for (const { recorder } of all) {
      expect(recorder.told.filter((text) => !text.endsWith('joined'))).toEqual(['leaving stopped'])
    }
    // One that joins now is told the same.
    await using last = await RedisNode.start(url, { name: 'last' })
    await sameMembers([...all, last])
  })

  test('is followed by another one to a second replica, with exact accounts', async () => {
    await using pair = await RedisPair.start()
    await using nodes = await Nodes.start(pair.proxy.url, pair.proxy.url, pair.other.url)
    await using between = await TcpProxy.start(pair.master.port)
    await using second = await RedisServer.start({ replicaOf: between.port })
    await second.followsMaster()
    const traffic = new Traffic(nodes.all)
    await traffic.more(30)
    between.swallow('answers')
    await traffic.more(20)
    pair.hold()
    await traffic.more(20)
    await pair.failOver()
    await traffic.more(20)
    // The second one knows nothing of the epoch that has begun since.
    for (const proxy of [pair.proxy, pair.other]) proxy.targetPort = second.port
    await pair.replica.kill()
    await second.command('REPLICAOF', 'NO', 'ONE')
    await traffic.more(20)
    await traffic.end()
    nodes.check()
  })

  test('keeps the keys of messages that any node has, though their publisher is dead', async () => {
    await using pair = await RedisPair.start()
    await using nodes = await Nodes.start(pair.proxy.url, pair.proxy.url, pair.other.url)
    await holdBehind(pair, nodes, 3)
    await cutOff(pair.other, nodes.at(2))
    nodes.at(0).publishKeyed('k0.0 0', 'k0', 'k0.0 0')
    expect(await nodes.at(0).follow(['1 2'])).toEqual({ ok: true, value: 1 })
    await nodes.at(1).heard('k0.0 0')
    await settled(nodes.all.slice(0, 2))
    await nodes.at(0).bus.close()
    await pair.failOver()
    await until('it is there again', () => nodes.at(1).redis.figures.added >= 2)
    pair.other.isRefusing = false
    nodes.at(2).publishKeyed('k0.0 0', 'k0', 'k0.0 0')
    await nodes.at(2).accepted('k0.0 0')
    expect([...nodes.at(2).listener.repeated]).toEqual(['k0.0 0'])
    await settled(nodes.all.slice(1))
    expect(nodes.at(2).listener.texts).toEqual([...textsOf(0, 0, 3), 'k0.0 0'])
    expect(await wrongFollows(nodes.all.slice(1), nodes.at(2).load)).toEqual([])
    expect([...nodes.at(2).graph.pairs]).toEqual(['1 2'])
    expect(nodes.gaps).toEqual([0, 0, 0])
  })

  test.each([
    ['the same was published meanwhile', 'k0.0 0', [1, 1, 0]],
    ['its key is another one by now', 'k0.1 0', [1, 1, 1]],
  ] as const)('is a gap without the message with a key of which %s', async (_, text, gaps) => {
    await using pair = await RedisPair.start()
    await using nodes = await Nodes.start(pair.proxy.url, pair.proxy.url, pair.other.url)
    await holdBehind(pair, nodes, 3)
    await cutOff(pair.other, nodes.at(2))
    nodes.at(0).publishKeyed('k0.0 0', 'k0', 'k0.0 0')
    nodes.at(0).publish('0 3')
    await nodes.at(0).accepted('k0.0 0', '0 3')
    await nodes.at(1).heard('0 3')
    // The one that has less is there first.
    pair.proxy.isRefusing = true
    nodes.at(2).publishKeyed(text, 'k0', text)
    await pair.failOver()
    pair.other.isRefusing = false
    await nodes.at(2).accepted(text)
    pair.proxy.isRefusing = false
    await nodes.at(2).heard('0 3')
    await settled(nodes.all)
    nodes.check()
    expect(nodes.gaps).toEqual([...gaps])
    expect(nodes.at(2).listener.texts.filter((one) => one !== 'gap')).toEqual([
      ...textsOf(0, 0, 3),
      text,
      '0 3',
    ])
  })

  test('does not report a lost message as published before', async () => {
    await using pair = await RedisPair.start()
    await using nodes = await Nodes.start(pair.proxy.url, pair.other.url)
    const [left, right] = [nodes.at(0), nodes.at(1)]
    await publishEach(left, textsOf(0, 0, 3))
    await settled(nodes.all)
    await pair.isInStep()
    pair.hold()
    // It reads late what it has asked for.
    pair.other.delayMs = 60
    left.publishKeyed('k0.0 0', 'k0', 'k0.0 0')
    await left.accepted('k0.0 0')
    right.publishKeyed('k0.0 0', 'k0', 'k0.0 0')
    await left.bus.close()
    await pair.failOver()
    pair.other.cut()
    pair.other.delayMs = 0
    await right.accepted('k0.0 0')
    await settled([right])
    expect(right.listener.texts).toEqual([...textsOf(0, 0, 3), 'k0.0 0'])
  })
})
