// Goal: a reader of the feed gets all events once and in order as fast as it reads, or is told what
// it has lost, and does not delay others. Method: a real port and sockets that do not read, a
// clock that is set, and a source that answers later or not at all.

import { describe, expect, test } from 'bun:test'
import { RawClient } from '../../scripts/support/raw-client.ts'
import { type Clock, systemClock } from '../core/clock.ts'
import { feedLimits } from '../core/feed-limits.ts'
import { FakeClock, until } from '../core/time.fixture.ts'
import { listening } from '../http/listener.fixture.ts'
import { Feed, type HeldConnection } from '../hub/feed.ts'
import { settingsOf } from '../hub/settings.fixture.ts'
import type { FeedSource, PresentConnections } from '../log/feed-source.ts'
import { NameTable } from '../subscriptions/name-table.ts'
import { feedRoutes } from './feed.ts'
import { FeedReaders } from './feed-figures.ts'

interface Line {
  readonly id?: string
  readonly event?: string
  readonly user?: number
  readonly snapshot?: string
  readonly gap?: { readonly after: string; readonly resume: string; readonly reason: string }
  readonly end?: string
}

interface PortOptions {
  readonly bytes?: number
  readonly clock?: Clock
  readonly source?: (feed: Feed) => FeedSource
  /** Is it unknown who is connected? */
  readonly isAway?: () => boolean
}

function portFor({
  bytes = 2 ** 24,
  clock = systemClock,
  source = (of) => of,
  isAway = () => false,
}: PortOptions = {}) {
  const names = new NameTable({ seed: 1 })
  const feed = new Feed({ bytes, epoch: 1, run: 'abc', node: 'here', names })
  const readers = new FeedReaders()
  const connected: HeldConnection[] = []
  const present: PresentConnections = (place, count) => {
    if (isAway()) return null
    const [first, end] = [Number(place), Number(place) + count]
    const next = end < connected.length ? end : null
    return feed.present({ connections: connected.slice(first, end), next })
  }
  const options = { feed: source(feed), present, readers, settings: settingsOf(), clock }
  const port = listening({ clock, fetch: feedRoutes(options).fetch })
  let users = 0
  return {
    ...{ feed, readers, connected },
    add: (count: number) => {
      for (let each = 0; each < count; each++)
        feed.opened({ user: ++users, process: 0, sinceUs: 1_000 * users })
    },
    follow: (query = '') => {
      const request = `GET /feed${query} HTTP/1.1\r\nHost: localhost\r\n\r\n`
      return RawClient.open(port.addresses[0]?.port ?? 0, request)
    },
    [Symbol.asyncDispose]: () => port[Symbol.asyncDispose](),
  }
}

/** Whole lines only: what came last may be cut off. */
function linesOf(client: RawClient): Line[] {
  const text = Buffer.concat(client.chunks).toString('utf8')
  const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n')
  return lines.flatMap((line) => (line === '' ? [] : (JSON.parse(line) as Line)))
}

const idOf = (number: number) => `000000000001-${number.toString(16).padStart(12, '0')}`

function idsFrom(first: number, last: number): string[] {
  return Array.from({ length: last - first + 1 }, (_, at) => idOf(first + at))
}

function eventIds(lines: readonly Line[]): string[] {
  return lines.flatMap(({ id, event }) => (id === undefined || event === undefined ? [] : id))
}

/** More than the kernel holds for a client that does not read. */
const VERY_MANY = 40_000

