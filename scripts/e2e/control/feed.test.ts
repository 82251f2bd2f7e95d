// Goal: who follows the feed knows of every connection that was opened or closed, in order and why,
// also when it was away; and of what it cannot know it is told a gap. Method: the executable with
// and without workers, streams that end in each way, and processes that are killed.

import { afterEach, describe, expect, test } from 'bun:test'
import { SECRET, tokenFor } from '../../../src/identity/token.fixture.ts'
import { waitFor } from '../../support/child-process.ts'
import { type CometServer, serve } from '../../support/comet.ts'
import { FeedClient } from '../../support/feed-client.ts'
import { makeFolder, privateFile } from '../../support/folder.ts'
import { scrape } from '../../support/metrics.ts'
import { get, RawClient } from '../../support/raw-client.ts'
import { Crowd, noProcessIsLeft, restarted, signal, upFrom } from '../../support/workers.ts'

afterEach(noProcessIsLeft)

const CURSOR = /^[0-9a-f]{12}-[0-9a-f]{12}$/

async function open(server: CometServer, user: number | string): Promise<RawClient> {
  const client = await RawClient.open(server.publicPort, get(`/stream/${user}`))
  await client.received('"id"')
  return client
}

async function usersOf(server: CometServer): Promise<(number | string)[]> {
  const users: (number | string)[] = []
  for (let after: number | null = 0; after !== null; ) {
    const response = await server.ask(`/users?limit=3&after=${after}`)
    const page = (await response.json()) as { users: (number | string)[]; next: number | null }
    users.push(...page.users)
    after = page.next
  }
  return users
}

/** Begins behind its first line, without an event of before. */
async function statusOf(server: CometServer, query: string, fields = ''): Promise<number> {
  const request = `GET /feed?${query} HTTP/1.1\r\nHost: localhost\r\n${fields}\r\n`
  using client = await RawClient.open(server.controlPort, request)
  return (await client.headed()).status
}

