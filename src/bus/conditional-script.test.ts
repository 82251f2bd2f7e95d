// Goal: Redis resolves a batch with a condition once, and says the same of it each time. Method:
// the script on a real server, each answer, the log, the keys and the sets after it.

import { describe, expect, test } from 'bun:test'
import { HAS_REDIS } from '../../scripts/support/redis.ts'
import { about, user } from '../log/log.fixture.ts'
import { BARRIER, type LogItem } from '../log/message-bus.ts'
import { busKeys } from './bus-keys.ts'
import { conditionOf } from './condition.ts'
import { sharedRedis } from './redis.fixture.ts'
import { LEFT, RIGHT, ScriptCluster } from './scripts.fixture.ts'

const shared = sharedRedis()
let clusters = 0

/** With a log that is begun. */
async function newCluster() {
  const cluster = await ScriptCluster.open(shared.connection, `conditional-${++clusters}:`)
  const { epoch } = (await cluster.hello()).top
  return { cluster, epoch }
}

const FIRST = { mayBeFirst: true }
const RIGHT_FIRST = { origin: RIGHT, mayBeFirst: true }

function keyed(text: string, key = 'a key') {
  return [about(1, text, { key })]
}

/** The key of `a key`. */
function keyOf({ prefix }: ScriptCluster): string {
  const condition = conditionOf(keyed(''))
  return `${prefix}log:key:${condition?.kind === 'key' ? condition.hash : ''}`
}

describe.skipIf(!HAS_REDIS)('a message with a key', () => {
  test('is added once when several nodes publish it, and the others get its place', async () => {
    const { cluster, epoch } = await newCluster()
    expect(await cluster.resolve(epoch, 1, keyed('a'), FIRST)).toBe('added')
    expect(await cluster.resolve(epoch, 2, keyed('a'))).toBe(`repeated ${epoch}-1`)
    expect(await cluster.resolve(epoch, 1, keyed('a'), RIGHT_FIRST)).toBe(`repeated ${epoch}-1`)
    expect(await cluster.resolve(epoch, 3, keyed('a', 'another'))).toBe('added')
    expect((await cluster.entries()).slice(1)).toEqual([
      `${epoch}-1 batch 1`,
      // What lies between is nothing.
      `${epoch}-2 batch 3 behind 1`,
    ])
    const leftMs = Number(await cluster.command('PTTL', keyOf(cluster)))
    expect(leftMs).toBeGreaterThan(290_000)
    expect(leftMs).toBeLessThanOrEqual(300_000)
  })

  test.each([
    ['text', about(1, 'b')],
    ['receiver', about(2, 'a')],
    ['name', about(1, 'a', { name: 'alice' })],
    ['kind of receiver', about(1, 'a', { isAbout: false })],
    ['event', about(1, 'a', { event: 'news' })],
    ['kind of body', about(1, 'a', { isJson: true })],
  ])('is refused if its %s is another', async (_, message) => {
    const { cluster, epoch } = await newCluster()
    await cluster.resolve(epoch, 1, keyed('a'), FIRST)
    const items = [{ ...message, key: 'a key' }]
    expect(await cluster.resolve(epoch, 1, items, RIGHT_FIRST)).toBe('conflict')
    expect(await cluster.entries()).toHaveLength(2)
  })

  test('is answered the same again, also after others have come behind it', async () => {
    const { cluster, epoch } = await newCluster()
    await cluster.resolve(epoch, 1, keyed('a'), RIGHT_FIRST)
    const answers = async () => [
      await cluster.resolve(epoch, 1, keyed('b', 'mine'), FIRST),
      await cluster.resolve(epoch, 2, keyed('a')),
      await cluster.resolve(epoch, 3, keyed('c')),
    ]
    expect(await answers()).toEqual(['added', `repeated ${epoch}-1`, 'conflict'])
    const again = [`seen ${epoch}-2`, `repeated ${epoch}-1`, 'conflict']
    expect(await answers()).toEqual(again)
    expect(await cluster.append(epoch, 4)).toBe('added')
    expect(await answers()).toEqual(again)
    expect((await cluster.entries()).at(-1)).toBe(`${epoch}-3 batch 4 behind 1`)
    // The key has expired.
    await cluster.command('DEL', keyOf(cluster))
    expect((await answers())[1]).toBe('unclear')
    expect(await cluster.entries()).toHaveLength(4)
  })

  test('keeps its place in the order of its origin', async () => {
    const { cluster, epoch } = await newCluster()
    expect(await cluster.resolve(epoch, 1, keyed('a'))).toBe('gone')
    expect(await cluster.resolve(epoch, 1, keyed('a'), FIRST)).toBe('added')
    expect(await cluster.resolve(epoch, 3, keyed('b', 'other'))).toBe('order')
    expect(await cluster.resolve(epoch, 3, keyed('a'))).toBe('order')
    // Its node knows that the second one was nothing.
    expect(await cluster.resolve(epoch, 3, keyed('b', 'other'), { previous: 1 })).toBe('added')
    expect(await cluster.resolve(epoch, 5, [about(1, 'x')], { previous: 3 })).toBe('added')
    expect(await cluster.append(epoch, 6)).toBe('added')
    expect((await cluster.entries()).slice(2)).toEqual([
      `${epoch}-2 batch 3 behind 1`,
      `${epoch}-3 batch 5 behind 3`,
      `${epoch}-4 batch 6`,
    ])
  })

  test('changes nothing in an older epoch, or in a log that is gone', async () => {
    const { cluster, epoch } = await newCluster()
    expect(await cluster.resolve(epoch - 1, 1, keyed('a'), FIRST)).toBe('fenced')
    await cluster.resolve(epoch, 1, keyed('a'), RIGHT_FIRST)
    expect(await cluster.resolve(epoch - 1, 1, keyed('a'), FIRST)).toBe('fenced')
    await cluster.command('DEL', keyOf(cluster))
    await cluster.command('DEL', `${cluster.prefix}log`)
    expect(await cluster.resolve(epoch, 1, keyed('a'), FIRST)).toBe('gone')
    expect(await cluster.command('EXISTS', keyOf(cluster))).toBe(0)
    expect(await cluster.command('EXISTS', `${cluster.prefix}log:origin:${LEFT}`)).toBe(0)
  })

  test('of a key that another program has damaged is added', async () => {
    const { cluster, epoch } = await newCluster()
    await cluster.command('SADD', keyOf(cluster), 'x')
    expect(await cluster.resolve(epoch, 1, keyed('a'), FIRST)).toBe('added')
    await cluster.command('SET', keyOf(cluster), 'x')
    expect(await cluster.resolve(epoch, 2, keyed('a'))).toBe('added')
    expect(await cluster.resolve(epoch, 3, keyed('a'))).toBe(`repeated ${epoch}-2`)
  })
})

