// What every feed of connections promises to those who read it, whatever is behind it. Method:
// events are added, and read from everywhere and in pages of all sizes.

import { describe, expect, test } from 'bun:test'
import { until } from '../core/time.fixture.ts'
import type { ConnectionEvent, FeedFrom, FeedPage, FeedSource } from './feed-source.ts'

export interface TestFeed extends AsyncDisposable {
  readonly source: FeedSource
  /** A connection of each of these users is opened; settles when they may be read. */
  add(users: readonly number[]): Promise<void>
  /** So many more of which the first are no longer kept then. */
  readonly eventsMax: number
  close(): void | Promise<void>
}

export function feedSourceContract(open: () => Promise<TestFeed>): void {
  const users = (first: number, last: number) =>
    Array.from({ length: last - first + 1 }, (_, at) => first + at)

  async function begun(source: FeedSource, from: FeedFrom): Promise<FeedPage> {
    const page = await source.begin(from)
    if (page === null) throw new Error('the feed is not there')
    return page
  }

  async function allOf(
    source: FeedSource,
    from: FeedFrom,
    eventsMax = 100,
  ): Promise<ConnectionEvent[]> {
    const events: ConnectionEvent[] = []
    let { cursor } = await begun(source, from)
    while (true) {
      const page = await source.read(cursor, eventsMax)
      expect(page.gap).toBeNull()
      expect(page.events.length).toBeLessThanOrEqual(eventsMax)
      if (page.events.length === 0) return events
      expect(page.events.at(-1)?.cursor).toEqual(page.cursor)
      events.push(...page.events)
      cursor = page.cursor
    }
  }

  const usersOf = (events: readonly ConnectionEvent[]) => events.map(({ user }) => user)

  describe('a reader', () => {
    test('gets all events once and in order, in pages of any size', async () => {
      await using feed = await open()
      await feed.add(users(1, 20))
      for (const eventsMax of [1, 3, 19, 20, 21]) {
        expect(usersOf(await allOf(feed.source, 'oldest', eventsMax))).toEqual(users(1, 20))
      }
      const events = await allOf(feed.source, 'oldest')
      expect(new Set(events.map(({ connection }) => connection)).size).toBe(20)
    })

    test('begins with the next event, or behind any that it had', async () => {
      await using feed = await open()
      const live = await begun(feed.source, 'live')
      expect([live.gap, live.events]).toEqual([null, []])
      await feed.add(users(1, 20))
      const fromLive = await feed.source.read(live.cursor, 100)
      expect(usersOf(fromLive.events)).toEqual(users(1, 20))
      for (const [at, { cursor }] of fromLive.events.entries()) {
        const page = await begun(feed.source, { after: cursor })
        expect(page).toEqual({ gap: null, events: [], cursor })
        expect(usersOf(await allOf(feed.source, { after: cursor }))).toEqual(users(at + 2, 20))
      }
      expect(await allOf(feed.source, 'live')).toEqual([])
    })

    test('is told a gap if what comes next is lost, and goes on with what comes then', async () => {
      await using feed = await open()
      const { cursor: after } = await begun(feed.source, 'live')
      await feed.add(users(1, feed.eventsMax + 1))
      const { cursor } = await begun(feed.source, 'live')
      const gap = { after, reason: 'lost' as const }
      expect(await feed.source.begin({ after })).toEqual({ gap, events: [], cursor })
      expect(await feed.source.read(after, 10)).toEqual({ gap, events: [], cursor })
      await feed.add([7])
      expect(usersOf(await allOf(feed.source, { after: cursor }))).toEqual([7])
      // The oldest one that is kept is behind no gap.
      const kept = usersOf(await allOf(feed.source, 'oldest')).slice(0, -1)
      expect(kept.length).toBeWithin(1, feed.eventsMax + 1)
      const last = feed.eventsMax + 1
      expect(kept).toEqual(users(last - kept.length + 1, last))
    })

    test('is told a gap if the feed was never where it was', async () => {
      await using feed = await open()
      await feed.add(users(1, 3))
      const { cursor } = await begun(feed.source, 'live')
      const { epoch, number } = cursor
      // It goes on with what comes now, or with all that there is.
      const oldest = await begun(feed.source, 'oldest')
      const goesOn = [cursor, oldest.cursor]
      for (const after of [
        { epoch: epoch - 1, number },
        { epoch: epoch + 1, number: 0 },
        { epoch, number: number + 1 },
      ]) {
        const gap = { after, reason: 'unknown' as const }
        for (const page of [
          await begun(feed.source, { after }),
          await feed.source.read(after, 10),
        ]) {
          expect(page).toMatchObject({ gap, events: [] })
          expect(goesOn).toContainEqual(page.cursor)
        }
      }
    })

    test('is called back for more, until it wants no more, and at the end', async () => {
      await using feed = await open()
      let [calls, others] = [0, 0]
      const stop = feed.source.listen(() => calls++)
      feed.source.listen(() => others++)
      await feed.add([1])
      await until('it is called', () => calls > 0 && others > 0)
      stop()
      calls = 0
      others = 0
      await feed.add([2])
      await until('the other one is', () => others > 0)
      others = 0
      expect(feed.source.isClosed).toBe(false)
      await feed.close()
      await until('the other one is called at the end', () => others > 0)
      expect([calls, feed.source.isClosed]).toEqual([0, true])
      expect(usersOf(await allOf(feed.source, 'oldest'))).toEqual([1, 2])
    })
  })
}
