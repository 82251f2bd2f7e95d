// Goal: no client is welcomed before the parent knows of it, and of every stream it learns that it
// came and that it went, in this order. Method: a real store and real records over a link that
// takes what the test lets it take, and a property over clients that come and go.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { resumeLimits } from '../core/history-limits.ts'
import { Broadcasts } from '../hub/broadcast.ts'
import type { StreamStore } from '../hub/store.ts'
import {
  connectStream,
  deliverNow,
  frameOf,
  NONE_CLOSED,
  type RecordingStream,
  storeFor,
} from '../hub/stream.fixture.ts'
import { PendingStreams } from './pending-streams.ts'
import { RecordReader, RecordWriter } from './records.ts'
import { type Reported, ReportedStreams } from './worker-connections.fixture.ts'

/** A link whose socket takes everything or nothing. */
class FakeLink {
  readonly out = new RecordWriter()
  isFull = false
  flushesSoon = 0
  writes = 0
  /** What the parent has been sent. */
  readonly #streams = new ReportedStreams()
  /** Runs when the socket is about to take something. */
  onFlush: () => void = () => undefined
  readonly #reader = new RecordReader((record) => this.#streams.onRecord(record))

  /** The same in order, without reasons. */
  get told(): [Reported[0], number][] {
    return this.#streams.told.map(([what, user]) => [what, user])
  }

  /** Why streams were closed, in order. */
  get reasons(): (string | undefined)[] {
    return this.#streams.told.flatMap(([what, , reason]) => (what === 'closed' ? [reason] : []))
  }

  flush(): boolean {
    this.onFlush()
    if (this.isFull) return false
    this.writes++
    this.#reader.push(this.out.waiting())
    this.out.sent(this.out.length)
    return true
  }

  flushSoon(): void {
    this.flushesSoon++
  }

  json(): void {
    throw new Error('nobody asks about subjects here')
  }
}

/** The pending streams of a worker, wired to its store as the public port does. */
function pendingFor() {
  const link = new FakeLink()
  const store: StreamStore = storeFor({
    onEnd: (_, reason, slot) => pendingStreams.onEnd(slot, reason),
  })
  const pendingStreams = new PendingStreams(store, link, new Broadcasts(store))
  const leases = { released: 0 }
  const lease = { release: () => leases.released++ }
  return {
    link,
    store,
    pendingStreams,
    leases,
    enter: (user: number) => {
      const stream = connectStream(store, user, { lease })
      pendingStreams.register(stream.slot, null)
      return stream
    },
    /** The turn of the loop is over. */
    turn: () => {
      pendingStreams.report()
      if (link.flush()) pendingStreams.onSent()
    },
    /** The socket has room again. */
    room: () => {
      link.isFull = false
      if (link.flush()) pendingStreams.onSent()
    },
  }
}

/** Streams that the parent was asked about, and cannot say yet where they begin. */
function waitingStreams(count: number) {
  const { link, store, pendingStreams } = pendingFor()
  const streams = Array.from({ length: count }, (_, at) => connectStream(store, at + 1))
  for (const { slot } of streams) pendingStreams.register(slot, 'oldest')
  const asked = () => {
    pendingStreams.report()
    const bytes = link.out.length
    link.out.sent(bytes)
    return bytes > 0
  }
  asked()
  for (const { slot } of streams) pendingStreams.onWait(slot)
  return { store, pendingStreams, streams, asked }
}

