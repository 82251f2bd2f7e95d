// Goal: of each stream of each worker the feed tells once that it was opened and once why it ended,
// and with the users who are connected at any moment it says who is connected at any later one.
// Method: real records of streams that come and go, processes that end, and a model of them.

import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { FakeClock } from '../core/time.fixture.ts'
import { Feed } from '../hub/feed.ts'
import type { CloseReason } from '../hub/refusals.ts'
import type { ConnectionEvent } from '../log/feed-source.ts'
import { NameTable } from '../subscriptions/name-table.ts'
import { Presence } from './presence.ts'
import { RecordReader, RecordWriter } from './records.ts'
import { WorkerConnections, writeClosed, writeOpened } from './worker-connections.ts'

const WORKERS = 3

function connectionsFor() {
  const names = new NameTable({ seed: 1 })
  const feed = new Feed({ bytes: 2 ** 20, epoch: 1, run: 'abc', node: 'here', names })
  const presence = new Presence(WORKERS)
  const clock = new FakeClock()
  const connections = new WorkerConnections({ workers: WORKERS, presence, feed, clock })
  const record = (write: (out: RecordWriter) => void, read: (view: DataView) => void) => {
    const out = new RecordWriter()
    out.begin(1)
    write(out)
    out.end()
    new RecordReader(({ view }) => read(view)).push(out.waiting())
  }
  return {
    ...{ feed, presence, clock, connections },
    open: (worker: number, slot: number, user: number, sinceUs: number) =>
      record(
        (out) => writeOpened(out, slot, user, sinceUs),
        (view) => connections.onAllOpened(worker, view),
      ),
    close: (worker: number, slots: readonly number[], reason: CloseReason) =>
      record(
        (out) => {
          for (const slot of slots) writeClosed(out, slot, reason)
        },
        (view) => connections.onAllClosed(worker, view),
      ),
    events: (): readonly ConnectionEvent[] => feed.read(feed.start, 100_000).events,
  }
}

test('a slot may have one stream after the other, up to the highest', () => {
  const { open, close, events } = connectionsFor()
  const slot = 2 ** 24 - 1
  for (const user of [7, 2 ** 31 - 1]) {
    open(0, slot, user, user * 1_000)
    close(0, [slot], 'protocol')
  }
  expect(events().map(({ user, reason, sinceMs }) => [user, reason, sinceMs])).toEqual([
    [7, null, 7],
    [7, 'protocol', 7],
    [2 ** 31 - 1, null, 2 ** 31 - 1],
    [2 ** 31 - 1, 'protocol', 2 ** 31 - 1],
  ])
})

test('a stream that is not there cannot be closed', () => {
  const { open, close, connections } = connectionsFor()
  expect(() => close(0, [1], 'client')).toThrow('worker 0 has no stream in slot 1')
  open(0, 1, 7, 1)
  expect(() => close(1, [1], 'client')).toThrow('worker 1 has no stream in slot 1')
  connections.onDown(0)
  expect(() => close(0, [1], 'client')).toThrow('worker 0 has no stream in slot 1')
})

test('each process of a worker has connections of its own, also in the same microsecond', () => {
  const { open, connections, events } = connectionsFor()
  for (let life = 0; life < 3; life++) {
    for (const worker of [0, 1]) open(worker, 1, 7, 1_000)
    for (const worker of [0, 1]) expect(connections.onDown(worker)).toBe(1)
  }
  const opened = events().filter(({ reason }) => reason === null)
  expect(new Set(opened.map(({ connection }) => connection)).size).toBe(6)
})

test('a connection is the same in the feed and among those that are open, after any restarts', () => {
  const { open, connections, feed, events } = connectionsFor()
  for (let life = 0; life < 70_000; life++) connections.onDown(0)
  open(0, 1, 7, 1_000)
  const [present] = feed.present(connections.connectionsFrom(0, 10)).connections
  expect(events().at(-1)?.connection).toBe(present?.connection as string)
})

interface Held {
  readonly slot: number
  readonly user: number
  readonly connection: string
}

