// Goal: who publishes is told what became of a message on all nodes, once, by those that were there
// and in time; the others are named. Method: three nodes on a real Redis whose streams answer by
// hand, and reports in every order.

import { describe, expect, test } from 'bun:test'
import { HAS_REDIS, RedisServer } from '../../scripts/support/redis.ts'
import { type NodeLimits, nodeLimits } from '../core/bus-limits.ts'
import { systemClock } from '../core/clock.ts'
import type { Cursor } from '../core/cursor.ts'
import { until } from '../core/time.fixture.ts'
import type { DeliveryCounts } from '../hub/receipt.ts'
import { about } from '../log/log.fixture.ts'
import type { Publication } from '../log/message-bus.ts'
import { NOT_DELIVERED, type RedisNode } from './bus.fixture.ts'
import { Nodes, sameMembers, settled } from './cluster.fixture.ts'
import { InboxSender } from './inbox-sender.ts'
import type { Member } from './member-entry.ts'
import { SharedReceipts } from './shared-receipts.ts'

/** What all other nodes made of a message. */
interface Told {
  readonly counts: DeliveryCounts
  readonly missing: readonly string[]
}

/** Publishes a text, and answers what all other nodes made of it. */
async function published(node: RedisNode, text: string): Promise<Told> {
  const { promise, resolve, reject } = Promise.withResolvers<Told>()
  const { members, receipts } = node.redis
  const publication: Publication = {
    ...NOT_DELIVERED,
    isForAllNodes: true,
    onAccepted: (cursor) => {
      receipts.expect(cursor, members.others(node.origin), (counts, missing) => {
        resolve({ counts, missing: missing.map(({ name }) => name).toSorted() })
      })
    },
    onRepeated: () => reject(new Error('it is no repetition')),
    onRefused: (why) => reject(new Error(why)),
  }
  node.bus.publish(about(1, text), publication)
  return await promise
}

/** The streams of each node take so many of each message. */
async function started(redis: RedisServer, delivered: readonly number[]): Promise<Nodes> {
  const urls = delivered.map(() => redis.url)
  const nodes = await Nodes.startWith({}, ...urls)
  await sameMembers(nodes.all)
  for (const [at, node] of nodes.all.entries()) {
    node.listener.settle = (publication) => publication.settle(delivered[at] as number, at, 1)
  }
  return nodes
}

describe.skipIf(!HAS_REDIS)('a message that all nodes report of', () => {
  test('has the counts of all others, and none of its own node', async () => {
    await using redis = await RedisServer.start()
    await using nodes = await started(redis, [100, 5, 7])
    const counts = { delivered: 12, skipped: 3, unknown: 2 }
    expect(await published(nodes.at(0), 'a')).toEqual({ counts, missing: [] })
    const others = { delivered: 105, skipped: 1, unknown: 2 }
    expect(await published(nodes.at(2), 'b')).toEqual({ counts: others, missing: [] })
    expect(nodes.at(0).redis.receipts.pending).toBe(0)
  })

  test('is reported in one entry with others of its turn, and each has its own counts', async () => {
    await using redis = await RedisServer.start()
    await using nodes = await started(redis, [0, 5])
    nodes.at(1).listener.settle = (publication, text) => publication.settle(Number(text), 0)
    const texts = Array.from({ length: 200 }, (_, at) => String(at))
    const told = await Promise.all(texts.map((text) => published(nodes.at(0), text)))
    expect(told.map(({ counts }) => String(counts.delivered))).toEqual(texts)
    expect(await redis.command('XLEN', `comet:inbox:${nodes.at(0).origin}`)).toBe(1)
  })

  test('sends no request for what was published without that option', async () => {
    await using redis = await RedisServer.start()
    await using nodes = await started(redis, [0, 5])
    nodes.at(0).publish('a')
    await nodes.at(1).heard('a')
    await published(nodes.at(0), 'b')
    expect(nodes.at(0).redis.receipts.pending).toBe(0)
    expect(await redis.command('XLEN', `comet:inbox:${nodes.at(0).origin}`)).toBe(1)
  })

  test('names those that do not answer, after the time for it', async () => {
    await using redis = await RedisServer.start()
    await using nodes = await started(redis, [0, 5, 7])
    nodes.at(1).listener.settle = () => undefined
    const startedMs = performance.now()
    const counts = { delivered: 7, skipped: 2, unknown: 1 }
    expect(await published(nodes.at(0), 'a')).toEqual({ counts, missing: ['middle'] })
    expect(performance.now() - startedMs).toBeGreaterThan(240)
    expect(performance.now() - startedMs).toBeLessThan(2_000)
  })

  test('does not wait for a node that has left', async () => {
    await using redis = await RedisServer.start()
    await using nodes = await started(redis, [0, 5])
    await nodes.at(1).bus.close()
    await sameMembers([nodes.at(0)])
    const counts = { delivered: 0, skipped: 0, unknown: 0 }
    expect(await published(nodes.at(0), 'a')).toEqual({ counts, missing: [] })
  })

  test('is not reported by a node that reads it as history', async () => {
    await using redis = await RedisServer.start()
    await using nodes = await started(redis, [0])
    await published(nodes.at(0), 'a')
    await using late = await Nodes.start(redis.url)
    await settled([nodes.at(0), late.at(0)])
    expect(late.at(0).listener.heard).toEqual([])
    expect(await redis.command('EXISTS', `comet:inbox:${nodes.at(0).origin}`)).toBe(0)
  })
})