describe('a stream that waits for the log', () => {
  const beginning = {
    ...{ start: { cursor: { epoch: 1, number: 1 }, gap: null }, missed: [] },
    ...{ upTo: { epoch: 1, number: 1 }, isAll: true },
  }

  test('keeps none waiting that comes later, however many wait', () => {
    const { store, pendingStreams, asked } = waitingStreams(resumeLimits.beginningsMax)
    const { slot, ...stream } = connectStream(store, 1_000)
    pendingStreams.register(slot, 'oldest')
    expect(asked()).toBe(true)
    pendingStreams.onBeginning(slot, beginning)
    expect([store.open, stream.ending]).toEqual([1, 'open'])
  })

  test('is asked about again, and begins', () => {
    const { store, pendingStreams, streams, asked } = waitingStreams(1)
    const [{ slot }] = streams as [RecordingStream]
    expect(asked()).toBe(false)
    pendingStreams.onAgain(slot, true)
    expect(asked()).toBe(true)
    pendingStreams.onBeginning(slot, beginning)
    expect(store.open).toBe(1)
  })

  test('and whose client has left is not asked about again, and its slot is free', () => {
    const { store, pendingStreams, streams, asked } = waitingStreams(1)
    const [stream] = streams as [RecordingStream]
    stream.leave()
    expect(connectStream(store, 8).slot).not.toBe(stream.slot)
    pendingStreams.onAgain(stream.slot, false)
    expect(asked()).toBe(false)
    expect(connectStream(store, 9).slot).toBe(stream.slot)
  })

  test('ends properly as the server stops', () => {
    const { pendingStreams, streams, asked } = waitingStreams(2)
    const [stays, gone] = streams as [RecordingStream, RecordingStream]
    gone.leave()
    pendingStreams.drain()
    expect(stays.ending).toBe('proper')
    for (const { slot } of streams) pendingStreams.onAgain(slot, false)
    expect(asked()).toBe(false)
  })
})

describe('a stream that comes', () => {
  test('is welcomed at the end of the turn, after the parent was told', () => {
    const { link, store, enter, turn } = pendingFor()
    const stream = enter(7)
    const seen: unknown[] = []
    link.onFlush = () => seen.push([stream.openings, store.open, link.out.length > 0])
    expect([stream.openings, link.flushesSoon]).toEqual([0, 1])
    turn()
    expect(seen).toEqual([[0, 0, true]])
    expect([stream.openings, store.connected.slotsOf(7), store.open]).toEqual([1, [stream.slot], 1])
    expect([link.told, deliverNow(store, 7, frameOf(1))]).toEqual([[['opened', 7]], 1])
  })

  test('is reported with the others of its turn, in one write', () => {
    const { link, store, enter, turn } = pendingFor()
    for (let user = 1; user <= 100; user++) enter(user)
    turn()
    expect([link.writes, link.told.length, store.open]).toEqual([1, 100, 100])
  })

  test('waits while the link is full, and gets nothing meanwhile', () => {
    const { link, store, enter, room, turn } = pendingFor()
    link.isFull = true
    const stream = enter(7)
    turn()
    expect([stream.openings, store.connected.slotsOf(7), store.open]).toEqual([0, [], 0])
    expect([deliverNow(store, 7, frameOf(1)), link.told]).toEqual([0, []])
    room()
    expect([stream.openings, store.connected.slotsOf(7), store.open]).toEqual([1, [stream.slot], 1])
    expect(link.told).toEqual([['opened', 7]])
    expect([deliverNow(store, 7, frameOf(1)), stream.writes.length]).toEqual([1, 1])
    room()
    expect([stream.openings, store.opened]).toEqual([1, 1])
  })

  test('waits with the others, each for a user of its own', () => {
    const { link, store, enter, room, turn } = pendingFor()
    link.isFull = true
    const [seven, eight, again] = [enter(7), enter(8), enter(7)]
    turn()
    room()
    expect([seven, eight, again].map(({ openings }) => openings)).toEqual([1, 1, 1])
    expect(store.connected.slotsOf(7).toSorted()).toEqual([seven.slot, again.slot])
    expect([store.connected.slotsOf(8), deliverNow(store, 7, frameOf(1))]).toEqual([
      [eight.slot],
      2,
    ])
    expect([deliverNow(store, 8, frameOf(1)), link.told]).toEqual([
      1,
      [7, 8, 7].map((user) => ['opened', user]),
    ])
  })

  test('may wait anew when the link is full anew', () => {
    const { link, enter, room, turn } = pendingFor()
    link.isFull = true
    enter(7)
    turn()
    room()
    link.isFull = true
    const next = enter(8)
    turn()
    expect(next.openings).toBe(0)
    room()
    expect(next.openings).toBe(1)
  })

  test('gets what waited for room of its socket, though the link was full when it came', () => {
    const { link, store, enter, room, turn } = pendingFor()
    link.isFull = true
    const stream = enter(7)
    turn()
    room()
    stream.answer = 'full'
    expect([deliverNow(store, 7, frameOf(40)), store.queuedBytes]).toEqual([1, 40])
    stream.drain()
    expect([store.queuedBytes, stream.text]).toEqual([0, 'x'.repeat(40)])
  })
})

