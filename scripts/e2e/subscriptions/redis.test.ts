// Goal: who follows whom is the same on all servers that share a Redis, whichever changes it; a
// file is loaded there while they run, and moves between a database and Redis as it is.
// Method: the executable, a real Redis, and files.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { waitFor } from '../../support/child-process.ts'
import { type CometServer, run, serve } from '../../support/comet.ts'
import { folderOfTests } from '../../support/folder.ts'
import { LogStream } from '../../support/log-stream.ts'
import { chunk, RawClient } from '../../support/raw-client.ts'
import { HAS_REDIS, RedisServer } from '../../support/redis.ts'

const folder = folderOfTests()
let redis: RedisServer

const friends = (...args: string[]) => run(['friends', ...args])
const serveShared = (...args: string[]) => serve(['--bus', redis.url, ...args])

async function load(text: string, ...args: string[]) {
  await Bun.write(`${folder}/load.txt`, text)
  return await friends('load', `${folder}/load.txt`, '--bus', redis.url, ...args)
}

const exported = async () => (await friends('export', '--bus', redis.url)).stdout

const held = async (server: CometServer) => (await server.stats()).subscriptions.held

describe.skipIf(!HAS_REDIS)('who follows whom in Redis', () => {
  beforeAll(async () => {
    redis = await RedisServer.start({ isDurable: true })
  })
  afterAll(() => redis[Symbol.asyncDispose]())
  beforeEach(() => redis.command('FLUSHALL'))

  test('is what one server was told, on all of them and on one that starts later', async () => {
    await using one = await serveShared('--max-subscriptions-per-user', '2')
    await using other = await serveShared()
    const follow = async (server: CometServer, path: string, method = 'PUT') => {
      const response = await server.ask(`/users/${path}`, { method })
      return [response.status, await response.json()] as const
    }
    expect(await follow(one, '5/subscriptions/news')).toEqual([200, { changed: true }])
    // At once, whatever the other one has heard.
    expect(await follow(other, '5/subscriptions/news')).toEqual([200, { changed: false }])
    await using alice = await RawClient.stream(other.publicPort, 5)
    await waitFor('the other to have it', async () => (await held(other)) === 1)
    await one.publish({ subject: 'news', body: 'hello' })
    await alice.received(chunk('hello'))
    expect(await follow(other, '5/subscriptions/7')).toEqual([200, { changed: true }])
    expect(await follow(one, '5/subscriptions/8')).toMatchObject([
      409,
      { error: { code: 'subscription_limit' } },
    ])
    const path = '5/subscriptions/news'
    expect(await follow(one, path, 'DELETE')).toEqual([200, { changed: true }])
    expect(await follow(other, path, 'DELETE')).toEqual([200, { changed: false }])
    await using later = await serveShared()
    expect(await follow(later, '5/subscriptions', 'GET')).toEqual([200, { users: [7], next: null }])
  })

  test('is changed by many lines on several servers at once, and each line counts once', async () => {
    await using one = await serveShared()
    await using other = await serveShared()
    const body = Array.from({ length: 3_000 }, (_, at) => `${1 + at} 9999`).join('\n')
    const receipts = await Promise.all(
      [one, other].map(async (server) => {
        const response = await server.ask('/subscriptions', { method: 'POST', body })
        return (await response.json()) as { changed: number; unchanged: number }
      }),
    )
    const sum = (key: 'changed' | 'unchanged') => receipts.reduce((all, of) => all + of[key], 0)
    expect([sum('changed'), sum('unchanged')]).toEqual([3_000, 3_000])
    for (const server of [one, other]) {
      await waitFor('all to be there', async () => (await held(server)) === 3_000)
    }
  })

  test('counts as it was in its place between messages, for who comes back to another server', async () => {
    await using one = await serveShared()
    await using other = await serveShared()
    const publish = (subject: string, body: string) => one.publish({ subject, body })
    // The same for a stream that is open all the time.
    using open = await LogStream.open(one, 'alice', 'json')
    using first = await LogStream.open(other, 'alice', 'json')
    first.client.terminate()
    await publish('news', 'before')
    await other.changeFollow('PUT', 'alice', 'news')
    await waitFor('it to be heard', async () => (await held(one)) === 1)
    await publish('news', 'while')
    await one.changeFollow('DELETE', 'alice', 'news')
    await one.changeFollow('PUT', 'alice', 'sports')
    await publish('news', 'after')
    await publish('sports', 'last')
    await open.has('last')
    using again = await LogStream.open(other, 'alice', 'json', `after=${first.cursor}`)
    await again.has('last')
    expect(again.messages).toEqual(['while', 'last'])
    expect([open.messages, again.gap]).toEqual([['while', 'last'], undefined])
  })

  test('of a file reaches servers that run, and is added to what there is', async () => {
    await using server = await serveShared()
    expect(JSON.parse((await load('1 2\n3 2\n', '--json')).stdout)).toMatchObject({
      ok: true,
      ...{ lines: 2, added: 2, repeated: 0, present: 0 },
    })
    await waitFor('the server to have it', async () => (await held(server)) === 2)
    const more = await load('3 2\n4\t2\n4 2\n')
    expect(more.stdout).toContain('1 subscription added')
    expect(more.stdout).toContain('1 duplicate in the input, 1 already in Redis')
    await waitFor('the server to have more', async () => (await held(server)) === 3)
    await using client = await RawClient.stream(server.publicPort, 4)
    expect(await server.publish({ subject: 2, body: 'x' })).toBe(1)
    await client.received(chunk('x'))
    await server.logged('3 subscriptions read from Redis again.')
  })

  test('of a file with an invalid line stays as it was', async () => {
    await load('1 2\n')
    const { exitCode, stdout, stderr } = await load('3 4\n5 x!\n', '--names')
    expect([exitCode, stdout]).toEqual([1, ''])
    expect(stderr).toContain('nothing was loaded: 1 invalid line')
    expect(stderr).toContain('line 2')
    expect(await exported()).toBe('1 2\n')
  })

  test('moves between a database and Redis as it is, names too', async () => {
    const [first, second] = [`${folder}/first.db`, `${folder}/second.db`]
    await friends('generate', '--users', '2000', '--output', `${folder}/graph.txt`)
    await Bun.write(`${folder}/names.txt`, 'alice 7\nalice room:42\n7 alice\nbob alice\n')
    for (const file of ['graph', 'names']) {
      await friends('load', `${folder}/${file}.txt`, '--names', '--db', first)
    }
    const lines = async (...from: string[]) =>
      (await friends('export', ...from)).stdout.trim().split('\n').sort()
    const before = await lines('--db', first)
    expect(before).toHaveLength(29_884)
    await friends('export', '--db', first, '--output', `${folder}/out.txt`)
    await friends('load', `${folder}/out.txt`, '--names', '--bus', redis.url)
    expect(await lines('--bus', redis.url)).toEqual(before)
    await friends('export', '--bus', redis.url, '--output', `${folder}/back.txt`)
    await friends('load', `${folder}/back.txt`, '--names', '--db', second)
    expect(await lines('--db', second)).toEqual(before)
    // In order, numbers as numbers.
    const users = (await Bun.file(`${folder}/back.txt`).text()).split('\n').map((line) => {
      return Number(line.split(' ')[0])
    })
    const numbers = users.filter((user) => user > 0)
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
  })

  test('is of one prefix alone', async () => {
    await load('1 2\n')
    await load('3 4\n', '--bus-prefix', 'staging:')
    expect(await exported()).toBe('1 2\n')
    const other = await friends('export', '--bus', redis.url, '--bus-prefix', 'staging:')
    expect(other.stdout).toBe('3 4\n')
  })

  test('cannot be loaded into a Redis that is away, or into a database at the same time', async () => {
    const away = await friends('export', '--bus', 'redis://127.0.0.1:1', '--output', `${folder}/x`)
    expect([away.exitCode, away.stdout]).toEqual([69, ''])
    expect(away.stderr).toContain('comet friends export: Redis at 127.0.0.1:1 cannot be used')
    expect(await Bun.file(`${folder}/x`).exists()).toBe(false)
    await Bun.write(`${folder}/load.txt`, '1 2\n')
    const both = await load('1 2\n', '--db', `${folder}/both.db`)
    expect([both.exitCode, both.stderr.includes('--db')]).toEqual([2, true])
  })
})