const [ONE, TWO] = ['1', '2'].map((digit) => memberOf(digit.repeat(16))) as [Member, Member]

function memberOf(origin: string): Member {
  return { origin, name: origin[0] ?? '', address: '', version: '', startedMs: 0, sinceMs: 0 }
}

function at(number: number): Cursor {
  return { epoch: 5, number }
}

const COUNTS: DeliveryCounts = { delivered: 1, skipped: 2, unknown: 3 }

function collector(limits: Partial<NodeLimits> = {}) {
  const all = { ...nodeLimits, ...limits }
  const told: string[] = []
  const receipts = new SharedReceipts({
    sender: new InboxSender(all),
    clock: systemClock,
    limits: all,
  })
  return {
    receipts,
    told,
    expectOne: (number: number, members: readonly Member[] = [ONE, TWO]) =>
      receipts.expect(at(number), members, ({ delivered }, missing) => {
        told.push(`${number}: ${delivered}, without ${missing.map(({ name }) => name).join()}`)
      }),
  }
}

describe('reports', () => {
  test('count that come before the message was read back', () => {
    const { receipts, told, expectOne } = collector()
    receipts.onReport(ONE.origin, { cursor: at(1), ...COUNTS })
    receipts.onReport(TWO.origin, { cursor: at(1), ...COUNTS })
    expectOne(1)
    expect(told).toEqual(['1: 2, without '])
  })

  test('count once a node, and only those of nodes that were there', () => {
    const { receipts, told, expectOne } = collector()
    expectOne(1)
    for (const from of [ONE.origin, ONE.origin, '3'.repeat(16)]) {
      receipts.onReport(from, { cursor: at(1), ...COUNTS })
    }
    expect(told).toEqual([])
    receipts.onReport(TWO.origin, { cursor: at(1), ...COUNTS })
    receipts.onReport(TWO.origin, { cursor: at(1), ...COUNTS })
    expect(told).toEqual(['1: 2, without '])
  })

  test('are over after the time for them, each message by itself and once', async () => {
    const { receipts, told, expectOne } = collector({ receiptMs: 20 })
    expectOne(1)
    receipts.onReport(ONE.origin, { cursor: at(1), ...COUNTS })
    await until('it is over', () => told.length === 1)
    expectOne(2)
    expectOne(3)
    receipts.onReport(TWO.origin, { cursor: at(1), ...COUNTS })
    receipts.onReport(TWO.origin, { cursor: at(3), ...COUNTS })
    receipts.onReport(ONE.origin, { cursor: at(3), ...COUNTS })
    await until('they are over', () => told.length === 3)
    expect(told).toEqual(['1: 1, without 2', '3: 2, without ', '2: 0, without 1,2'])
    expect(receipts.pending).toBe(0)
  })

  test('beyond the limit are not waited for', () => {
    const { told, expectOne } = collector({ receiptsMax: 1 })
    expectOne(1)
    expectOne(2)
    expect(told).toEqual(['2: 0, without 1,2'])
  })

  test('that are early are kept up to the limit, the newest ones', () => {
    const { receipts, told, expectOne } = collector({ earlyReceiptsMax: 2 })
    for (const number of [1, 2, 3]) receipts.onReport(ONE.origin, { cursor: at(number), ...COUNTS })
    for (const number of [1, 2, 3]) expectOne(number, [ONE])
    expect(told).toEqual(['2: 1, without ', '3: 1, without '])
    receipts.close()
    expect(told.at(-1)).toBe('1: 0, without 1')
  })
})
