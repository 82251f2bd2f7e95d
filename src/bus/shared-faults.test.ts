// Goal: whatever becomes of Redis, all nodes have in the end who follows whom as the sets there
// have it. Method: nodes that change at random while Redis is killed, frozen, emptied, written to
// by a bulk load, or replaced by a replica that lacks a tail.

import { describe, expect, test } from 'bun:test'
import { waitFor } from '../../scripts/support/child-process.ts'
import { HAS_REDIS, RedisServer } from '../../scripts/support/redis.ts'
import { randomFrom } from '../core/random.ts'
import { flat, inOrder, type Pair } from '../subscriptions/model.fixture.ts'
import { randomOrigin } from './bus.fixture.ts'
import { announceFollows, followsPrefix, writeFollows } from './follow-sets.ts'
import { connected } from './redis.fixture.ts'
import { RedisPair } from './redis-pair.fixture.ts'
import { SharedNode } from './shared-node.fixture.ts'

const PREFIX = 'comet:'
const USERS = 30

const open = (url: string) => SharedNode.open(url, { prefix: PREFIX })

/** What Redis has, as text: a line a user. */
async function kept(redis: RedisServer): Promise<string> {
  const keys = (await redis.command('KEYS', `${followsPrefix(PREFIX)}*`)) as string[]
  const lines = new Map<number, string>()
  for (const key of keys) {
    const subjects = [...((await redis.command('SMEMBERS', key)) as Iterable<string>)].map(Number)
    const user = Number(key.slice(followsPrefix(PREFIX).length))
    lines.set(user, `${user}: ${inOrder(subjects).join(' ')}`)
  }
  return inOrder(lines.keys())
    .map((user) => lines.get(user))
    .join('\n')
}

/** The same of a node, in both directions; or that these differ. */
function had({ subscriptions }: SharedNode): string {
  const lines: string[] = []
  let followers = 0
  for (let user = 1; user <= USERS; user++) {
    const subjects = inOrder(subscriptions.subjectsOf(user))
    followers += subscriptions.subscribersOf(user).length
    if (subjects.some((subject) => !subscriptions.subscribersOf(subject).includes(user))) {
      return `subjects of ${user} do not have it as a follower`
    }
    if (subjects.length > 0) lines.push(`${user}: ${subjects.join(' ')}`)
  }
  const { subscriptions: count } = subscriptions.counts()
  return followers === count ? lines.join('\n') : `${followers} of ${count} have a follower`
}

async function allAgree(nodes: readonly SharedNode[], redis: RedisServer): Promise<void> {
  await waitFor('all nodes to be ready', () => nodes.every(({ bus }) => bus.figures.isReady))
  let last = ''
  const agree = async () => {
    const expected = await kept(redis)
    last = JSON.stringify([expected, ...nodes.map(had)], null, 1)
    return nodes.every((node) => !node.loader.isReloading && had(node) === expected)
  }
  await waitFor('all nodes to have what Redis has', agree, 8_000).catch(() => {
    throw new Error(`they differ: ${last}`)
  })
}

function pairsOf(below: (max: number) => number, count: number): Uint32Array {
  return flat(
    Array.from({ length: count }, (): Pair => {
      const user = 1 + below(USERS)
      return [user, 1 + ((user + below(USERS - 1)) % USERS)]
    }),
  )
}

/** Changes on all nodes, as long as it runs; what is refused is not looked at. */
async function changing(
  nodes: readonly SharedNode[],
  below: (max: number) => number,
  isOver: () => boolean,
): Promise<void> {
  const change = async (node: SharedNode) => {
    while (!isOver()) {
      const action = below(3) === 0 ? 'remove' : 'add'
      await node.subscriptions[action](pairsOf(below, 1 + below(5)))
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
  }
  await Promise.all(nodes.map(change))
}

describe.skipIf(!HAS_REDIS)('all nodes have what Redis has', () => {
  test('after kills, pauses, losses of everything and bulk loads, one after the other', async () => {
    const below = randomFrom(20_261_130)
    await using redis = await RedisServer.start({ isDurable: true })
    await using one = await open(redis.url)
    await using other = await open(redis.url)
    const nodes = [one, other]
    const load = async () => {
      const connection = await connected(redis.url)
      const pairs = pairsOf(below, 20)
      expect((await writeFollows(connection, PREFIX, { pairs, textOf: String })).ok).toBe(true)
      expect((await announceFollows(connection, PREFIX, randomOrigin())).ok).toBe(true)
      connection.close('It is loaded.')
    }
    const faults = {
      kill: () => redis.restart(),
      pause: async () => {
        redis.pause()
        await new Promise((resolve) => setTimeout(resolve, 100))
        redis.resume()
      },
      flush: () => redis.command('FLUSHALL'),
      cut: () => redis.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'),
      load,
    }
    for (const fault of ['load', 'kill', 'cut', 'flush', 'load', 'pause', 'kill'] as const) {
      let isOver = false
      const running = changing(nodes, below, () => isOver)
      await new Promise((resolve) => setTimeout(resolve, 50))
      await faults[fault]()
      isOver = true
      await running
      await allAgree(nodes, redis)
    }
    await using late = await open(redis.url)
    await allAgree([...nodes, late], redis)
  })

  test.each([
    ['by nodes that live', true],
    ['by one that is dead', false],
  ])('after a failover that lost changes made %s', async (_, lives) => {
    const below = randomFrom(20_261_201)
    await using pair = await RedisPair.start()
    await using one = await open(pair.proxy.url)
    await using other = await open(pair.proxy.url)
    expect((await one.subscriptions.add(pairsOf(below, 40))).ok).toBe(true)
    await allAgree([one, other], pair.master)
    await pair.isInStep()
    pair.hold()
    for (let change = 0; change < 10; change++) {
      const node = change % 2 === 0 ? one : other
      expect((await node.subscriptions.remove(pairsOf(below, 5))).ok).toBe(true)
      expect((await node.subscriptions.add(pairsOf(below, 5))).ok).toBe(true)
    }
    await allAgree([one, other], pair.master)
    const before = had(one)
    if (!lives) await other.bus.close()
    await pair.failOver()
    const nodes = lives ? [one, other] : [one]
    await allAgree(nodes, pair.replica)
    // Any node that has them adds them again.
    expect(await kept(pair.replica)).toBe(before)
    await using late = await open(pair.proxy.url)
    await allAgree([...nodes, late], pair.replica)
  })
})