describe('a stream that goes', () => {
  test.each([
    ['client', 'open'],
    ['slow', 'cut'],
    ['drained', 'proper'],
  ] as const)('is told of, for each reason: %s', (why, ending) => {
    const { link, store, enter, turn } = pendingFor()
    const stream = enter(7)
    enter(8)
    turn()
    link.flushesSoon = 0
    if (why === 'client') stream.leave()
    else if (why === 'drained') store.drain(1)
    else {
      stream.answer = 'full'
      for (const bytes of [100, 1]) deliverNow(store, 7, frameOf(bytes))
    }
    expect([stream.ending, store.closed[why], link.flushesSoon]).toEqual([ending, 1, 1])
    turn()
    turn()
    expect(link.told).toEqual([
      ['opened', 7],
      ['opened', 8],
      ['closed', 7],
    ])
    expect(link.reasons).toEqual([why])
  })

  test('is told of with the others of its turn, once each', () => {
    const { link, enter, turn } = pendingFor()
    const streams = [7, 7, 8].map(enter)
    turn()
    for (const stream of streams) stream.leave()
    turn()
    expect(link.told.slice(3)).toEqual([7, 7, 8].map((user) => ['closed', user]))
  })

  test.each([
    ['by closing its connection', (stream: RecordingStream) => stream.leave(), 'open'],
    ['by sending its end', (stream: RecordingStream) => stream.store.onEnd(stream.slot), 'proper'],
  ] as const)('while it waits is never welcomed, and reported as left: %s', (_, leave, ending) => {
    const { link, store, leases, enter, room, turn } = pendingFor()
    link.isFull = true
    const [gone, stays] = [enter(7), enter(8)]
    leave(gone)
    turn()
    expect([leases.released, link.told]).toEqual([1, []])
    room()
    turn()
    expect(link.told).toEqual([
      ['opened', 7],
      ['opened', 8],
      ['closed', 7],
    ])
    expect([gone.openings, stays.openings, gone.ending]).toEqual([0, 1, ending])
    expect([store.open, store.opened, store.closed.client]).toEqual([1, 1, 0])
  })

  test('while it waits keeps its slot until it was reported', () => {
    const { link, store, enter, room, turn } = pendingFor()
    link.isFull = true
    const gone = enter(7)
    gone.leave()
    const meanwhile = enter(8)
    expect(meanwhile.slot).not.toBe(gone.slot)
    turn()
    room()
    const next = enter(9)
    expect(next.slot).toBe(gone.slot)
    turn()
    expect(link.told).toEqual([
      ['opened', 7],
      ['opened', 8],
      ['closed', 7],
      ['opened', 9],
    ])
    expect([7, 8, 9].map((user) => deliverNow(store, user, frameOf(user)))).toEqual([0, 1, 1])
    expect([meanwhile, next].map(({ openings, text }) => [openings, text.length])).toEqual([
      [1, 8],
      [1, 9],
    ])
  })
})

