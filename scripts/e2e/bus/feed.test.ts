// Goal: the feed of any server that shares Redis tells of the connections of all of them: a reader
// goes on at another one, one that is killed is told as lost by the others in time, and whatever
// becomes of Redis, a reader that follows the rules knows who is connected. Method: three real
// servers, a real Redis, and kill -9.

import { describe, expect, test } from 'bun:test'
import { waitFor } from '../../support/child-process.ts'
import { type CometServer, serve } from '../../support/comet.ts'
import { FeedClient } from '../../support/feed-client.ts'
import { scrape } from '../../support/metrics.ts'
import { get, RawClient } from '../../support/raw-client.ts'
import { HAS_REDIS, RedisServer } from '../../support/redis.ts'

/** Within which those of a server that dies are told as lost. */
const LOST_MS_MAX = 5_000

async function openOne(server: CometServer, user: number | string): Promise<RawClient> {
  const client = await RawClient.open(server.publicPort, get(`/stream/${user}`))
  await client.received('"id"')
  return client
}

class Clients implements Disposable {
  readonly all: RawClient[] = []

  async open(server: CometServer, ...users: readonly (number | string)[]): Promise<void> {
    for (const user of users) this.all.push(await openOne(server, user))
  }

  [Symbol.dispose](): void {
    for (const client of this.all) client.terminate()
  }
}

function serveAt(redis: RedisServer, name: string, ...more: readonly string[]) {
  return serve(['--bus', redis.url, '--node-name', name, ...more])
}

/** Users who are connected by all that the reader was told. */
function usersOf(feed: FeedClient): string[] {
  return [...feed.connections.values()].map(String).toSorted()
}

async function knows(feed: FeedClient, ...users: readonly (number | string)[]): Promise<void> {
  const wanted = users.map(String).toSorted().join()
  await waitFor(`${wanted} after ${usersOf(feed).join()}`, () => usersOf(feed).join() === wanted)
}

/** A snapshot and the event that a connection was opened may both tell of it. */
function endsOf(feed: FeedClient): string[] {
  return feed.short.filter((text) => !text.endsWith(' connected')).toSorted()
}

const upTo = (last: number) => Array.from({ length: last }, (_, at) => at + 1)

