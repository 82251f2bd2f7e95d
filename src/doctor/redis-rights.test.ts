// Goal: the rights that the doctor asks for are those that the bus uses, no fewer and no more, and
// a missing one is named. Method: users of a real Redis with these rights, all of them and one
// less; and the commands in the source of the bus.

import { describe, expect, test } from 'bun:test'
import { HAS_REDIS, RedisServer } from '../../scripts/support/redis.ts'
import { RedisNode } from '../bus/bus.fixture.ts'
import { FeedNode, Follower, SHORT_LIVES } from '../bus/feed-node.fixture.ts'
import { addressOf, connected } from '../bus/redis.fixture.ts'
import { NEEDED_COMMANDS, rightsRule, tryRights } from './redis-rights.ts'

/** The rules in what an administrator types. */
function rulesIn(command: string): string[] {
  return Array.from(command.matchAll(/'([^']+)'/g), ([, rule = '']) => rule)
}

const RULES = rulesIn(rightsRule(addressOf('redis://comet@localhost'), 'comet:'))

/** The URL of a user with these rules and no others. */
async function userWith(redis: RedisServer, rules: readonly string[]): Promise<string> {
  await redis.command('ACL', 'SETUSER', 'comet', 'reset', 'on', '>word', ...rules)
  return redis.url.replace('//', '//comet:word@')
}

async function rightsOf(redis: RedisServer, rules: readonly string[], key = 'comet:try') {
  const connection = await connected(await userWith(redis, rules))
  const rights = await tryRights(connection, key)
  connection.close('The rights are known.')
  if (!rights.ok) throw new Error(rights.why.text)
  return rights.value
}

/** In the rules of a user these have a name for each of their commands. */
const GROUPS = ['xinfo', 'script', 'config', 'memory', 'client', 'xgroup']

async function commandsOfBus(): Promise<string[]> {
  const found = new Set<string>()
  for await (const path of new Bun.Glob('*.ts').scan(`${import.meta.dir}/../bus`)) {
    if (/\.(test|fixture|contract)\.ts$/.test(path)) continue
    const source = await Bun.file(`${import.meta.dir}/../bus/${path}`).text()
    for (const [, name = '', part = ''] of source.matchAll(SENT)) {
      const command = name.toLowerCase()
      found.add(GROUPS.includes(command) ? `${command}|${part.toLowerCase()}` : command)
    }
    for (const [, ...names] of source.matchAll(CHOSEN)) {
      for (const name of names) found.add(name.toLowerCase())
    }
  }
  return [...found].sort()
}

const SENT = /(?:redis\.p?call|\.send)\('([A-Z]+)'(?:, \[?'([A-Z]+)')?/g
/** One of two commands, in a script. */
const CHOSEN = /redis\.p?call\([a-z =']+ and '([A-Z]+)' or '([A-Z]+)'/g

test('the rights that are asked for are those that the source of the bus needs', async () => {
  expect(NEEDED_COMMANDS.toSorted()).toEqual(await commandsOfBus())
})

test('a database of its own takes one right more', () => {
  const rule = rightsRule(addressOf('redis://comet@localhost/3'), 'comet:')
  expect(rulesIn(rule)).toEqual([...RULES, '+select'])
})

describe.skipIf(!HAS_REDIS)('a user', () => {
  test('with these rights alone can be that of nodes', async () => {
    await using redis = await RedisServer.start()
    const url = await userWith(redis, RULES)
    await using one = await RedisNode.start(url)
    await using other = await RedisNode.start(url)
    one.publish('a')
    await other.heard('a')
    other.publish('b')
    await one.heard('b')
    // A look at a log that is gone has every script run again.
    await redis.command('FLUSHALL')
    await one.isReady()
    one.publish('c')
    await other.heard('c')
  })

  test('with these rights alone can be that of nodes that share the feed', async () => {
    await using redis = await RedisServer.start()
    await userWith(redis, RULES)
    const options = { as: { user: 'comet', password: 'word' }, nodeLimits: SHORT_LIVES }
    await using one = await FeedNode.start(redis.url, options)
    await using other = await FeedNode.start(redis.url, options)
    const follower = new Follower(one, true)
    for (const user of [1, 2, 3]) other.connect(user)
    await follower.agreesWith([one, other])
    await redis.command('FLUSHALL')
    await follower.agreesWith([one, other])
    await other.kill()
    await follower.agreesWith([one])
    await one.stop()
    await follower.stop()
    expect(await redis.command('EXISTS', 'comet:feed:nodes')).toBe(0)
  })

  test('with these rights lacks nothing', async () => {
    await using redis = await RedisServer.start()
    expect(await rightsOf(redis, RULES)).toEqual({
      ...{ forbidden: [], hasKeys: true, writeError: null },
    })
  })

  // Without `info` there is no connection.
  test.each(NEEDED_COMMANDS.filter((command) => command !== 'info'))(
    'without %s is told so',
    async (command) => {
      await using redis = await RedisServer.start()
      const { forbidden, hasKeys } = await rightsOf(redis, [...RULES, `-${command}`])
      expect([forbidden, hasKeys]).toEqual([[command], true])
    },
  )

  test('without the keys is told so', async () => {
    await using redis = await RedisServer.start()
    const rights = await rightsOf(redis, RULES, 'other:try')
    expect(rights).toEqual({ forbidden: [], hasKeys: false, writeError: null })
  })
})

describe.skipIf(!HAS_REDIS)('a server', () => {
  test('that lacks a command is as one that forbids it', async () => {
    await using redis = await RedisServer.start({ settings: ['rename-command XSETID ""'] })
    expect(await rightsOf(redis, RULES)).toMatchObject({ forbidden: ['xsetid'] })
  })

  test('that is full refuses a write', async () => {
    await using redis = await RedisServer.start({ settings: ['maxmemory 1'] })
    const { forbidden, writeError } = await rightsOf(redis, RULES)
    expect(forbidden).toEqual([])
    expect(writeError).toStartWith('OOM ')
  })
})