describe.skipIf(!HAS_REDIS)('a message with a key that the log has lost', () => {
  const lost = (epoch: number) => ({ ...FIRST, again: { epoch: epoch - 1, number: 7 } })

  test('is added again with its key', async () => {
    const { cluster, epoch } = await newCluster()
    expect(await cluster.resolve(epoch, 1, keyed('a'), lost(epoch))).toBe('added')
    expect(await cluster.resolve(epoch, 1, keyed('a'), RIGHT_FIRST)).toBe(`repeated ${epoch}-1`)
    expect(await cluster.resolve(epoch, 1, keyed('a'), lost(epoch))).toBe('seen')
  })

  test('has no place any more if the same was published since', async () => {
    const { cluster, epoch } = await newCluster()
    expect(await cluster.resolve(epoch, 1, keyed('a'), RIGHT_FIRST)).toBe('added')
    for (let times = 0; times < 2; times++) {
      expect(await cluster.resolve(epoch, 1, keyed('a'), lost(epoch))).toBe('nothing')
    }
    expect(await cluster.entries()).toHaveLength(2)
    expect(await cluster.append(epoch, 2)).toBe('added')
  })

  test('is told to all as lost if its key is another message by now', async () => {
    const { cluster, epoch } = await newCluster()
    expect(await cluster.resolve(epoch, 1, keyed('b'), RIGHT_FIRST)).toBe('added')
    for (let times = 0; times < 2; times++) {
      expect(await cluster.resolve(epoch, 1, keyed('a'), lost(epoch))).toBe('nothing')
    }
    expect((await cluster.entries()).slice(2)).toEqual([`${epoch}-2 lost`])
  })
})

function change(userId: number, subject: number, follows = true) {
  return { user: user(userId), subject: user(subject), follows }
}

async function setsOf(cluster: ScriptCluster, ...users: number[]) {
  const sets = users.map(async (id) => {
    const answer = await cluster.command('SMEMBERS', busKeys(cluster.prefix).followsOf(String(id)))
    return [...(answer as Iterable<string>)].toSorted().join(' ')
  })
  return await Promise.all(sets)
}