describe.each([[[]], [['--workers', '2']]])('the feed, %p', (args) => {
  test('tells of a connection when it is opened, and when its client closes it', async () => {
    await using server = await serve([...args, '--node-name', 'frankfurt-1'])
    using feed = await FeedClient.open(server)
    const before = Date.now() - 1
    using alice = await open(server, 'alice')
    using other = await open(server, 'alice')
    await feed.hasCount(2)
    alice.terminate()
    await feed.hasCount(3)
    other.terminate()
    await feed.hasCount(4)
    expect(feed.short).toEqual([
      ...['alice connected', 'alice connected', 'alice client', 'alice client'],
    ])
    const [first, second, third, fourth] = feed.events
    expect(feed.events.map(({ online }) => online)).toEqual([true, true, true, false])
    expect([third?.connection, fourth?.connection]).toEqual([first?.connection, second?.connection])
    expect(first?.connection).not.toBe(second?.connection)
    for (const { id, node, since = '', at = '' } of feed.events) {
      expect([id, node]).toEqual([expect.stringMatching(CURSOR), 'frankfurt-1'])
      expect(Date.parse(since)).toBeWithin(before, Date.now() + 1)
      expect(Date.parse(at)).toBeWithin(Date.parse(since), Date.now() + 1)
    }
    expect(third?.since).toBe(first?.since as string)
    const ids = feed.told.flatMap(({ id }) => id ?? [])
    expect(ids).toEqual(ids.toSorted())
    expect(new Set(ids).size).toBe(5)
  })

  test('says why a connection ended: its token, an operator, a slow client, the stop', async () => {
    await using folder = await makeFolder()
    const secret = privateFile(folder.path, SECRET)
    await using server = await serve([...args, '--jwt-secret-file', secret])
    using feed = await FeedClient.open(server)
    const openBy = async (sub: string, seconds: number) => {
      const token = tokenFor(sub, seconds)
      const request = get('/stream').replace(
        '\r\n\r\n',
        `\r\nAuthorization: Bearer ${token}\r\n\r\n`,
      )
      const client = await RawClient.open(server.publicPort, request)
      await client.received('"id"')
      return client
    }
    using short = await openBy('short', 2)
    using ended = await openBy('ended', 600)
    using slow = await openBy('slow', 600)
    using stays = await openBy('stays', 600)
    slow.pause()
    await server.ask('/users/ended/streams', { method: 'DELETE' })
    await waitFor('the slow client to be cut', async () => {
      for (let each = 0; each < 20; each++) {
        await server.publish({ to: 'slow', body: 'x'.repeat(60_000) })
      }
      return feed.short.includes('slow slow')
    })
    await feed.has('ended ended')
    await waitFor('the token to expire', () => short.end !== null, 12_000)
    await feed.has('short expired')
    server.kill('SIGTERM')
    await waitFor('the end of the feed', () => feed.client.end !== null)
    expect(feed.short.at(-1)).toBe('stays drained')
    expect([feed.told.at(-1), feed.client.ending]).toEqual([{ end: 'drained' }, 'final'])
    expect([ended.end, stays.end]).toEqual(['closed', 'closed'])
  })

  test('goes on behind a cursor, in the address or as a client says it by itself', async () => {
    await using server = await serve(args)
    const cursors: string[] = []
    {
      using feed = await FeedClient.open(server)
      cursors.push(feed.cursor)
      for (const user of ['alice', 7]) {
        using _ = await open(server, user)
        await feed.has(`${user} connected`)
        cursors.push(feed.cursor)
      }
      await feed.hasCount(4)
      cursors.push(feed.cursor)
    }
    const all = ['alice connected', 'alice client', '7 connected', '7 client']
    const told = async (query: string, fields = '') => {
      using feed = await FeedClient.open(server, query, fields)
      await waitFor('what comes behind', () => feed.cursor === cursors.at(-1))
      return [feed.told[0]?.id, feed.short.toSorted()]
    }
    const [start = '', first = '', second = '', last = ''] = cursors
    expect(await told(`after=${start}`)).toEqual([start, all.toSorted()])
    expect(await told('after=oldest')).toEqual([start, all.toSorted()])
    expect(await told('')).toEqual([last, []])
    expect(await told(`after=${last}`)).toEqual([last, []])
    expect(await told(`after=${last}`, `Last-Event-ID: ${first}\r\n`)).toEqual([
      first,
      all.slice(1).toSorted(),
    ])
    const [, behind] = await told(`after=${second}`)
    expect(behind).toContain('7 client')
  })

  test('with the pages of users it says who is connected while users come and go', async () => {
    await using server = await serve(args)
    const users = [1, 2, 3, 'alice', 'bob', 6, 7, 8]
    const clients = new Map<number | string, RawClient>()
    const come = async (user: number | string) => clients.set(user, await open(server, user))
    for (const user of users.slice(0, 6)) await come(user)
    using feed = await FeedClient.open(server)
    // While the pages are read.
    const changes = async () => {
      for (const user of [2, 'bob']) clients.get(user)?.terminate()
      for (const user of [7, 'carol', 2]) await come(user)
      clients.get('carol')?.terminate()
      clients.get(1)?.terminate()
    }
    const [read] = await Promise.all([usersOf(server), changes()])
    const open_ = async () => (await server.stats()).streams.users === 5
    await waitFor('all that have left to be known', open_)
    await feed.has('1 client')
    await waitFor('who is there', () => feed.online(read).length === 5)
    expect(feed.online(read)).toEqual((await usersOf(server)).toSorted())
    for (const client of clients.values()) client.terminate()
  })

  test('tells first who is connected, if it is asked to, and then who comes and goes', async () => {
    await using server = await serve([...args, '--node-name', 'here'])
    const clients = await Promise.all(upFrom(1, 400).map((user) => open(server, user)))
    const coming = (async () => {
      for (let user = 401; user <= 600; user++) {
        clients[user - 401]?.terminate()
        clients.push(await open(server, user))
      }
    })()
    using feed = await FeedClient.open(server, 'snapshot=true')
    await waitFor('all who are connected', () => feed.isComplete)
    await coming
    // In between there may be as many of them, and others.
    const last = upFrom(201, 400).toSorted()
    const users = () => [...feed.connections.values()].toSorted()
    await waitFor('the others', () => Bun.deepEquals(users(), last))
    using again = await FeedClient.open(server, 'snapshot=true')
    await waitFor('all who are connected', () => again.isComplete)
    expect([...feed.connections].toSorted()).toEqual([...again.connections].toSorted())
    expect([...again.connections.values()].toSorted()).toEqual(last)
    const [, present] = again.told
    expect(present).toEqual({
      ...{ event: 'present', user: expect.any(Number), connection: expect.any(String) },
      ...{ node: 'here', online: true, since: expect.any(String) },
    })
    for (const client of clients) client.terminate()
  })

  test('tells a gap once the window has lost what was next, and goes on', async () => {
    await using server = await serve([...args, '--feed', '4KiB'])
    using before = await FeedClient.open(server)
    const { cursor } = before
    for (let user = 1; user <= 110; user++) (await open(server, user)).terminate()
    await before.has('110 client')
    using feed = await FeedClient.open(server, `after=${cursor}`)
    expect(feed.gap).toEqual({ after: cursor, resume: before.cursor, reason: 'lost' })
    expect(feed.told[1]).toEqual({ id: before.cursor })
    using _ = await open(server, 'alice')
    await feed.has('alice connected')
    expect(feed.events.length).toBe(1)
    // What is kept is there, whole.
    using oldest = await FeedClient.open(server, 'after=oldest')
    await oldest.has('alice connected')
    expect([oldest.gap, oldest.events.length]).toEqual([undefined, 203])
    const page = await scrape(server)
    expect(page.value('comet_feed_gaps_total{reason="lost"}')).toBe(1)
    expect(page.value('comet_feed_events_total')).toBe(221)
  })

  test('refuses what is no cursor, and too many readers', async () => {
    await using server = await serve(args)
    for (const after of ['', '7', 'newest', '01a22de113a7-00000000000g', 'x'.repeat(4_000)]) {
      expect([after, await statusOf(server, `after=${after}`)]).toEqual([after, 400])
    }
    expect(await statusOf(server, '', 'Last-Event-ID: oldest\r\n')).toBe(400)
    const readers = await Promise.all(upFrom(1, 16).map(() => FeedClient.open(server)))
    expect((await server.stats()).feed).toMatchObject({ readers: 16, readersRefused: 0 })
    using refused = await RawClient.open(server.controlPort, get('/feed'))
    const { status, fields } = await refused.headed()
    expect([status, fields.has('retry-after')]).toEqual([503, true])
    await refused.received('"too_many_readers"')
    for (const { client } of readers) client.terminate()
    await waitFor('room', async () => (await server.stats()).feed?.readers === 0)
    using again = await FeedClient.open(server)
    expect(again.cursor).toMatch(CURSOR)
  })

  test('says to a reader that all is silent that it is there', async () => {
    await using server = await serve([...args, '--heartbeat', '200ms'])
    using feed = await FeedClient.open(server)
    await waitFor('heartbeats', () => feed.beats >= 3)
    expect(feed.events).toEqual([])
  })

  test('is over for a reader that closes its half, and has no body for HEAD', async () => {
    await using server = await serve(args)
    const answer = await server.ask('/feed', { method: 'HEAD' })
    expect([answer.status, answer.headers.get('content-type')]).toEqual([
      200,
      'application/x-ndjson',
    ])
    expect((await server.stats()).feed?.readers).toBe(0)
    const curl = Bun.spawn(['curl', '-sN', `${server.controlUrl}/feed`], { stdout: 'pipe' })
    await waitFor('the reader', async () => (await server.stats()).feed?.readers === 1)
    curl.kill('SIGKILL')
    await waitFor('it to be gone', async () => (await server.stats()).feed?.readers === 0)
  })

  test('of another run has a gap, since all connections of before are over', async () => {
    await using folder = await makeFolder()
    const database = ['--db', `${folder.path}/comet.db`]
    let cursor: string
    {
      await using server = await serve([...args, ...database])
      using feed = await FeedClient.open(server)
      using _ = await open(server, 'alice')
      await feed.has('alice connected')
      cursor = feed.cursor
      await server.end('SIGKILL')
    }
    await using again = await serve([...args, ...database])
    using earlier = await open(again, 'bob')
    using feed = await FeedClient.open(again, `snapshot=true&after=${cursor}`)
    expect(feed.gap).toMatchObject({ after: cursor, reason: 'unknown' })
    await waitFor('who is connected', () => feed.isComplete)
    expect([[...feed.connections.values()], earlier.end]).toEqual([['bob'], null])
    using _ = await open(again, 'alice')
    await feed.has('alice connected')
    expect(feed.events.length).toBe(1)
  })

  test('keeps its order while very many connect and disconnect at once', async () => {
    await using server = await serve(args)
    using feed = await FeedClient.open(server)
    const users = upFrom(1, 300)
    for (let round = 0; round < 3; round++) {
      const clients = await Promise.all(users.map((user) => open(server, user)))
      for (const client of clients) client.terminate()
    }
    await feed.hasCount(6 * users.length)
    const now = new Map<unknown, string | undefined>()
    for (const { user, event, connection, online } of feed.events) {
      // No user has two here, but the next one may come before the end of the last is noticed.
      if (event === 'connected') now.set(connection, String(user))
      else {
        expect(now.get(connection)).toBe(String(user))
        now.delete(connection)
      }
      expect(online).toBe([...now.values()].includes(String(user)))
    }
    expect(now.size).toBe(0)
    expect(new Set(feed.events.map(({ connection }) => connection)).size).toBe(3 * users.length)
  })
})