describe('a reader that does not read', () => {
  test('is cut when it has taken nothing for half a minute, and goes on by its cursor', async () => {
    const clock = new FakeClock()
    await using port = portFor({ clock })
    port.add(VERY_MANY)
    using slow = await port.follow('?after=oldest')
    await slow.headed()
    slow.pause()
    await until('it is cut', () => {
      clock.advance(1_000)
      return port.readers.cut === 1
    })
    expect(port.readers.open).toBe(0)
    slow.resume()
    await slow.ended()
    const had = eventIds(linesOf(slow))
    expect(had).toEqual(idsFrom(1, had.length))
    using again = await port.follow(`?after=${had.at(-1)}`)
    await until('it has the rest', () => again.text.includes(idOf(VERY_MANY)))
    expect(eventIds(linesOf(again))).toEqual(idsFrom(had.length + 1, VERY_MANY))
  })

  test('is told a gap if what comes next has left the window, and then goes on', async () => {
    await using port = portFor({ bytes: 2 ** 18 })
    using slow = await port.follow()
    using quick = await port.follow()
    for (const client of [slow, quick]) await client.received('"id"')
    slow.pause()
    for (let events = 0; events < VERY_MANY; events += 500) {
      port.add(500)
      const last = idOf(port.feed.cursor.number)
      await until('the quick one has all', () => quick.text.includes(last))
    }
    expect(port.readers.gaps.lost).toBe(0)
    slow.resume()
    await until('it knows', () => linesOf(slow).some(({ gap }) => gap !== undefined))
    expect(port.readers.gaps.lost).toBe(1)
    port.add(1)
    const last = idOf(port.feed.cursor.number)
    await until('it has the last one', () => linesOf(slow).at(-1)?.id === last)
    const lines = linesOf(slow)
    const at = lines.findIndex(({ gap }) => gap !== undefined)
    const { after = '', resume = '', reason } = lines[at]?.gap ?? {}
    const numberOf = (id: string) => Number.parseInt(id.slice(13), 16)
    expect([reason, lines[at - 1]?.id]).toEqual(['lost', after])
    expect(eventIds(lines.slice(0, at))).toEqual(idsFrom(1, numberOf(after)))
    const behind = eventIds(lines.slice(at))
    expect(behind[0]).toBe(idOf(numberOf(resume) + 1))
    expect(behind.at(-1)).toBe(last)
  })
})

test('a window that is read at once delays others by no more than a page', async () => {
  await using port = portFor()
  port.add(VERY_MANY)
  let turns = 0
  let isOver = false
  const turn = () => {
    turns++
    if (!isOver) setImmediate(turn)
  }
  using client = await port.follow('?after=oldest')
  turn()
  await until(
    'it has all',
    () => client.text.endsWith('\r\n') && client.text.includes(idOf(VERY_MANY)),
  )
  isOver = true
  expect(eventIds(linesOf(client))).toEqual(idsFrom(1, VERY_MANY))
  expect(turns).toBeGreaterThan(VERY_MANY / feedLimits.eventsPerPage)
})

describe('a reader that wants to know who is connected', () => {
  const CONNECTED = 5 * feedLimits.eventsPerPage + 1

  /** With so many who are connected, and no events. */
  function portWith() {
    const port = portFor({ bytes: 4_096 })
    for (let user = 1; user <= CONNECTED; user++) {
      port.connected.push({ user, process: 0, sinceUs: user })
    }
    return port
  }

  const isComplete = ({ snapshot }: Line) => snapshot === 'complete'
  const presentIn = (lines: readonly Line[]) =>
    lines.flatMap(({ event, user }) => (event === 'present' ? user : []))
  const all = Array.from({ length: CONNECTED }, (_, at) => at + 1)

  test('is told of all of them, and then that these were all', async () => {
    await using port = portWith()
    port.add(3)
    using client = await port.follow('?snapshot=true')
    await until('it is complete', () => linesOf(client).some(isComplete))
    const lines = linesOf(client)
    expect(lines[0]).toEqual({ id: idOf(3) })
    expect(presentIn(lines)).toEqual(all)
    expect(lines.at(-1)).toEqual({ id: idOf(3), snapshot: 'complete' })
    port.add(1)
    await until('the next event', () => eventIds(linesOf(client)).includes(idOf(4)))
    expect(linesOf(client).filter(isComplete)).toHaveLength(1)
  })

  test('is told of what happens meanwhile, in time, though the window is small', async () => {
    await using port = portWith()
    let isOver = false
    const adding = (async () => {
      for (; !isOver; await new Promise(setImmediate)) port.add(100)
    })()
    using client = await port.follow('?snapshot=true')
    await until('it is complete', () => linesOf(client).some(isComplete))
    isOver = true
    await adding
    const lines = linesOf(client).slice(0, linesOf(client).findIndex(isComplete))
    expect(presentIn(lines)).toEqual(all)
    expect(lines.filter(({ gap }) => gap !== undefined)).toEqual([])
    // More than the window has.
    expect(eventIds(lines).length).toBeGreaterThan(4_096 / 20)
  })

  test('and comes back is told of them only if there is a gap', async () => {
    await using port = portWith()
    port.add(3)
    using back = await port.follow(`?snapshot=true&after=${idOf(1)}`)
    await until('it has the rest', () => eventIds(linesOf(back)).length === 2)
    port.add(1)
    await until('it has the next one', () => eventIds(linesOf(back)).length === 3)
    expect(presentIn(linesOf(back))).toEqual([])
    using lost = await port.follow(`?snapshot=true&after=000000000002-000000000001`)
    await until('it is complete', () => linesOf(lost).some(isComplete))
    expect(linesOf(lost)[0]?.gap?.reason).toBe('unknown')
    expect(presentIn(linesOf(lost))).toEqual(all)
  })

  test.each(['yes', '', '1'])('says so by true or false, and not by %p', async (value) => {
    await using port = portWith()
    using client = await port.follow(`?snapshot=${value}`)
    expect((await client.headed()).status).toBe(400)
    expect(port.readers.open).toBe(0)
  })
})

