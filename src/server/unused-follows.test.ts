// Goal: an operator is told of subscriptions in Redis that a node cannot use, once each time that
// they are read. Method: a real Redis with members that no node writes, and a full name table.

import { describe, expect, test } from 'bun:test'
import { HAS_REDIS } from '../../scripts/support/redis.ts'
import { announceFollows } from '../bus/follow-sets.ts'
import { addressOf, sharedRedis } from '../bus/redis.fixture.ts'
import { systemClock } from '../core/clock.ts'
import { Log } from '../core/log.ts'
import { success } from '../core/result.ts'
import { until } from '../core/time.fixture.ts'
import { NameTable } from '../subscriptions/name-table.ts'
import { SharedSubscriptions } from '../subscriptions/shared.ts'
import { openSharedMessages } from './shared-messages.ts'
import { warnOfUnused } from './unused-follows.ts'

function newLog() {
  const lines: string[] = []
  const write = (line: string) => lines.push(line) > 0
  const log = new Log({ format: 'json', clock: systemClock, write })
  const events = (name: string) =>
    lines.map((line) => JSON.parse(line)).filter(({ event }) => event === name)
  return {
    log,
    warnings: () => events('subscriptions_unused'),
    reads: () => events('subscriptions'),
  }
}

describe.skipIf(!HAS_REDIS)('subscriptions in Redis that are not valid', () => {
  const shared = sharedRedis()

  test('are counted in one warning at the start, and in one after each reload', async () => {
    await shared.redis.command('SADD', 'comet:f:1', '2', '3')
    await shared.redis.command('SADD', 'comet:f:4', '5', '6 7', '')
    await shared.redis.command('SADD', 'comet:f:a b', '8')
    const { log, warnings, reads } = newLog()
    const config = { historyBytes: 2 ** 20, controlAddress: { hostname: '127.0.0.1', port: 8001 } }
    const bus = { prefix: 'comet:', isRequired: false, nodeName: 'a' }
    const opened = await openSharedMessages(
      config,
      { ...bus, address: addressOf(shared.redis.url) },
      { log, clock: systemClock },
    )
    if (!opened.ok) throw new Error(opened.why)
    try {
      const warning = {
        level: 'warn',
        reason: 'invalid',
        count: 3,
        message: expect.stringContaining('3 subscriptions in Redis cannot be used'),
      }
      expect(warnings()).toEqual([expect.objectContaining(warning)])
      expect(warnings()[0].message).toContain('begin with comet:f:')

      await announceFollows(shared.connection, 'comet:', '0123456789abcdef')
      await until('the sets to be read again', () => reads().length === 1)
      expect(warnings()).toEqual([
        expect.objectContaining(warning),
        expect.objectContaining(warning),
      ])

      await shared.redis.command('DEL', 'comet:f:a b')
      await shared.redis.command('SREM', 'comet:f:4', '6 7', '')
      await announceFollows(shared.connection, 'comet:', '0123456789abcde0')
      await until('the sets to be read again', () => reads().length === 2)
      expect(warnings()).toHaveLength(2)
    } finally {
      await opened.value.close()
    }
  })
})

test('subscriptions with names that do not fit are counted in a warning with the limit', async () => {
  const names = new NameTable({ seed: 1, namesMax: 1 })
  const changer = { changeFollows: () => Promise.resolve(success(0)) }
  const subscriptions = new SharedSubscriptions({ names, changer })
  const read = await subscriptions.load(async (lists) => {
    lists.add('alice', ['1', 'news', 'sports'])
    return success(undefined)
  })
  if (!read.ok) throw new Error(read.why)
  const { log, warnings } = newLog()
  warnOfUnused(read.value, 'comet:', log)
  expect(warnings()).toEqual([
    expect.objectContaining({ level: 'warn', reason: 'names', count: 2 }),
  ])
  expect(warnings()[0].message).toContain('no room for more names, 16,777,216 at most')
})