test('a server without a feed says so', async () => {
  await using server = await serve(['--feed', '0'])
  const answer = await server.ask('/feed')
  expect([answer.status, await answer.text()]).toEqual([404, expect.stringContaining('--feed 0')])
  expect((await server.stats()).feed).toBeNull()
  expect((await scrape(server)).samples.has('comet_feed_readers')).toBe(false)
  await using workers = await serve(['--feed', '0', '--workers', '2'])
  using _ = await open(workers, 7)
  expect(await usersOf(workers)).toEqual([7])
})

test('the streams of a worker that is killed are lost, each once, and no others', async () => {
  await using server = await serve(['--workers', '2'])
  using feed = await FeedClient.open(server)
  await using crowd = await Crowd.open(server, upFrom(1, 12))
  await feed.hasCount(12)
  const { victim, of } = crowd.split()
  const connections = new Map(feed.events.map(({ user, connection }) => [user, connection]))
  await signal(server, victim, 'SIGKILL')
  await feed.hasCount(12 + of.length)
  const lost = feed.events.slice(12)
  expect(lost.map(({ user }) => user).toSorted()).toEqual(of.map(({ user }) => user).toSorted())
  for (const { user, connection, reason, online } of lost) {
    expect([connection, reason, online]).toEqual([connections.get(user), 'lost', false])
  }
  await restarted(server, victim, 1)
  const [again] = of
  using _ = await open(server, again?.user ?? 0)
  await feed.hasCount(13 + of.length)
  expect(feed.events.length).toBe(13 + of.length)
  expect([...connections.values()]).not.toContain(feed.events.at(-1)?.connection)
})
