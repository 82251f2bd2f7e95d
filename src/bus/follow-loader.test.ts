// Goal: a node that is to read all again does so, however often it is asked and whatever Redis
// does. Method: a real Redis, killed and changed past the nodes.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { waitFor } from '../../scripts/support/child-process.ts'
import { HAS_REDIS, RedisServer } from '../../scripts/support/redis.ts'
import { systemClock } from '../core/clock.ts'
import { followLimits } from '../core/follow-limits.ts'
import { refused, success } from '../core/result.ts'
import { until } from '../core/time.fixture.ts'
import { NameTable } from '../subscriptions/name-table.ts'
import { type FollowChanger, SharedSubscriptions } from '../subscriptions/shared.ts'
import { busKeys } from './bus-keys.ts'
import { FollowLoader } from './follow-loader.ts'
import { followsPrefix } from './follow-sets.ts'
import { addressOf, SHORT_LIMITS } from './redis.fixture.ts'
import { SharedNode } from './shared-node.fixture.ts'

const PREFIX = 'comet:'

const NO_CHANGES: FollowChanger = {
  changeFollows: () => {
    throw new Error('this test changes nothing')
  },
}

/** Subscriptions, and what a loader of them needs besides how far the log is read. */
function unchangedSubscriptions(redis: RedisServer) {
  const names = new NameTable({ seed: 1 })
  const subscriptions = new SharedSubscriptions({ names, changer: NO_CHANGES })
  const options = {
    ...{ address: addressOf(redis.url), prefix: PREFIX, clock: systemClock, random: Math.random },
    ...{ target: subscriptions, redisLimits: SHORT_LIMITS },
    ...{ onReloaded: () => undefined, onFailed: () => undefined },
  }
  return { subscriptions, options }
}

describe.skipIf(!HAS_REDIS)('a node that reads all again', () => {
  let redis: RedisServer

  beforeAll(async () => {
    redis = await RedisServer.start({ isDurable: true })
  })
  afterAll(() => redis[Symbol.asyncDispose]())

  const put = (user: number, subject: number, on = redis) =>
    on.command('SADD', `${followsPrefix(PREFIX)}${user}`, String(subject))

  const open = (on = redis) => SharedNode.open(on.url, { prefix: PREFIX })

  test('has what was written past it, and not before', async () => {
    await using node = await open()
    await put(1, 2)
    expect(node.subscriptions.has(1, 2)).toBe(false)
    node.loader.reload()
    await until('it is read', () => node.reloads.length === 1)
    expect(node.subscriptions.has(1, 2)).toBe(true)
    expect(node.reloads).toEqual([{ subscriptions: 1, ignored: 0, unnamed: 0 }])
  })

  test('while it is told again, reads once more and no oftener', async () => {
    await using node = await open()
    for (let time = 0; time < 5; time++) node.loader.reload()
    expect(node.loader.isReloading).toBe(true)
    await until('it is read', () => !node.loader.isReloading)
    expect(node.reloads).toHaveLength(1)
    redis.pause()
    node.loader.reload()
    await until('the sets are being read', () => node.subscriptions.isLoading)
    for (let time = 0; time < 5; time++) node.loader.reload()
    redis.resume()
    await until('all is read', () => !node.loader.isReloading)
    expect(node.reloads).toHaveLength(3)
  })

  test('says once that it cannot, keeps what it has, and reads when Redis is there', async () => {
    await put(1, 2)
    await using node = await open()
    await put(5, 6)
    await redis.kill()
    node.loader.reload()
    await until('it has failed', () => node.failures.length > 0)
    expect([node.subscriptions.has(1, 2), node.subscriptions.has(5, 6)]).toEqual([true, false])
    await redis.startAgain()
    await until('it is read', () => node.reloads.length === 1)
    expect(node.subscriptions.has(5, 6)).toBe(true)
    expect(node.failures).toHaveLength(1)
  })

  test('counts what is no pair, and what has no room', async () => {
    await using own = await RedisServer.start()
    await own.command('SADD', `${followsPrefix(PREFIX)}1`, '2', '1', '07', 'a b', '99999999999')
    await own.command('SADD', `${followsPrefix(PREFIX)}no user`, '2')
    await using node = await SharedNode.open(own.url, { prefix: PREFIX })
    expect(node.subscriptions.counts()).toEqual({ subscriptions: 1, subjects: 1 })
    node.loader.reload()
    await until('it is read', () => node.reloads.length === 1)
    expect(node.reloads).toEqual([{ subscriptions: 1, ignored: 5, unnamed: 0 }])
  })

  test('has it only once it has read the log as far as the sets may be', async () => {
    await using own = await RedisServer.start()
    await put(1, 2, own)
    await own.command('XADD', busKeys(PREFIX).log, '5-7', 'a', 'b')
    const { subscriptions, options: others } = unchangedSubscriptions(own)
    let readUpTo = { epoch: 5, number: 6 }
    const options = { ...others, readUpTo: () => readUpTo }
    const late = new FollowLoader({ ...options, limits: { ...followLimits, catchUpMsMax: 30 } })
    expect(await late.load()).toEqual(refused('the log was not read up to the sets in time'))
    const loader = new FollowLoader(options)
    let isLoaded = false
    const loaded = loader.load().then((result) => {
      isLoaded = true
      return result
    })
    await waitFor('it to have read all', async () => {
      return (
        String(await own.command('CLIENT', 'LIST'))
          .trim()
          .split('\n').length === 1
      )
    })
    // Followed when it had read the sets, and no longer before it has read so far.
    const pair = { user: { id: 1, name: null }, subject: { id: 2, name: null } }
    subscriptions.apply({ ...pair, follows: false })
    expect([isLoaded, subscriptions.has(1, 2)]).toEqual([false, false])
    readUpTo = { epoch: 5, number: 7 }
    expect(await loaded).toMatchObject(success({ subscriptions: 0 }))
  })

  test('reads them again if the log has gone another way by the end', async () => {
    await using own = await RedisServer.start()
    await put(1, 2, own)
    await own.command('XADD', busKeys(PREFIX).log, '5-7', 'a', 'b')
    const { options } = unchangedSubscriptions(own)
    let looks = 0
    const loader = new FollowLoader({
      ...options,
      // A part of it is lost: what was in the sets may be, too.
      readUpTo: () => ({ epoch: ++looks <= 2 ? 6 : 5, number: 7 }),
    })
    expect(await loader.load()).toMatchObject(success({ subscriptions: 1 }))
    expect(looks).toBe(4)
    looks = Number.NEGATIVE_INFINITY
    expect(await loader.load()).toEqual(refused('the epoch of the log changed meanwhile'))
  })

  test('stops at once, in the middle of it and while it waits', async () => {
    await using own = await RedisServer.start()
    const reading = await open(own)
    own.pause()
    reading.loader.reload()
    await until('the sets are being read', () => reading.subscriptions.isLoading)
    await reading[Symbol.asyncDispose]()
    expect(reading.reloads).toEqual([])
    own.resume()
    const waiting = await open(own)
    await own.kill()
    waiting.loader.reload()
    await until('it has failed', () => waiting.failures.length > 0)
    await waiting[Symbol.asyncDispose]()
    expect(waiting.loader.isReloading).toBe(false)
  })
})
