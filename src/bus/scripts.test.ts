// Goal: what Redis does in one step keeps the log in order, no matter who asks and how often.
// Method: the scripts on a real server, each answer and the log after it.

import { describe, expect, test } from 'bun:test'
import { HAS_REDIS } from '../../scripts/support/redis.ts'
import { about } from '../log/log.fixture.ts'
import { encodeBatch } from './batch.ts'
import { sharedRedis } from './redis.fixture.ts'
import { LEFT, NOWHERE, RIGHT, ScriptCluster } from './scripts.fixture.ts'

function secondsAgo(seconds: number): string {
  return String(Math.floor(Date.now() / 1_000) - seconds)
}

describe.skipIf(!HAS_REDIS)('the scripts of the bus', () => {
  const shared = sharedRedis()
  let clusters = 0

  function newCluster(): Promise<ScriptCluster> {
    return ScriptCluster.open(shared.connection, `scripts-${++clusters}:`)
  }

  test('an empty log gets an epoch, which is the time, and keeps it', async () => {
    const cluster = await newCluster()
    const before = Date.now()
    const { top, batch } = await cluster.hello()
    expect(top.number).toBe(0)
    expect(top.epoch).toBeGreaterThanOrEqual(before - 1)
    expect(batch).toBe(0)
    const forks = [{ epoch: top.epoch, base: NOWHERE }]
    expect(await cluster.hello(top)).toEqual({ top, batch: 0, logged: 0, forks })
    expect(await cluster.entries()).toEqual([`${top.epoch}-0 behind 0-0`])
  })

  test.each([
    ['SET', 'log', ['x'], 'WRONGTYPE scripts-N:log is not as comet writes it'],
    ['LPUSH', 'log:state', ['x'], 'WRONGTYPE scripts-N:log:state is not as comet writes it'],
    [
      'SADD',
      `log:origin:${LEFT}`,
      ['x'],
      `WRONGTYPE scripts-N:log:origin:${LEFT} is not as comet writes it`,
    ],
    [
      'XADD',
      'log',
      [`${2 ** 48}-1`, 'a', 'b'],
      'ERR scripts-N:log has an id that comet has not written',
    ],
    [
      'XADD',
      'log',
      ['1-18446744073709551615', 'a', 'b'],
      'ERR scripts-N:log has an id that comet has not written',
    ],
    [
      'HSET',
      'log:state',
      ['epoch', 'x'],
      'ERR scripts-N:log:state has an epoch that comet has not written',
    ],
    [
      'HSET',
      'log:state',
      ['epoch', '1e99'],
      'ERR scripts-N:log:state has an epoch that comet has not written',
    ],
    [
      'HSET',
      'log:state',
      ['epoch', 'nan'],
      'ERR scripts-N:log:state has an epoch that comet has not written',
    ],
  ])(
    'what others have written by %s in the place of %s is said, and left',
    async (name, key, args, why) => {
      const cluster = await newCluster()
      const place = `${cluster.prefix}${key}`
      await cluster.command(name, place, ...args)
      const dump = await cluster.command('DUMP', place)
      const text = await cluster.hello().catch((error: Error) => error.message)
      expect(String(text).replace(cluster.prefix, 'scripts-N:')).toStartWith(why)
      expect(await cluster.command('DUMP', place)).toEqual(dump)
      await cluster.command('DEL', place)
      expect((await cluster.hello()).top.number).toBe(0)
    },
  )

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
    const top = { epoch, number: 10 }
    expect(await cluster.hello()).toMatchObject({ top, batch: 4, logged: 4 })
  })

  test('each origin has its batches once and in order, also when other nodes add them', async () => {
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
    // Those before it may have been lost with that epoch.
    expect(await cluster.append(epoch - 1, 3)).toBe('fenced')
    expect(await cluster.append(epoch, 3)).toBe('order')
    await cluster.command('DEL', `${cluster.prefix}log`)
    expect(await cluster.append(epoch, 2)).toBe('gone')
    expect(await cluster.append(epoch, 3)).toBe('gone')
    expect(await cluster.command('EXISTS', `${cluster.prefix}log`)).toBe(0)
  })

  test('forks are remembered, the newest first, until the log is lost', async () => {
    const cluster = await newCluster()
    const { epoch } = (await cluster.hello()).top
    await cluster.append(epoch, 1, { mayBeFirst: true })
    // As if another server had it.
    await cluster.command('HSET', `${cluster.prefix}log:state`, 'run', 'x')
    const { top, forks } = await cluster.hello()
    expect(forks).toEqual([
      { epoch: top.epoch, base: { epoch, number: 3 } },
      { epoch, base: NOWHERE },
    ])
    for (let count = 0; count < 40; count++) {
      await cluster.command('HSET', `${cluster.prefix}log:state`, 'run', 'x')
      await cluster.hello()
    }
    const more = (await cluster.hello()).forks
    expect(more.length).toBeLessThan(40)
    expect(more.map(({ base }) => base.number)).toEqual(more.map(() => 3))
    await cluster.command('DEL', `${cluster.prefix}log`)
    const reset = await cluster.hello({ epoch, number: 2 })
    expect(reset.forks).toEqual([{ epoch: reset.top.epoch, base: { epoch, number: 2 } }])
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

  test('a log that is gone gets the keys of messages back, for the time that is left', async () => {
    const cluster = await newCluster()
    const { epoch } = (await cluster.hello()).top
    await cluster.command('DEL', `${cluster.prefix}log`)
    const seconds = Math.floor(Date.now() / 1_000)
    const lines = [
      `aa ${seconds - 100} - 0 ${epoch}-1 11\n`,
      `bb ${seconds - 301} - 0 ${epoch}-2 22\n`,
      // As of a clock that was set back.
      `cc ${seconds + 1_000} - 0 ${epoch}-3 33\n`,
    ].join('')
    await cluster.hello({ epoch, number: 3 }, [], lines)
    const leftMs = async (hash: string) =>
      Number(await cluster.command('PTTL', `${cluster.prefix}log:key:${hash}`))
    expect(Math.abs((await leftMs('aa')) - 200_000)).toBeLessThan(3_000)
    expect(await leftMs('bb')).toBe(-2)
    expect(Math.abs((await leftMs('cc')) - 300_000)).toBeLessThan(3_000)
    expect(await cluster.command('GET', `${cluster.prefix}log:key:aa`)).toBe(`- 0 ${epoch}-1 11`)
  })

  test.each([
    ['all that there were', 'all', 0],
    ['it cannot say which', 'none', 1],
    ['those of a part of their time', 200, 1],
    ['those of longer than their time', 400, 0],
  ] as const)(
    'tells of a gap then unless its node knows enough: %s',
    async (_, sinceWhen, gaps) => {
      const since = typeof sinceWhen === 'number' ? secondsAgo(sinceWhen) : sinceWhen
      const cluster = await newCluster()
      const { epoch } = (await cluster.hello()).top
      await cluster.command('DEL', `${cluster.prefix}log`)
      const { top } = await cluster.hello({ epoch, number: 3 }, [], '', since)
      expect(top.number).toBe(3 + gaps)
      const entries = await cluster.entries()
      expect(entries).toHaveLength(1 + gaps)
      expect(entries.at(-1)).toBe(
        gaps > 0 ? `${top.epoch}-4 lost` : `${top.epoch}-3 behind ${epoch}-3`,
      )
    },
  )

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
