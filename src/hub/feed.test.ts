// Goal: a reader gets every event that is kept, as it was and in order, and is told a gap exactly
// if one was lost that it had not had. Method: examples at the bounds, and a model that forgets
// nothing.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { until } from '../core/time.fixture.ts'
import { feedSourceContract } from '../log/feed-source.contract.ts'
import type { ConnectionEvent } from '../log/feed-source.ts'
import { NameTable } from '../subscriptions/name-table.ts'
import { Feed } from './feed.ts'
import { CLOSES, type CloseReason } from './refusals.ts'

const EPOCH = 0x19ad3f0c2a1
/** The least: 4 KiB, of 20 bytes each. */
const PLACES = 204

function feedFor(bytes = 0, names = new NameTable({ seed: 1 })) {
  return new Feed({ bytes, epoch: EPOCH, run: 'abc', node: 'here', names })
}

function allOf(feed: Feed, from = feed.start, eventsMax = 1_000): ConnectionEvent[] {
  const events: ConnectionEvent[] = []
  for (let cursor = from; ; ) {
    const page = feed.read(cursor, eventsMax)
    expect(page.gap).toBeNull()
    if (page.events.length === 0) return events
    events.push(...page.events)
    cursor = page.cursor
  }
}

function open(feed: Feed, user: number, sinceUs = 1_000): void {
  feed.opened({ user, process: 0, sinceUs })
}

describe('an event', () => {
  test('says what it was told, up to the highest of all', () => {
    const feed = feedFor()
    const sinceUs = 2 ** 51 - 1
    feed.opened({ user: 2 ** 31 - 1, process: 65_535, sinceUs })
    const closed = { user: 1, process: 2, sinceUs: 1_234_567 }
    feed.closed(closed, 'slow', true, 2 ** 42 + 7.9)
    feed.closed(closed, 'lost', false, 2_000)
    const common = { node: 'here' }
    expect(allOf(feed)).toEqual([
      {
        ...{ ...common, cursor: { epoch: EPOCH, number: 1 }, user: 2 ** 31 - 1 },
        ...{ connection: `abc-ffff-${sinceUs.toString(16)}`, online: true, reason: null },
        ...{ sinceMs: Math.floor(sinceUs / 1_000), atMs: Math.floor(sinceUs / 1_000) },
      },
      {
        ...{ ...common, cursor: { epoch: EPOCH, number: 2 }, user: 1 },
        ...{ connection: `abc-2-${(1_234_567).toString(16)}`, online: true, reason: 'slow' },
        ...{ sinceMs: 1_234, atMs: 2 ** 42 + 7 },
      },
      {
        ...{ ...common, cursor: { epoch: EPOCH, number: 3 }, user: 1 },
        ...{ connection: `abc-2-${(1_234_567).toString(16)}`, online: false, reason: 'lost' },
        ...{ sinceMs: 1_234, atMs: 2_000 },
      },
    ])
  })

  test.each([...(Object.keys(CLOSES) as CloseReason[]), 'lost'] as const)(
    'says why a connection ended: %s',
    (reason) => {
      const feed = feedFor()
      feed.closed({ user: 1, process: 0, sinceUs: 1 }, reason, false, 1)
      expect(allOf(feed)).toMatchObject([{ reason }])
    },
  )

  test('was not before its connection, though the clocks of two processes differ', () => {
    const feed = feedFor()
    feed.closed({ user: 1, process: 0, sinceUs: 5_000_900 }, 'client', false, 4_000)
    expect(allOf(feed)).toMatchObject([{ sinceMs: 5_000, atMs: 5_000 }])
  })

  test.each([1, 15, 16, 17, 32, 33, 63, 64])('has a name of %d characters', (length) => {
    const names = new NameTable({ seed: 1 })
    const name = 'abcdefghijklmnopqrstuvwxyz.0123456789:ABCDEFGHIJKLMNOPQRSTUVWXYZ@'.slice(
      0,
      length,
    )
    const feed = feedFor(0, names)
    open(feed, names.intern(name) ?? 0)
    open(feed, 7)
    expect(allOf(feed).map(({ user }) => user)).toEqual([name, 7])
  })

  test('has the name that its user had, though the handle is of another one by now', () => {
    const names = new NameTable({ seed: 1, namesMax: 1 })
    const feed = feedFor(0, names)
    open(feed, names.intern('alice') ?? 0)
    for (let pass = 0; pass < 2; pass++) names.sweep(1, 10, () => false)
    names.beginRest()
    names.endRest()
    open(feed, names.intern('bob') ?? 0)
    expect(allOf(feed).map(({ user }) => user)).toEqual(['alice', 'bob'])
  })
})

