// Goal: what Redis does in one step keeps the log in order, whoever asks and however often. Method:
// the scripts on a real server, each answer and the log after it.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { HAS_REDIS, RedisServer } from '../../scripts/support/redis.ts'
import type { Cursor } from '../core/cursor.ts'
import { about } from '../log/log.fixture.ts'
import type { AppendRequest } from './append-request.ts'
import { encodeBatch } from './batch.ts'
import { busKeys } from './bus-keys.ts'
import { connected } from './redis.fixture.ts'
import type { RedisConnection } from './redis-connection.ts'
import { BusScripts } from './scripts.ts'
import { idText, parseEntries } from './stream-entry.ts'

const [LEFT, RIGHT] = ['1'.repeat(16), '2'.repeat(16)]
const NOWHERE: Cursor = { epoch: 0, number: 0 }

/** One cluster, whose keys have a prefix of their own. */
class Cluster {
  readonly scripts: BusScripts
  readonly prefix: string
  readonly #connection: RedisConnection

  constructor(connection: RedisConnection, scripts: BusScripts, prefix: string) {
    this.#connection = connection
    this.scripts = scripts
    this.prefix = prefix
  }

  async hello(
    mine = NOWHERE,
    batches: readonly (readonly [string, number])[] = [],
    lines = '',
    since = 'all',
  ) {
    const answer = await this.scripts.hello(LEFT, {
      cursor: mine,
      batches,
      keys: { lines, since },
    })
    if (!answer.ok) throw new Error(answer.why.text)
    return answer.value
  }

  async append(epoch: number, batch: number, other: Partial<AppendRequest> = {}) {
    const content = encodeBatch([about(1, 'a'), about(1, 'b'), about(1, 'c')])
    const request = { origin: LEFT, mayBeFirst: false, content, minId: '0-0' }
    const answer = await this.scripts.append({ ...request, epoch, batch, ...other })
    return answer.ok ? answer.value : answer.why.text
  }

  async command(name: string, ...args: string[]): Promise<unknown> {
    const answer = await this.#connection.send(name, args)
    return answer.ok ? answer.value : answer.why.text
  }

  /** Each entry as its id and what it is. */
  async entries(): Promise<string[]> {
    const key = `${this.prefix}log`
    const answer = await this.command('XREAD', 'STREAMS', key, '0-0')
    return (parseEntries(answer, key) ?? []).map((entry) => {
      if (entry.kind === 'batch') return `${idText(entry.at)} batch ${entry.batch}`
      if (entry.kind === 'fork') return `${idText(entry.at)} behind ${idText(entry.base)}`
      return `${idText(entry.at)} ${entry.kind}`
    })
  }
}