describe.skipIf(!HAS_REDIS)('the feed of servers that share Redis', () => {
  test('tells of all of them at each, and goes on at another one', async () => {
    await using redis = await RedisServer.start()
    await using a = await serveAt(redis, 'a')
    await using b = await serveAt(redis, 'b', '--workers', '2')
    await using c = await serveAt(redis, 'c')
    using clients = new Clients()
    using feed = await FeedClient.open(b)
    await clients.open(a, 'alice', 7)
    await knows(feed, 'alice', 7)
    await clients.open(b, 'bob')
    await knows(feed, 'alice', 7, 'bob')
    expect(feed.events.map(({ node }) => node)).toEqual(['a', 'a', 'b'])
    clients.all[0]?.terminate()
    await clients.open(c, 'carol')
    // Behind the first three, at another server.
    using again = await FeedClient.open(c, `after=${feed.events[2]?.id}`)
    await again.has('alice client')
    await again.has('carol connected')
    expect([again.gap, again.events.length]).toEqual([undefined, 2])
    using snapshot = await FeedClient.open(a, 'snapshot=true')
    await waitFor('all who are connected', () => snapshot.isComplete)
    await knows(snapshot, 7, 'bob', 'carol')
    expect(snapshot.events).toEqual([])
  })

  test('tells the connections of a server that is killed as lost, in time', async () => {
    await using redis = await RedisServer.start()
    await using a = await serveAt(redis, 'a')
    await using b = await serveAt(redis, 'b')
    await using c = await serveAt(redis, 'c')
    using clients = new Clients()
    await clients.open(a, ...upTo(60))
    await clients.open(b, 100)
    using feed = await FeedClient.open(b, 'snapshot=true')
    await knows(feed, 100, ...upTo(60))
    a.kill('SIGKILL')
    const killedMs = performance.now()
    await knows(feed, 100)
    expect(performance.now() - killedMs).toBeLessThan(LOST_MS_MAX)
    const lost = feed.events.filter(({ reason }) => reason === 'lost')
    expect(lost.map(({ user, node, online }) => [user, node, online])).toEqual(
      expect.arrayContaining(upTo(60).map((user) => [user, 'a', false])),
    )
    expect(lost.length).toBe(60)
    using again = await FeedClient.open(c, `after=${feed.cursor}`)
    await clients.open(c, 200)
    await again.has('200 connected')
    expect(again.gap).toBeUndefined()
    const removed = await Promise.all(
      [b, c].map(async (one) => (await scrape(one)).value('comet_feed_shared_nodes_removed_total')),
    )
    expect(removed.toSorted()).toEqual([0, 1])
  })

  test('tells those of a server that stood still as lost, and again when it goes on', async () => {
    await using redis = await RedisServer.start()
    await using a = await serveAt(redis, 'a')
    await using b = await serveAt(redis, 'b')
    using clients = new Clients()
    await clients.open(a, 1, 2)
    using feed = await FeedClient.open(b, 'snapshot=true')
    await knows(feed, 1, 2)
    a.kill('SIGSTOP')
    await knows(feed)
    a.kill('SIGCONT')
    await knows(feed, 1, 2)
    expect([feed.gap, endsOf(feed)]).toEqual([undefined, ['1 lost', '2 lost']])
  })

  test('ends in order with a server that stops, whose connections are told as drained', async () => {
    await using redis = await RedisServer.start()
    await using a = await serveAt(redis, 'a')
    await using b = await serveAt(redis, 'b')
    using clients = new Clients()
    await clients.open(a, 1, 2)
    using there = await FeedClient.open(a, 'snapshot=true')
    using here = await FeedClient.open(b, 'snapshot=true')
    await knows(here, 1, 2)
    a.kill('SIGTERM')
    await waitFor('the end of the feed', () => there.client.end !== null)
    expect(endsOf(there)).toEqual(['1 drained', '2 drained'])
    expect([there.told.at(-1), there.client.ending]).toEqual([{ end: 'drained' }, 'final'])
    await knows(here)
    expect(endsOf(here)).toEqual(['1 drained', '2 drained'])
    expect(await redis.command('EXISTS', 'comet:feed:nodes')).toBe(1)
    await waitFor('it to be gone', () => a.hasExited)
    expect(Object.keys((await redis.command('HGETALL', 'comet:feed:nodes')) as object).length).toBe(
      1,
    )
  })

  test('is reported again when Redis has lost all, behind a gap', async () => {
    await using redis = await RedisServer.start()
    await using a = await serveAt(redis, 'a')
    await using b = await serveAt(redis, 'b')
    using clients = new Clients()
    await clients.open(a, 1, 2, 'alice')
    using plain = await FeedClient.open(b, 'after=oldest')
    using feed = await FeedClient.open(b, 'snapshot=true')
    await knows(feed, 1, 2, 'alice')
    await redis.kill()
    clients.all[0]?.terminate()
    await waitFor('it to have ended', async () => (await a.stats()).streams.open === 2)
    await redis.startAgain()
    for (const one of [plain, feed]) {
      await waitFor('the gap', () => one.gap !== undefined)
      await knows(one, 2, 'alice')
      expect(one.gap?.reason).toBe('unknown')
    }
    await clients.open(b, 3)
    await knows(plain, 2, 'alice', 3)
  })

  test('cannot begin while Redis is away, and loses nothing that is kept', async () => {
    await using redis = await RedisServer.start({ isDurable: true })
    await using a = await serveAt(redis, 'a', '--feed', '4KiB')
    await using b = await serveAt(redis, 'b')
    using clients = new Clients()
    await clients.open(a, 1)
    using feed = await FeedClient.open(b, 'snapshot=true')
    await knows(feed, 1)
    redis.pause()
    // More than its window has.
    for (const user of upTo(120)) (await openOne(a, 1_000 + user)).terminate()
    clients.all[0]?.terminate()
    await clients.open(a, 2)
    await waitFor('it to know', async () => (await a.stats()).streams.open === 1)
    await waitFor('Redis to be away', async () => (await b.ask('/feed')).status === 503)
    redis.resume()
    await knows(feed, 2)
    expect(feed.gap).toBeUndefined()
    await feed.has('1 lost')
    const stats = (await a.stats()).feed?.shared
    expect(stats).toMatchObject({ isSteady: true, renewals: 1, unsentBytes: 0 })
  })

  test('is not there at a server without one, whose connections are not reported', async () => {
    await using redis = await RedisServer.start()
    await using a = await serveAt(redis, 'a', '--feed', '0')
    await using b = await serveAt(redis, 'b')
    using clients = new Clients()
    using feed = await FeedClient.open(b)
    await clients.open(a, 1)
    await clients.open(b, 2)
    await knows(feed, 2)
    expect((await a.ask('/feed')).status).toBe(404)
  })
})