test('the feed and the connected users agree while users come and go', () => {
  const worker = fc.integer({ min: 0, max: WORKERS - 1 })
  const happens = fc.oneof(
    { weight: 5, arbitrary: fc.record({ worker, come: fc.integer({ min: 1, max: 6 }) }) },
    { weight: 4, arbitrary: fc.record({ worker, go: fc.nat() }) },
    { weight: 1, arbitrary: fc.record({ worker, down: fc.constant(true) }) },
  )
  fc.assert(
    fc.property(fc.array(happens, { maxLength: 60, size: 'max' }), fc.nat(59), (all, noted) => {
      const { feed, presence, open, close, events, connections } = connectionsFor()
      const held: Held[][] = Array.from({ length: WORKERS }, () => [])
      const expected: [string, number, string | null][] = []
      let [cursor, users] = [feed.cursor, new Set<number>()]
      for (const [at, what] of all.entries()) {
        if (at === noted) {
          cursor = feed.cursor
          users = new Set(presence.usersAfter(0, 100))
        }
        const streams = held[what.worker] as Held[]
        if ('come' in what) {
          let slot = 1
          while (streams.some((stream) => stream.slot === slot)) slot++
          open(what.worker, slot, what.come, 1_000 + at)
          const connection = events().at(-1)?.connection ?? ''
          streams.push({ slot, user: what.come, connection })
          expected.push([connection, what.come, null])
        } else if ('go' in what) {
          const [gone] = streams.splice(what.go % Math.max(1, streams.length), 1)
          if (gone === undefined) continue
          close(what.worker, [gone.slot], 'client')
          expected.push([gone.connection, gone.user, 'client'])
        } else {
          expect(connections.onDown(what.worker)).toBe(streams.length)
          const lost = streams.splice(0).toSorted((one, other) => one.slot - other.slot)
          for (const { connection, user } of lost) expected.push([connection, user, 'lost'])
        }
      }
      expect(events().map((of) => [of.connection, of.user, of.reason])).toEqual(expected as never)
      for (const { user, online } of feed.read(cursor, 100_000).events) {
        if (online) users.add(user as number)
        else users.delete(user as number)
      }
      const there = new Set(held.flat().map(({ user }) => user))
      expect([...users].toSorted()).toEqual([...there].toSorted())
      expect([...presence.usersAfter(0, 100)]).toEqual([...there].toSorted())
    }),
  )
})

test('pages of open connections and the feed behind the first of them agree', () => {
  const worker = fc.integer({ min: 0, max: WORKERS - 1 })
  const happens = fc.oneof(
    { weight: 5, arbitrary: fc.record({ worker, come: fc.integer({ min: 1, max: 6 }) }) },
    { weight: 4, arbitrary: fc.record({ worker, go: fc.nat() }) },
    { weight: 1, arbitrary: fc.record({ worker, down: fc.constant(true) }) },
    { weight: 4, arbitrary: fc.constant('page' as const) },
  )
  const sequence = fc.array(happens, { maxLength: 60, size: 'max' })
  fc.assert(
    fc.property(sequence, sequence, fc.integer({ min: 1, max: 4 }), (before, after, countMax) => {
      const { feed, open, close, connections } = connectionsFor()
      const slots: Set<number>[] = Array.from({ length: WORKERS }, () => new Set())
      let sinceUs = 0
      const happen = (what: Exclude<(typeof before)[number], 'page'>) => {
        const held = slots[what.worker] as Set<number>
        if ('come' in what) {
          let slot = 1
          while (held.has(slot)) slot++
          held.add(slot)
          open(what.worker, slot, what.come, ++sinceUs)
        } else if ('go' in what) {
          const slot = [...held][what.go % Math.max(1, held.size)]
          if (slot === undefined) return
          held.delete(slot)
          close(what.worker, [slot], 'client')
        } else {
          held.clear()
          connections.onDown(what.worker)
        }
      }
      const pageFrom = (place: number) => feed.present(connections.connectionsFrom(place, countMax))
      for (const what of before) if (what !== 'page') happen(what)
      const { cursor } = feed
      const told = new Set<string>()
      let place: number | null = 0
      const readPage = () => {
        if (place === null) return
        const page = pageFrom(place)
        expect(page.connections.length).toBeLessThanOrEqual(countMax)
        for (const { connection } of page.connections) told.add(connection)
        place = page.next
      }
      for (const what of after) {
        if (what === 'page') readPage()
        else happen(what)
      }
      while (place !== null) readPage()
      for (const { connection, reason } of feed.read(cursor, 100_000).events) {
        if (reason === null) told.add(connection)
        else told.delete(connection)
      }
      const now = feed.present(connections.connectionsFrom(0, 1_000))
      expect(now.next).toBeNull()
      expect(now.connections).toHaveLength(slots.reduce((sum, { size }) => sum + size, 0))
      expect([...told].toSorted()).toEqual(
        now.connections.map(({ connection }) => connection).toSorted(),
      )
    }),
  )
})

test('a server without a feed counts the same', () => {
  const presence = new Presence(1)
  const connections = new WorkerConnections({
    ...{ workers: 1, presence, feed: null, clock: new FakeClock() },
  })
  connections.onOpened(0, 1, 7, 1)
  expect(presence.users).toBe(1)
  expect([connections.onDown(0), presence.users]).toEqual([1, 0])
})