feedSourceContract(async () => {
  const feed = feedFor()
  return {
    ...{ source: feed, eventsMax: PLACES, close: () => feed.close() },
    add: async (users) => {
      for (const user of users) open(feed, user, 1_000 * (feed.events + 1))
    },
    [Symbol.asyncDispose]: async () => undefined,
  }
})

test('a cursor that points into a name is unknown', () => {
  const names = new NameTable({ seed: 1 })
  const feed = feedFor(0, names)
  open(feed, names.intern('x'.repeat(33)) ?? 0)
  expect(feed.cursor.number).toBe(4)
  for (const number of [1, 2, 3]) {
    expect(feed.begin({ after: { epoch: EPOCH, number } }).gap?.reason).toBe('unknown')
  }
})

test('many events are told of once', async () => {
  const feed = feedFor()
  let calls = 0
  feed.listen(() => calls++)
  for (const user of [1, 2, 3]) open(feed, user)
  expect(calls).toBe(0)
  await until('it is told', () => calls > 0)
  open(feed, 4)
  await until('it is told again', () => calls > 1)
  expect(calls).toBe(2)
})

test('what is kept is read as it was, and what is not is a gap, whatever comes', () => {
  const names = new NameTable({ seed: 1 })
  const users = ['a', 'sixteen-letters-', 'x'.repeat(40), 'y'.repeat(64)].map(
    (name) => names.intern(name) ?? 0,
  )
  const user = fc.oneof(fc.integer({ min: 1, max: 5 }), fc.constantFrom(...users))
  const burst = fc.record({ user, count: fc.integer({ min: 1, max: 150 }) })
  fc.assert(
    fc.property(
      fc.array(burst, { maxLength: 12 }),
      fc.integer({ min: 1, max: 50 }),
      (all, page) => {
        const feed = feedFor(0, names)
        const model: { user: number | string; sinceMs: number; places: number; end: number }[] = []
        let last = 0
        for (const { user, count } of all) {
          for (let each = 0; each < count; each++) {
            const sinceUs = 1_000 * (model.length + 1)
            open(feed, user, sinceUs)
            const name = names.subjectOf(user)
            const places = 1 + (typeof name === 'string' ? Math.ceil(name.length / 16) : 0)
            last += places
            model.push({ user: name, sinceMs: sinceUs / 1_000, places, end: last })
          }
        }
        const kept = model.filter(({ places, end }) => end - places >= last - PLACES)
        const read = allOf(feed, feed.begin('oldest').cursor, page)
        expect(read.map(({ user, sinceMs, cursor }) => [user, sinceMs, cursor.number])).toEqual(
          kept.map(({ user, sinceMs, end }) => [user, sinceMs, end]),
        )
        // Behind each event that there ever was.
        for (const [at, { end }] of model.entries()) {
          const { gap, events } = feed.read({ epoch: EPOCH, number: end }, 1)
          const next = model[at + 1]
          if (next === undefined) expect([gap, events]).toEqual([null, []])
          else if (kept.includes(next)) expect(events[0]?.sinceMs).toBe(next.sinceMs)
          else expect(gap?.reason).toBe('lost')
        }
        expect([feed.events, feed.cursor.number]).toEqual([model.length, last])
      },
    ),
  )
})
