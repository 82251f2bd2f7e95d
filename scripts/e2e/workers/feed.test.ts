// Goal: whatever workers do, the feed tells of each connection once that it came and once that it
// ended, and with the pages of users it says who is there. Method: clients that come and go all the
// time, workers that are killed meanwhile, and readers that are cut off and come back.

import { afterEach, expect, test } from 'bun:test'
import { waitFor } from '../../support/child-process.ts'
import { type CometServer, serve } from '../../support/comet.ts'
import { FeedClient, type Told } from '../../support/feed-client.ts'
import { get, RawClient } from '../../support/raw-client.ts'
import { noProcessIsLeft, restarted, signal } from '../../support/workers.ts'

afterEach(noProcessIsLeft)

const USERS = 150
const KILLS = 3

/** Comes and goes until it is told to stay; then it has a stream. */
async function wander(server: CometServer, user: number, isOver: () => boolean) {
  for (let visit = 0; ; visit++) {
    let client: RawClient
    try {
      client = await RawClient.open(server.publicPort, get(`/stream/${user}`))
      await client.received('"id"')
    } catch {
      // Its connection was with the worker that was killed.
      continue
    }
    const stays = isOver() && client.end === null
    if (stays) return client
    if (visit % 3 > 0) await client.ended(20 * (user % 7)).catch(() => undefined)
    client.terminate()
  }
}

/** Follows the feed by a connection for each part of it. */
async function resumed(server: CometServer, from: string, isOver: () => boolean): Promise<Told[]> {
  const told: Told[] = []
  let cursor = from
  for (let isLast = false; !isLast; ) {
    isLast = isOver()
    using feed = await FeedClient.open(server, `after=${cursor}`)
    // All may be over since it was looked.
    await waitFor('some of it', () => feed.events.length > 0 || isLast || isOver(), 20_000)
    const last = (await server.stats()).feed?.last ?? ''
    if (isLast) await waitFor('the rest', () => feed.cursor >= last)
    expect(feed.gap).toBeUndefined()
    told.push(...feed.events)
    cursor = feed.cursor
  }
  return told
}

test('no connection is forgotten, told twice or mixed up while workers are killed', async () => {
  await using server = await serve(['--workers', '3', '--feed', '16MiB'])
  using feed = await FeedClient.open(server)
  const start = feed.cursor
  let isOver = false
  const wandering = Array.from({ length: USERS }, (_, at) => wander(server, at + 1, () => isOver))
  let isSettled = false
  using present = await FeedClient.open(server, 'snapshot=true')
  const resuming = resumed(server, start, () => isSettled)
  for (let kill = 0; kill < KILLS; kill++) {
    const victim = kill % 3
    const before = feed.events.length
    await feed.hasCount(before + 2 * USERS)
    await signal(server, victim, 'SIGKILL')
    await restarted(server, victim, 1)
  }
  isOver = true
  const clients = await Promise.all(wandering)
  await server.open(USERS)
  isSettled = true
  const { last } = (await server.stats()).feed ?? { last: '' }
  await waitFor('all events', () => feed.cursor === last)

  const open = new Map<string, number>()
  const reasons = new Map<string, number>()
  const seen = new Set<string>()
  for (const { event, user, connection = '', online, reason = '' } of feed.events) {
    if (event === 'connected') {
      expect(seen.has(connection)).toBe(false)
      seen.add(connection)
      open.set(connection, Number(user))
    } else {
      expect(open.get(connection)).toBe(Number(user))
      open.delete(connection)
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
    }
    // Those of a worker that has died are told one after the other, and are all gone at the first.
    if (reason !== 'lost') expect(online).toBe([...open.values()].includes(Number(user)))
  }
  expect([...open.values()].toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: USERS }, (_, at) => at + 1),
  )
  expect([...reasons.keys()].toSorted()).toEqual(['client', 'lost'])
  // Of a worker that is killed the figures are those that it told last.
  const { opened } = (await server.stats()).streams
  expect(seen.size).toBeGreaterThanOrEqual(opened)
  expect((await resuming).map(({ id }) => id)).toEqual(feed.events.map(({ id }) => id))
  expect(feed.online([])).toHaveLength(USERS)
  await waitFor('the same of who began later', () => present.cursor === last)
  expect([...present.connections].toSorted()).toEqual([...open].toSorted())
  for (const client of clients) client.terminate()
}, 60_000)
