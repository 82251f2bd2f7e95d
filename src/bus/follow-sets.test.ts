// Goal: all sets are read, whatever their size and whatever else Redis has; a bulk load adds what
// is new, and every node hears that it is to read. Method: a real Redis, and nodes of the bus.

import { beforeEach, describe, expect, test } from 'bun:test'
import { HAS_REDIS, RedisServer } from '../../scripts/support/redis.ts'
import { followLimits } from '../core/follow-limits.ts'
import { until } from '../core/time.fixture.ts'
import { RedisNode, randomOrigin } from './bus.fixture.ts'
import { announceFollows, followsPrefix, readFollows, writeFollows } from './follow-sets.ts'
import { connected, sharedRedis } from './redis.fixture.ts'

const PREFIX = 'comet:'
const KEYS = followsPrefix(PREFIX)

describe.skipIf(!HAS_REDIS)('the sets of who follows whom', () => {
  const shared = sharedRedis()
  beforeEach(() => shared.redis.command('FLUSHALL'))

  const add = (user: string, ...subjects: string[]) =>
    shared.redis.command('SADD', `${KEYS}${user}`, ...subjects)

  /** All that is read, by user; fails if a user comes twice with different subjects. */
  async function allRead(limits = {}, on = shared.connection) {
    const all = new Map<string, string[]>()
    const read = await readFollows(
      on,
      PREFIX,
      (user, subjects) => {
        all.set(user, subjects.toSorted())
        return true
      },
      { ...followLimits, ...limits },
    )
    return read.ok ? Object.fromEntries([...all].sort()) : read.why
  }

  test('are read by user, beside keys of others and with names', async () => {
    await add('1', '2', '3')
    await add('alice', 'news', '7', 'room:42')
    await shared.redis.command('SADD', 'other:f:1', '9')
    await shared.redis.command('SET', `${KEYS}2`, 'is no set')
    await shared.redis.command('XADD', `${PREFIX}log`, '1-1', 'a', 'b')
    expect(await allRead()).toEqual({ '1': ['2', '3'], '2': [], alice: ['7', 'news', 'room:42'] })
  })

  test('are none in an empty Redis', async () => {
    expect(await allRead()).toEqual({})
  })

  test.each([
    { scanKeys: 1, commandsMax: 1 },
    { scanKeys: 10, commandsMax: 3 },
    { scanKeys: 1_000, commandsMax: 512 },
  ])('are all read among many other keys, with %p', async (limits) => {
    const expected: Record<string, string[]> = {}
    for (let user = 1; user <= 200; user++) {
      const subjects = Array.from({ length: 1 + (user % 20) }, (_, at) => String(1_000 + user + at))
      expected[user] = subjects.toSorted()
      await add(String(user), ...subjects)
    }
    await shared.redis.command('EVAL', `for n = 1, 3000 do redis.call('SET', 'x' .. n, n) end`, '0')
    expect(await allRead(limits)).toEqual(expected)
  })

  test('may be so large that each takes many commands, and has each subject once', async () => {
    const subjects = Array.from({ length: 20_000 }, (_, at) => String(1 + at))
    await add('5', ...subjects)
    const seen: number[] = []
    await readFollows(shared.connection, PREFIX, (_, found) => seen.push(found.length) > 0)
    expect(seen).toEqual([20_000])
    expect(await shared.redis.command('OBJECT', 'ENCODING', `${KEYS}5`)).toBe('hashtable')
    expect(await allRead()).toEqual({ '5': subjects.toSorted() })
  })

  test('that are more than there is room for end the reading', async () => {
    await add('1', '2')
    const read = await readFollows(shared.connection, PREFIX, () => false)
    expect(read).toMatchObject({ ok: false, why: { text: expect.stringContaining('no room') } })
  })

  test('are not read to the end over a connection that is lost', async () => {
    const own = await connected(shared.redis.url)
    await add('1', '2')
    own.close('lost by the test')
    expect(await allRead({}, own)).toMatchObject({ kind: 'lost' })
  })

  test('get pairs that are new, of any number and with names', async () => {
    await add('1', '2')
    const many = Array.from({ length: 2_500 }, (_, at) => [7, 10 + at])
    const pairs = Uint32Array.from([[1, 2], [1, 3], ...many, [9, 1]].flat())
    const progress: number[] = []
    const written = await writeFollows(shared.connection, PREFIX, {
      pairs,
      textOf: (id) => (id === 9 ? 'alice' : String(id)),
      onProgress: (done) => progress.push(done),
    })
    expect(written).toEqual({ ok: true, value: 2_502 })
    expect(progress.at(-1)).toBe(2_503)
    const all = (await allRead()) as Record<string, string[]>
    expect([all['1'], all['alice'], all['7']?.length]).toEqual([['2', '3'], ['1'], 2_500])
  })

  test('get nothing from a Redis that is full, and say so', async () => {
    await using full = await RedisServer.start({ settings: ['maxmemory 1mb'] })
    const own = await connected(full.url)
    const pairs = Uint32Array.from(
      { length: 400_000 },
      (_, at) => 1 + (at % 2 === 0 ? at >> 5 : at),
    )
    const written = await writeFollows(own, PREFIX, { pairs, textOf: String })
    expect(written).toMatchObject({
      ok: false,
      why: { kind: 'error', text: expect.stringMatching(/^OOM/) },
    })
    own.close('The test is over.')
  })
})

describe.skipIf(!HAS_REDIS)('that sets were written', () => {
  test('is heard by every node once, as a barrier between the messages', async () => {
    await using redis = await RedisServer.start()
    const connection = await connected(redis.url)
    expect(await announceFollows(connection, PREFIX, randomOrigin())).toEqual({
      ok: true,
      value: false,
    })
    await using one = await RedisNode.start(redis.url)
    await using other = await RedisNode.start(redis.url)
    one.publish('before')
    await other.heard('before')
    for (let load = 0; load < 2; load++) {
      const told = await announceFollows(connection, PREFIX, randomOrigin())
      expect(told).toEqual({ ok: true, value: true })
    }
    other.publish('after')
    for (const node of [one, other]) {
      await node.heard('after')
      expect(node.listener.texts).toEqual(['before', 'barrier', 'barrier', 'after'])
    }
    await one.accepted('before')
    await other.accepted('after')
    // One that comes later has them in its window.
    await using late = await RedisNode.start(redis.url)
    // Both may still read that it has joined.
    await until('both windows end at the same entry', () => {
      return late.bus.window.last === one.bus.window.last
    })
    expect(late.bus.window.oldest).toBe(one.bus.window.oldest)
    connection.close('The test is over.')
  })

  test('is heard behind what the next run of Redis has kept', async () => {
    await using redis = await RedisServer.start({ isDurable: true })
    await using node = await RedisNode.start(redis.url)
    node.publish('before')
    await node.accepted('before')
    await redis.restart()
    const connection = await connected(redis.url)
    expect(await announceFollows(connection, PREFIX, randomOrigin())).toEqual({
      ok: true,
      value: true,
    })
    await until('the barrier is heard', () => node.listener.texts.includes('barrier'))
    await node.isReady()
    expect(node.listener.gaps).toBe(0)
    connection.close('The test is over.')
  })
})