describe.skipIf(!HAS_REDIS)('the scripts of the bus', () => {
  let redis: RedisServer
  let connection: RedisConnection
  let clusters = 0

  beforeAll(async () => {
    redis = await RedisServer.start()
    connection = await connected(redis.url)
  })
  afterAll(async () => {
    connection.close('the end')
    await redis[Symbol.asyncDispose]()
  })

  async function newCluster(): Promise<Cluster> {
    const prefix = `scripts-${++clusters}:`
    const scripts = await BusScripts.load(connection, busKeys(prefix), 60)
    if (!scripts.ok) throw new Error(scripts.why.text)
    return new Cluster(connection, scripts.value, prefix)
  }

  test('an empty log gets an epoch, which is the time, and keeps it', async () => {
    const cluster = await newCluster()
    const before = Date.now()
    const { top, batch } = await cluster.hello()
    expect(top.number).toBe(0)
    expect(top.epoch).toBeGreaterThanOrEqual(before - 1)
    expect(batch).toBe(0)
    expect(await cluster.hello(top)).toEqual({ top, batch: 0, logged: 0 })
    expect(await cluster.entries()).toEqual([`${top.epoch}-0 behind 0-0`])
  })

  test('batches of several items take as many numbers', async () => {
    const cluster = await newCluster()
    const { epoch } = (await cluster.hello()).top
    expect(await cluster.append(epoch, 1, { mayBeFirst: true })).toBe('added')
    expect(await cluster.append(epoch, 2)).toBe('added')
    const one = encodeBatch([about(1, 'a')])
    expect(await cluster.append(epoch, 3, { content: one })).toBe('added')
    expect(await cluster.append(epoch, 4)).toBe('added')
    expect((await cluster.entries()).slice(1)).toEqual([
      `${epoch}-1 batch 1`,
      `${epoch}-4 batch 2`,
      `${epoch}-7 batch 3`,
      `${epoch}-8 batch 4`,
    ])
    expect(await cluster.hello()).toEqual({ top: { epoch, number: 10 }, batch: 4, logged: 4 })
  })

  test('each origin has its batches once, in their order, whoever adds them', async () => {
    const cluster = await newCluster()
    const { epoch } = (await cluster.hello()).top
    expect(await cluster.append(epoch, 7)).toBe('gone')
    expect(await cluster.append(epoch, 7, { mayBeFirst: true })).toBe('added')
    for (const mayBeFirst of [true, false]) {
      expect(await cluster.append(epoch, 7, { mayBeFirst })).toBe('seen')
      expect(await cluster.append(epoch, 6, { mayBeFirst })).toBe('seen')
      expect(await cluster.append(epoch, 9, { mayBeFirst })).toBe('order')
    }
    expect(await cluster.append(epoch, 1, { origin: RIGHT, mayBeFirst: true })).toBe('added')
    expect(await cluster.append(epoch, 8)).toBe('added')
    expect(await cluster.entries()).toHaveLength(4)
  })

  test('an older epoch is fenced off, and a log that is gone is not begun by a batch', async () => {
    const cluster = await newCluster()
    const { epoch } = (await cluster.hello()).top
    expect(await cluster.append(epoch - 1, 1, { mayBeFirst: true })).toBe('fenced')
    expect(await cluster.append(epoch, 1, { mayBeFirst: true })).toBe('added')
    await cluster.command('DEL', `${cluster.prefix}log`)
    expect(await cluster.append(epoch, 2)).toBe('gone')
    expect(await cluster.command('EXISTS', `${cluster.prefix}log`)).toBe(0)
  })

  test('a log that is gone goes on behind the node that finds out, with what it has read', async () => {
    const cluster = await newCluster()
    const { epoch } = (await cluster.hello()).top
    await cluster.command('DEL', `${cluster.prefix}log`)
    const mine = { epoch, number: 12 }
    const { top, batch } = await cluster.hello(mine, [
      [LEFT, 4],
      [RIGHT, 9],
    ])
    expect({ number: top.number, batch }).toEqual({ number: 12, batch: 4 })
    expect(top.epoch).toBeGreaterThan(epoch)
    expect(await cluster.entries()).toEqual([`${top.epoch}-12 behind ${epoch}-12`])
    expect(await cluster.append(top.epoch, 4)).toBe('seen')
    expect(await cluster.append(top.epoch, 10, { origin: RIGHT })).toBe('added')
  })

  test('a new run of Redis begins a new epoch behind the last entry, also when time went back', async () => {
    const cluster = await newCluster()
    const { epoch } = (await cluster.hello()).top
    await cluster.append(epoch, 1, { mayBeFirst: true })
    const state = `${cluster.prefix}log:state`
    const run = String(await cluster.command('HGET', state, 'run'))
    await cluster.command('HSET', state, 'run', run.replace(/./, 'x'))
    const { top } = await cluster.hello()
    expect(top.epoch).toBeGreaterThan(epoch)
    expect((await cluster.entries()).at(-1)).toBe(`${top.epoch}-3 behind ${epoch}-3`)
    // As if the clock had been ten years ahead until now.
    const ahead = top.epoch + 10 * 365 * 86_400_000
    await cluster.command('XADD', `${cluster.prefix}log`, `${ahead}-3`, 'fork', `${top.epoch}-3`)
    await cluster.command('HSET', state, 'run', 'another', 'epoch', String(ahead))
    expect((await cluster.hello()).top).toEqual({ epoch: ahead + 1, number: 3 })
  })

  test('a node that is ahead of the log, though the epoch is the same, begins a new one', async () => {
    const cluster = await newCluster()
    const { epoch } = (await cluster.hello()).top
    const { top } = await cluster.hello({ epoch, number: 3 })
    expect(top).toEqual({ epoch: Math.max(top.epoch, epoch + 1), number: 0 })
  })

  test('an entry that is not ours does not stop the log', async () => {
    const cluster = await newCluster()
    const { epoch } = (await cluster.hello()).top
    await cluster.command('XADD', `${cluster.prefix}log`, `${epoch + 1_000_000}-0`, 'x', 'y')
    expect(await cluster.append(epoch, 1, { mayBeFirst: true })).toBe('fenced')
    const { top } = await cluster.hello({ epoch, number: 0 })
    expect(top).toEqual({ epoch: epoch + 1_000_001, number: 0 })
    expect((await cluster.entries()).at(-1)).toBe(`${top.epoch}-0 behind ${epoch}-0`)
    expect(await cluster.append(top.epoch, 1, { mayBeFirst: true })).toBe('added')
  })

  test('what is lost for good is an entry, and sets how far its origin is', async () => {
    const cluster = await newCluster()
    const { epoch } = (await cluster.hello()).top
    expect(await cluster.scripts.lost(epoch, LEFT, 5)).toEqual({ ok: true, value: 'added' })
    expect((await cluster.entries()).at(-1)).toBe(`${epoch}-1 lost`)
    expect(await cluster.append(epoch, 5)).toBe('seen')
    expect(await cluster.append(epoch, 6)).toBe('added')
    expect(await cluster.scripts.lost(epoch - 1, LEFT, 5)).toEqual({ ok: true, value: 'fenced' })
  })

  test('entries before the given place go, about', async () => {
    const cluster = await newCluster()
    const { epoch } = (await cluster.hello()).top
    const content = encodeBatch([about(1, 'x'.repeat(5_000))])
    for (let batch = 1; batch <= 50; batch++) {
      await cluster.append(epoch, batch, {
        content,
        mayBeFirst: true,
        minId: `${epoch}-${Math.max(0, batch - 9)}`,
      })
    }
    const ids = await cluster.entries()
    expect(ids.length).toBeLessThan(20)
    expect(ids.at(-1)).toBe(`${epoch}-50 batch 50`)
  })

  test('a key of another kind is told as what it is', async () => {
    const cluster = await newCluster()
    await cluster.command('SET', `${cluster.prefix}log`, 'mine')
    const answer = await cluster.scripts.hello(LEFT, {
      cursor: NOWHERE,
      batches: [],
      keys: { lines: '', since: 'all' },
    })
    expect(answer.ok ? '' : answer.why.text).toContain('WRONGTYPE')
  })
})
