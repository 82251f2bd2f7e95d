// Goal: subscriptions that machines share keep what every store promises, and every node ends with
// what Redis has, whatever changes while it reads. Method: the contract on a real Redis, and nodes
// that change and read at random beside a model.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { HAS_REDIS, RedisServer } from '../../scripts/support/redis.ts'
import { changeMany } from '../control/bulk.ts'
import { randomFrom } from '../core/random.ts'
import { until } from '../core/time.fixture.ts'
import { flat, inOrder, Model, type Pair } from '../subscriptions/model.fixture.ts'
import { NOBODY } from '../subscriptions/name-table.ts'
import { subscriptionsContract } from '../subscriptions/subscriptions.contract.ts'
import { followsPrefix } from './follow-sets.ts'
import { SharedNode, type SharedNodeOptions } from './shared-node.fixture.ts'

let redis: RedisServer
let prefixes = 0

const newPrefix = () => `test-${prefixes++}:`

describe.skipIf(!HAS_REDIS)('subscriptions that machines share', () => {
  beforeAll(async () => {
    redis = await RedisServer.start()
  })
  afterAll(() => redis[Symbol.asyncDispose]())

  const open = (options: Partial<SharedNodeOptions> = {}) =>
    SharedNode.open(redis.url, { prefix: newPrefix(), ...options })

  subscriptionsContract((place) => open({ prefix: `${place}:` }), { runs: 25 })

  /** What Redis has, as a model. */
  async function kept(prefix: string): Promise<Pair[]> {
    const model = new Model()
    for (const key of (await redis.command('KEYS', `${followsPrefix(prefix)}*`)) as string[]) {
      const user = Number(key.slice(followsPrefix(prefix).length))
      const subjects = [...((await redis.command('SMEMBERS', key)) as Iterable<string>)]
      model.add(subjects.map((subject): Pair => [user, Number(subject)]))
    }
    return model.pairs()
  }

  function pairsOf({ subscriptions }: SharedNode, users: number): Pair[] {
    const all = Array.from({ length: users }, (_, at) => at + 1)
    return all.flatMap((user) =>
      inOrder(subscriptions.subjectsOf(user)).map((subject): Pair => [user, subject]),
    )
  }

  test('a change on one node is one on all nodes', async () => {
    const prefix = newPrefix()
    await using here = await open({ prefix })
    await using there = await open({ prefix })
    await here.subscriptions.add(Uint32Array.of(1, 2, 3, 2))
    await until('both are there', () => there.subscriptions.counts().subscriptions === 2)
    expect(inOrder(there.subscriptions.subscribersOf(2))).toEqual([1, 3])
    // It is not there before this node has heard that it is.
    expect(await there.subscriptions.remove(Uint32Array.of(1, 2))).toEqual({ ok: true, value: 1 })
    expect([...there.subscriptions.subscribersOf(2)]).toEqual([3])
    await until('it is gone', () => !here.subscriptions.has(1, 2))
  })

  test('what is read while it changes is in the end what Redis has', async () => {
    const users = 60
    const below = randomFrom(20_261_130)
    const randomPairs = () =>
      Array.from({ length: 1 + below(20) }, (): Pair => {
        const user = 1 + below(users)
        return [user, 1 + ((user + below(users - 1)) % users)]
      })
    for (let round = 0; round < 4; round++) {
      const prefix = newPrefix()
      await using writer = await open({ prefix })
      await writer.subscriptions.add(flat(randomPairs()))
      // So slowly that changes come between any two sets.
      const limits = { scanKeys: 1, commandsMax: 1, scanSubjects: 2 }
      await using late = await open({ prefix, limits })
      let isOver = false
      const changing = (async () => {
        while (!isOver) {
          const action = below(2) === 0 ? 'add' : 'remove'
          await writer.subscriptions[action](flat(randomPairs()))
        }
      })()
      for (let reload = 1; reload <= 3; reload++) {
        late.loader.reload()
        await until('all is read again', () => late.reloads.length >= reload)
      }
      isOver = true
      await changing
      const expected = await kept(prefix)
      await until('all changes are heard', () => {
        return late.subscriptions.counts().subscriptions === expected.length
      })
      expect(pairsOf(late, users)).toEqual(expected)
      expect(pairsOf(writer, users)).toEqual(expected)
    }
  })

  test('a change that comes twice, or was read already, counts once', async () => {
    await using node = await open()
    const change = { user: { id: 1, name: null }, subject: { id: 2, name: null }, follows: true }
    const { subscriptions } = node
    expect([subscriptions.apply(change), subscriptions.apply(change)]).toEqual([true, false])
    expect(subscriptions.counts()).toEqual({ subscriptions: 1, subjects: 1 })
    const back = { ...change, follows: false }
    expect([subscriptions.apply(back), subscriptions.apply(back)]).toEqual([true, false])
    expect(subscriptions.counts()).toEqual({ subscriptions: 0, subjects: 0 })
  })

  test('a handle is in use as long as it follows or is followed', async () => {
    await using node = await open()
    const { names, subscriptions } = node
    const [alice = 0, news = 0] = ['alice', 'news'].map((name) => names.intern(name) ?? 0)
    const refers = () => [alice, news].map((handle) => subscriptions.refersTo(handle))
    expect(refers()).toEqual([false, false])
    await subscriptions.add(Uint32Array.of(alice, news))
    expect(refers()).toEqual([true, true])
    await subscriptions.remove(Uint32Array.of(alice, news))
    expect(refers()).toEqual([false, false])
  })

  test('a name that was interned while sets are read is in use until they are', async () => {
    await using node = await open()
    await node.subscriptions.add(Uint32Array.of(1, 2))
    const { promise, resolve } = Promise.withResolvers<void>()
    let handle = 0
    const loaded = node.subscriptions.load(async (lists) => {
      lists.add('alice', ['news'])
      handle = node.names.find('alice')
      await promise
      return { ok: true, value: undefined }
    })
    expect([handle > NOBODY, node.subscriptions.refersTo(handle)]).toEqual([true, true])
    // What was there before counts until then.
    expect(node.subscriptions.has(1, 2)).toBe(true)
    resolve()
    expect(await loaded).toMatchObject({ ok: true, value: { subscriptions: 1 } })
    expect([node.subscriptions.refersTo(handle), node.subscriptions.has(1, 2)]).toEqual([
      true,
      false,
    ])
  })

  test('changes of names for which there is no room are counted, and change nothing', async () => {
    await using node = await open()
    const unnamed = { id: NOBODY, name: 'alice' }
    node.subscriptions.apply({ user: unnamed, subject: { id: 2, name: null }, follows: true })
    expect(node.subscriptions.unnamed).toBe(1)
    expect(node.subscriptions.counts().subscriptions).toBe(0)
  })

  test('more changes than are kept while sets are read make the reading fail', async () => {
    await using node = await open({ limits: { changesMax: 2 } })
    const user = { id: 1, name: null }
    const read = node.subscriptions.load(async () => {
      for (let id = 2; id < 5; id++) {
        node.subscriptions.apply({ user, subject: { id, name: null }, follows: true })
      }
      return { ok: true, value: undefined }
    })
    expect(await read).toEqual({
      ok: false,
      why: 'more than 2 changes came while it was read',
    })
    expect(inOrder(node.subscriptions.subjectsOf(1))).toEqual([2, 3, 4])
  })

  test('a change whose answer was lost is unknown, and one while Redis is away is refused', async () => {
    await using own = await RedisServer.start()
    await using node = await SharedNode.open(own.url, { prefix: newPrefix() })
    own.pause()
    const lost = node.subscriptions.add(Uint32Array.of(1, 2))
    expect(await lost).toMatchObject({ ok: false, why: { code: 'outcome_unknown' } })
    own.resume()
    await own.kill()
    await until('Redis is away', () => !node.bus.figures.link.isConnected)
    const away = node.subscriptions.remove(Uint32Array.of(1, 2))
    expect(await away).toMatchObject({ ok: false, why: { code: 'bus_unavailable' } })
  })

  test('what Redis has lost, no node has any more, and what comes after it all have', async () => {
    await using own = await RedisServer.start()
    const prefix = newPrefix()
    await using here = await SharedNode.open(own.url, { prefix })
    await using there = await SharedNode.open(own.url, { prefix })
    await here.subscriptions.add(Uint32Array.of(1, 2, 3, 2))
    await own.command('FLUSHALL')
    for (const { subscriptions } of [here, there]) {
      await until('it is gone', () => subscriptions.counts().subscriptions === 0)
    }
    await until('both are ready', () => here.bus.figures.isReady && there.bus.figures.isReady)
    expect(await there.subscriptions.add(Uint32Array.of(1, 2))).toEqual({ ok: true, value: 1 })
    await until('it is heard', () => here.subscriptions.has(1, 2))
  })

  test('the limit of a user holds on all nodes together, and every line is accounted for', async () => {
    const prefix = newPrefix()
    const perUserMax = 40
    await using here = await open({ prefix })
    await using there = await open({ prefix })
    const bodyOf = async function* (first: number) {
      const lines = Array.from({ length: 600 }, (_, at) => `${1 + (at % 3)} ${first + at}\n`)
      yield Buffer.from(lines.join(''))
    }
    const rules = { userIdMax: 10_000, perUserMax }
    const receipts = await Promise.all(
      [here, there].map(async (node, at) => {
        const items = changeMany(node, rules, 'add', bodyOf(100 + 1_000 * at))
        return (await Array.fromAsync(items)).at(-1)
      }),
    )
    let added = 0
    for (const receipt of receipts) {
      if (receipt === undefined || !('rejectedCount' in receipt)) throw new Error('it has failed')
      const { changed, unchanged, rejectedCount } = receipt
      expect([changed + rejectedCount, unchanged]).toEqual([600, 0])
      added += changed
    }
    expect(added).toBe(3 * perUserMax)
    expect((await kept(prefix)).length).toBe(3 * perUserMax)
  })
})