describe('a source that is away', () => {
  test('lets no reader begin, and says when to try again', async () => {
    let isAway = true
    const source = (feed: Feed): FeedSource => ({
      isClosed: false,
      begin: async (from) => (isAway ? null : feed.begin(from)),
      read: (after, eventsMax) => feed.read(after, eventsMax),
      listen: (onMore) => feed.listen(onMore),
    })
    await using port = portFor({ source })
    using client = await port.follow()
    const { status, fields } = await client.headed()
    expect(status).toBe(503)
    expect(Number(fields.get('retry-after'))).toBeGreaterThan(0)
    await until('it has gone', () => port.readers.open === 0)
    isAway = false
    using again = await port.follow()
    expect((await again.headed()).status).toBe(200)
  })

  test('keeps who wants to know who is connected waiting until it is back', async () => {
    let isAway = true
    await using port = portFor({ isAway: () => isAway })
    port.connected.push(...[1, 2, 3].map((user) => ({ user, process: 0, sinceUs: user })))
    using client = await port.follow('?snapshot=true')
    await client.headed()
    port.add(1)
    await until('what happens meanwhile', () => eventIds(linesOf(client)).length === 1)
    expect(linesOf(client).some(({ event }) => event === 'present')).toBe(false)
    isAway = false
    port.add(1)
    await until('all of them', () => linesOf(client).at(-1)?.snapshot === 'complete')
    const told = linesOf(client).filter(({ event }) => event === 'present')
    expect(told.map(({ user }) => user)).toEqual([1, 2, 3])
  })
})

describe('a source that answers later', () => {
  /** As one on another machine. */
  function later(feed: Feed): FeedSource {
    const soon = <T>(value: T) => new Promise<T>((resolve) => setTimeout(() => resolve(value), 5))
    return {
      get isClosed() {
        return feed.isClosed
      },
      begin: (from) => soon(feed.begin(from)),
      read: (after, eventsMax) => soon(feed.read(after, eventsMax)),
      listen: (onMore) => feed.listen(onMore),
    }
  }

  test('loses nothing that comes meanwhile, and has an end', async () => {
    await using port = portFor({ source: later })
    using client = await port.follow()
    await client.headed()
    for (let round = 0; round < 20; round++) {
      port.add(10)
      await until('some have come', () => eventIds(linesOf(client)).length > 10 * round)
    }
    // While it is asked for more.
    for (let each = 0; each < 7; each++) {
      await new Promise((resolve) => setTimeout(resolve, 1))
      port.add(1)
    }
    port.feed.close()
    await until('the end', () => client.ending === 'final')
    const lines = linesOf(client)
    expect(lines[0]).toEqual({ id: idOf(0) })
    expect(eventIds(lines)).toEqual(idsFrom(1, 207))
    expect(lines.at(-1)).toEqual({ end: 'drained' })
  })

  test('may have readers that leave before it has answered', async () => {
    await using port = portFor({ source: later })
    for (let each = 0; each < 20; each++) {
      using client = await port.follow('?after=oldest')
      await until('it is there', () => port.readers.open === 1)
      if (each % 2 === 0) await client.headed()
      client.terminate()
      port.add(1)
      await until('it has gone', () => port.readers.open === 0)
    }
    expect([port.readers.cut, port.readers.refused]).toEqual([0, 0])
  })
})