describe.skipIf(!HAS_REDIS)('changes of who follows whom', () => {
  test('are in the sets, and in the log as those that change something', async () => {
    const { cluster, epoch } = await newCluster()
    const names = { user: user(9, 'alice'), subject: user(8, 'room:42'), follows: true }
    const first = [change(1, 2), change(1, 3), names]
    expect(await cluster.resolve(epoch, 1, first, FIRST)).toBe('added')
    const second = [change(1, 3), change(1, 4), change(1, 4), change(2, 3)]
    expect(await cluster.resolve(epoch, 2, second)).toBe('added')
    expect(await cluster.resolve(epoch, 3, [change(1, 3, false), change(2, 9, false)])).toBe(
      'added',
    )
    expect(await setsOf(cluster, 1, 2)).toEqual(['2 4', '3'])
    expect(await cluster.command('SMEMBERS', busKeys(cluster.prefix).followsOf('alice'))).toEqual([
      'room:42',
    ])
    expect(await cluster.heads()).toEqual(['f1,2 f1,3 falice,room:42', 'f1,4 f2,3', 'u1,3'])
    expect((await cluster.entries()).slice(1)).toEqual([
      `${epoch}-1 batch 1`,
      `${epoch}-4 batch 2`,
      `${epoch}-6 batch 3`,
    ])
  })

  test('that change nothing are no entry, and say up to where that is so', async () => {
    const { cluster, epoch } = await newCluster()
    const both = [change(1, 2), change(1, 3)]
    expect(await cluster.resolve(epoch, 1, both, FIRST)).toBe('added')
    expect(await cluster.resolve(epoch, 2, both)).toBe(`repeated ${epoch}-2`)
    expect(await cluster.resolve(epoch, 3, [change(7, 7, false)])).toBe(`repeated ${epoch}-2`)
    expect(await cluster.resolve(epoch, 3, [change(7, 7, false)])).toBe(`repeated ${epoch}-2`)
    expect(await cluster.append(epoch, 4)).toBe('added')
    // By now it may as well have been something else.
    expect(await cluster.resolve(epoch, 3, [change(7, 7, false)])).toBe('unclear')
    expect(await cluster.resolve(epoch, 1, both)).toBe('unclear')
    expect((await cluster.entries()).at(-1)).toBe(`${epoch}-3 batch 4 behind 1`)
  })

  test('are all refused if a user would follow too many subjects', async () => {
    const { cluster, epoch } = await newCluster()
    const limit = { perUserMax: 2 }
    const two = [change(1, 2), change(1, 3), change(2, 2)]
    expect(await cluster.resolve(epoch, 1, two, { ...FIRST, ...limit })).toBe('added')
    expect(await cluster.resolve(epoch, 2, [change(2, 3), change(1, 4)], limit)).toBe('limit')
    expect(await setsOf(cluster, 1, 2)).toEqual(['2 3', '2'])
    // Those that are there count once, and what is not followed any more makes room.
    expect(await cluster.resolve(epoch, 3, [change(1, 2), change(2, 3)], limit)).toBe('added')
    expect(await cluster.resolve(epoch, 4, [change(1, 2, false)], limit)).toBe('added')
    expect(await cluster.resolve(epoch, 5, [change(1, 4), change(1, 4)], limit)).toBe('added')
    expect(await cluster.resolve(epoch, 6, [change(1, 5)])).toBe('added')
    expect(await setsOf(cluster, 1, 2)).toEqual(['3 4 5', '2 3'])
  })

  test('are refused, and do not stop the others, where another program has written', async () => {
    const { cluster, epoch } = await newCluster()
    await cluster.command('SET', busKeys(cluster.prefix).followsOf('1'), 'mine')
    expect(await cluster.resolve(epoch, 1, [change(2, 2), change(1, 2)], FIRST)).toBe('damaged')
    expect(await setsOf(cluster, 2)).toEqual([''])
    expect(await cluster.resolve(epoch, 2, [change(2, 2)])).toBe('added')
  })

  test('are not made in an older epoch, nor out of order', async () => {
    const { cluster, epoch } = await newCluster()
    expect(await cluster.resolve(epoch - 1, 1, [change(1, 2)], FIRST)).toBe('fenced')
    expect(await cluster.resolve(epoch, 1, [change(1, 2)])).toBe('gone')
    expect(await cluster.resolve(epoch, 1, [change(3, 2)], FIRST)).toBe('added')
    expect(await cluster.resolve(epoch, 3, [change(1, 2)])).toBe('order')
    expect(await setsOf(cluster, 1, 3)).toEqual(['', '2'])
  })

  test('that the log has lost are made again, and are barriers where they change nothing', async () => {
    const { cluster, epoch } = await newCluster()
    const again = { ...FIRST, again: { epoch: epoch - 1, number: 7 } }
    expect(await cluster.resolve(epoch, 1, [change(1, 3)], RIGHT_FIRST)).toBe('added')
    const items: LogItem[] = [change(1, 2), change(1, 3), BARRIER, change(2, 3)]
    expect(await cluster.resolve(epoch, 4, items, { ...again, previous: 1 })).toBe('added')
    expect(await setsOf(cluster, 1, 2)).toEqual(['2 3', '3'])
    expect(await cluster.heads()).toEqual(['f1,3', 'f1,2 b b f2,3'])
    expect((await cluster.entries()).at(-1)).toBe(`${epoch}-2 batch 4 behind 1`)
    expect(await cluster.resolve(epoch, 4, items, { ...again, previous: 1 })).toBe('seen')
    expect(await cluster.resolve(epoch, 5, [change(1, 2)], again)).toBe('added')
    expect((await cluster.heads()).at(-1)).toBe('b')
    // Its own node has asked before, when there was nothing to change.
    expect(await cluster.resolve(epoch, 6, [change(7, 7, false)])).toBe(`repeated ${epoch}-6`)
    expect(await cluster.resolve(epoch, 6, [change(7, 7, false)], again)).toBe('nothing')
  })
})