describe('draining', () => {
  test('ends those that wait, properly and without a welcome, once', () => {
    const { link, store, pendingStreams, leases, enter, room, turn } = pendingFor()
    const open = enter(6)
    turn()
    link.isFull = true
    const [gone, waits] = [enter(7), enter(8)]
    gone.leave()
    pendingStreams.drain()
    pendingStreams.drain()
    expect([open, gone, waits].map(({ ending }) => ending)).toEqual(['open', 'open', 'proper'])
    expect([gone, waits].map(({ openings, writes }) => [openings, writes])).toEqual([
      [0, []],
      [0, []],
    ])
    room()
    turn()
    expect([waits.openings + gone.openings, leases.released]).toEqual([0, 2])
    expect(link.told.slice(1)).toEqual([
      ['opened', 7],
      ['opened', 8],
      ['closed', 7],
      ['closed', 8],
    ])
    expect(link.reasons).toEqual(['client', 'drained'])
    expect([store.opened, store.open]).toEqual([1, 1])
    expect(store.closed).toEqual(NONE_CLOSED)
    // Their slots are free, each once.
    const slots = [enter(1), enter(1), enter(1)].map(({ slot }) => slot)
    expect(slots.toSorted()).toEqual([gone.slot, waits.slot, waits.slot + 1])
  })
})

interface Visit {
  readonly stream: RecordingStream
  /** Is its client there, and its connection open? */
  isThere: boolean
}

test('the parent knows of every stream that is open, no matter who comes and goes', () => {
  const happens = fc.oneof(
    { weight: 4, arbitrary: fc.record({ come: fc.integer({ min: 1, max: 3 }) }) },
    { weight: 3, arbitrary: fc.record({ leave: fc.nat() }) },
    { weight: 2, arbitrary: fc.constantFrom('full' as const, 'room' as const, 'turn' as const) },
    fc.constant('drain' as const),
  )
  fc.assert(
    fc.property(fc.array(happens, { maxLength: 40, size: 'max' }), (sequence) => {
      const { link, store, pendingStreams, leases, enter, room, turn } = pendingFor()
      const visits: Visit[] = []
      const there = () => visits.filter(({ isThere }) => isThere)
      const isOpen = ({ stream }: Visit) =>
        store.connected.slotsOf(stream.user).includes(stream.slot)
      /** As the parent counts them; throws if one leaves before it came. */
      const known = () => {
        const streams = new Map<number, number>()
        for (const [what, user] of link.told) {
          const count = (streams.get(user) ?? 0) + (what === 'opened' ? 1 : -1)
          if (count < 0) throw new Error(`${user} left before it came`)
          streams.set(user, count)
        }
        return streams
      }
      const check = (isSettled: boolean) => {
        const streams = known()
        for (const user of [1, 2, 3]) {
          const open = store.connected.presence(user).connections
          expect(streams.get(user) ?? 0)[isSettled ? 'toBe' : 'toBeGreaterThanOrEqual'](open)
        }
        for (const visit of there()) expect(visit.stream.openings).toBe(Number(isOpen(visit)))
        expect(new Set(there().map(({ stream }) => stream.slot)).size).toBe(there().length)
        expect(leases.released).toBe(visits.length - there().length)
        expect(store.opening).toBe(there().filter((visit) => !isOpen(visit)).length)
      }
      for (const what of sequence) {
        if (what === 'full') link.isFull = true
        else if (what === 'room') room()
        else if (what === 'turn') turn()
        else if (what === 'drain') {
          pendingStreams.drain()
          for (const visit of there()) visit.isThere = isOpen(visit)
        } else if ('come' in what) visits.push({ stream: enter(what.come), isThere: true })
        else {
          const visit = there()[what.leave % there().length]
          if (visit === undefined) continue
          visit.isThere = false
          visit.stream.leave()
        }
        check(false)
      }
      room()
      // The second tells of those that left before they were reported.
      for (let turns = 0; turns < 2; turns++) turn()
      check(true)
      expect(there().every(isOpen)).toBe(true)
      // Each slot is used again before there is a new one.
      const used = Math.max(0, ...visits.map(({ stream }) => stream.slot))
      const more = Array.from({ length: used - there().length }, () => enter(4).slot)
      const all = [...there().map(({ stream }) => stream.slot), ...more]
      expect(all.toSorted((a, b) => a - b)).toEqual(Array.from({ length: used }, (_, at) => at + 1))
    }),
  )
})
