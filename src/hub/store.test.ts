// Goal: every stream of a user gets what is for it, slow ones are cut and harm no other, and the
// figures hold. Method: a real store over connections that remember and answer as a test says.

import { describe, expect, test } from 'bun:test'
import { deliveryLimits, streamLimits } from '../core/limits.ts'
import { FakeClock, until } from '../core/time.fixture.ts'
import type { Frame } from './frame.ts'
import type { CloseReason } from './refusals.ts'
import { settingsOf } from './settings.fixture.ts'
import type { StreamStore } from './store.ts'
import {
  connectStream,
  deliverNow,
  frameOf,
  NONE_CLOSED,
  openStream,
  storeFor,
  textFrame,
} from './stream.fixture.ts'

/** Gives the store messages for a user, all in one turn; answers what each was answered. */
function deliverAll(store: StreamStore, user: number, frames: readonly Frame[]): number[] {
  const counts: number[] = []
  for (const frame of frames) {
    store.begin(frame, { settle: (delivered) => counts.push(delivered), late: () => undefined })
    store.deliver(user)
  }
  store.flush()
  return counts
}

function framesOf(...texts: string[]): Frame[] {
  return texts.map((text) => textFrame(text))
}

describe('delivery', () => {
  test('reaches every stream of the user and no other', () => {
    const store = storeFor()
    const streams = [7, 7, 7, 8].map((user) => openStream(store, user))
    expect([7, 8, 9].map((user) => deliverNow(store, user, frameOf(3)))).toEqual([3, 1, 0])
    expect(streams.map(({ text }) => text)).toEqual(['xxx', 'xxx', 'xxx', 'xxx'])
    expect([store.open, store.connected.users, store.opened]).toEqual([4, 2, 4])
  })

  test('counts what is queued as delivered', () => {
    const store = storeFor()
    openStream(store, 7, 'full')
    expect([deliverNow(store, 7, frameOf(40)), store.queuedBytes]).toEqual([1, 40])
  })

  test('comes at the end of the turn of the loop by itself', async () => {
    const store = storeFor()
    const stream = openStream(store, 7)
    const counts: number[] = []
    store.begin(frameOf(3), { settle: (count) => counts.push(count), late: () => undefined })
    store.deliver(7)
    expect([stream.text, counts]).toEqual(['', []])
    await until('it is sent', () => counts.length === 1)
    expect([stream.text, counts]).toEqual(['xxx', [1]])
  })

  test('reaches many users and streams, of which the store remembers each', () => {
    const store = storeFor()
    const streams = Array.from({ length: 5_000 }, (_, at) => openStream(store, 1 + (at % 2_500)))
    for (const { user } of streams.slice(0, 2_500)) {
      expect(deliverNow(store, user, textFrame(String(user)))).toBe(2)
    }
    expect(streams.every(({ text, user }) => text === String(user))).toBe(true)
    for (const stream of streams) stream.leave()
    expect([store.open, store.connected.users, deliverNow(store, 1, frameOf(1))]).toEqual([0, 0, 0])
  })
})

describe('the messages of one turn for a stream', () => {
  test('go out in one write, in order, each counted', () => {
    const store = storeFor()
    const stream = openStream(store, 7)
    expect(deliverAll(store, 7, framesOf('a', 'bc', 'd'))).toEqual([1, 1, 1])
    expect(stream.texts).toEqual(['abcd'])
  })

  test('go out in as few writes as the bound of a write allows, whole', () => {
    const { bytesPerWriteMax } = deliveryLimits
    const store = storeFor()
    const stream = openStream(store, 7)
    const sizes = [1, bytesPerWriteMax - 1, 1, bytesPerWriteMax, bytesPerWriteMax + 9, 2, 3]
    expect(deliverAll(store, 7, sizes.map(frameOf))).toEqual(sizes.map(() => 1))
    expect(stream.writes.map(({ length }) => length)).toEqual([
      bytesPerWriteMax,
      1,
      bytesPerWriteMax,
      bytesPerWriteMax + 9,
      5,
    ])
  })

  test('do not mix with those for others', () => {
    const store = storeFor()
    const streams = [7, 7, 8].map((user) => openStream(store, user))
    for (const [user, frame] of [
      [7, 'a'],
      [8, 'b'],
      [7, 'c'],
      [8, 'd'],
    ] as const) {
      store.begin(textFrame(frame), { settle: () => undefined, late: () => undefined })
      store.deliver(user)
    }
    store.flush()
    expect(streams.map(({ texts }) => texts)).toEqual([['ac'], ['ac'], ['bd']])
  })

  test.each([
    ['few first', [1, 2, 3, 4]],
    ['many first', [2, 1, 4, 3]],
    ['the same twice', [1, 1, 2, 2, 4, 4]],
  ])('are shared with those that get the same ones and no others, %s', (_, users) => {
    const store = storeFor()
    const streams = users.map((user) => openStream(store, user))
    const receivers = { a: users, b: [1, 2], c: [2, 4] }
    for (const [text, of] of Object.entries(receivers)) {
      store.begin(textFrame(text), { settle: () => undefined, late: () => undefined })
      for (const user of new Set(of)) store.deliver(user)
    }
    store.flush()
    const wanted: Record<number, string> = { 1: 'ab', 2: 'abc', 3: 'a', 4: 'ac' }
    expect(streams.map(({ texts }) => texts)).toEqual(users.map((user) => [wanted[user] ?? '']))
  })

  test('are sent before the turn is over if they are very many', () => {
    const store = storeFor()
    const streams = [7, 8].map((user) => openStream(store, user))
    const { messagesPerTurnMax } = deliveryLimits
    const counts = deliverAll(store, 7, framesOf(...'x'.repeat(messagesPerTurnMax + 1)))
    expect([counts.length, new Set(counts)]).toEqual([messagesPerTurnMax + 1, new Set([1])])
    expect(streams.map(({ texts }) => texts.map(({ length }) => length))).toEqual([
      [messagesPerTurnMax, 1],
      [],
    ])
  })

  test('for very many streams are sent before the turn is over, and settled at its end', () => {
    const store = storeFor()
    const streams = Array.from({ length: 100 }, () => openStream(store, 7))
    const rounds = Math.ceil(deliveryLimits.entriesPerTurnMax / 100) + 1
    const counts = deliverAll(store, 7, framesOf(...'x'.repeat(rounds)))
    expect([counts.length, new Set(counts)]).toEqual([rounds, new Set([100])])
    expect(streams.every(({ texts }) => texts.join('').length === rounds)).toBe(true)
    expect(new Set(streams.map(({ writes }) => writes.length))).toEqual(new Set([2]))
  })

  test('are settled in their order, and what that publishes is of the next turn', () => {
    const store = storeFor()
    const stream = openStream(store, 7)
    const settled: string[] = []
    const publish = (text: string, then: () => void = () => undefined) => {
      const settle = () => {
        settled.push(text)
        then()
      }
      store.begin(textFrame(text), { settle, late: () => undefined })
      store.deliver(7)
    }
    publish('a', () => publish('c'))
    publish('b')
    store.flush()
    expect([settled, stream.texts]).toEqual([['a', 'b'], ['ab']])
    store.flush()
    expect([settled, stream.texts]).toEqual([
      ['a', 'b', 'c'],
      ['ab', 'c'],
    ])
  })

  test('are lost with it when it leaves before they are sent, and no other gets them', () => {
    const store = storeFor()
    const [leaver, sibling] = [openStream(store, 7), openStream(store, 7)]
    const counts: number[] = []
    store.begin(frameOf(3), { settle: (count) => counts.push(count), late: () => undefined })
    store.deliver(7)
    leaver.leave()
    const next = openStream(store, 8)
    expect(next.slot).not.toBe(leaver.slot)
    store.flush()
    expect([leaver, sibling, next].map(({ text }) => text)).toEqual(['', 'xxx', ''])
    expect(counts).toEqual([1])
    expect(openStream(store, 9).slot).toBe(leaver.slot)
  })
})

describe('a stream that reads too slowly', () => {
  test('is cut when its outbox is full; the others, also of its user, go on', () => {
    const closes: [number, CloseReason][] = []
    const store = storeFor({ onEnd: (user, reason) => closes.push([user, reason]) })
    const slow = openStream(store, 7, 'full')
    const sibling = openStream(store, 7)
    const other = openStream(store, 8, 'full')
    deliverNow(store, 8, frameOf(10))
    const counts = [50, 50, 1, 1].map((bytes) => deliverNow(store, 7, frameOf(bytes)))
    expect(counts).toEqual([2, 2, 1, 1])
    expect([slow.writes.length, sibling.writes.length]).toEqual([0, 4])
    expect([slow.ending, sibling.ending, other.ending]).toEqual(['cut', 'open', 'open'])
    expect(closes).toEqual([[7, 'slow']])
    expect([store.open, store.closed]).toEqual([2, { ...NONE_CLOSED, slow: 1 }])
    expect([store.queuedBytes, store.undelivered]).toEqual([10, 2])
  })

  test('is cut by what one turn has for it, of which the rest is not delivered', () => {
    const store = storeFor()
    const slow = openStream(store, 7, 'full')
    expect(deliverAll(store, 7, [50, 50, 1, 1].map(frameOf))).toEqual([1, 1, 0, 0])
    expect([slow.ending, store.queuedBytes, store.undelivered]).toEqual(['cut', 0, 2])
  })

  test('may fill its outbox to the last byte', () => {
    const store = storeFor()
    openStream(store, 7, 'full')
    expect([99, 1].map((bytes) => deliverNow(store, 7, frameOf(bytes)))).toEqual([1, 1])
    expect(store.queuedBytes).toBe(100)
    expect([deliverNow(store, 7, frameOf(1)), store.queuedBytes]).toEqual([0, 0])
  })

  test('takes one message of any size when nothing waits', () => {
    const store = storeFor()
    openStream(store, 7, 'full')
    expect([deliverNow(store, 7, frameOf(1000)), store.open]).toEqual([1, 1])
  })

  test('starts afresh once all is out', () => {
    const store = storeFor()
    const stream = openStream(store, 7)
    for (let round = 0; round < 5; round++) {
      stream.answer = 'full'
      deliverNow(store, 7, frameOf(60))
      stream.drain()
    }
    expect([store.open, store.queuedBytes, store.undelivered]).toEqual([1, 0, 0])
  })

  test('gets what waits in order, in one write, and then what comes', () => {
    const store = storeFor()
    const stream = openStream(store, 7, 'full')
    for (const frame of framesOf('a', 'bb', 'ccc')) deliverNow(store, 7, frame)
    expect([stream.texts, store.queuedBytes]).toEqual([[], 6])
    stream.drain()
    expect([stream.texts, store.queuedBytes]).toEqual([['abbccc'], 0])
    for (const frame of framesOf('d')) deliverNow(store, 7, frame)
    expect(stream.texts).toEqual(['abbccc', 'd'])
  })

  test('is not taken for slow while it keeps up, however far behind it is', () => {
    const store = storeFor()
    const stream = openStream(store, 7, 'full')
    for (const bytes of [30, 30]) deliverNow(store, 7, frameOf(bytes))
    for (let round = 0; round < 50; round++) {
      expect(deliverNow(store, 7, frameOf(30))).toBe(1)
      stream.drain()
      stream.answer = 'full'
      for (const bytes of [30, 30]) expect(deliverNow(store, 7, frameOf(bytes))).toBe(1)
    }
    expect([store.open, store.queuedBytes, store.undelivered]).toEqual([1, 60, 0])
  })

  test('is told of before its connection is cut, so that the kernel can be asked first', () => {
    const told: unknown[] = []
    const store = storeFor({ onEnd: (_, reason) => told.push([reason, stream.ending]) })
    const stream = openStream(store, 7, 'full')
    for (const bytes of [100, 1]) deliverNow(store, 7, frameOf(bytes))
    expect([told, stream.ending]).toEqual([[['slow', 'open']], 'cut'])
  })

  test('is cut when too many frames wait, however small they are', () => {
    const store = storeFor({ settings: settingsOf({ outboxBytes: 1_000_000 }) })
    openStream(store, 7, 'full')
    const { outboxFramesMax } = streamLimits
    const delivered = deliverAll(store, 7, framesOf(...'x'.repeat(outboxFramesMax + 1)))
    expect(delivered.indexOf(0)).toBe(outboxFramesMax)
    expect([store.closed.slow, store.undelivered]).toEqual([1, outboxFramesMax])
  })
})

describe('what a stream begins with', () => {
  test('comes before every message, whole, when the socket takes none of it at first', () => {
    const store = storeFor()
    const stream = connectStream(store, 7)
    stream.openingAnswer = 'full'
    store.register(stream.slot)
    expect([deliverNow(store, 7, frameOf(100)), store.queuedBytes]).toEqual([1, 100])
    stream.openingAnswer = 'takes'
    stream.drain()
    expect([stream.openings, stream.text.length, store.queuedBytes]).toEqual([1, 101, 0])
  })

  test('is no message that was lost when the client leaves', () => {
    const store = storeFor()
    const stream = connectStream(store, 7)
    stream.openingAnswer = 'full'
    store.register(stream.slot)
    deliverNow(store, 7, frameOf(10))
    stream.leave()
    expect([store.undelivered, store.queuedBytes, store.closed.client]).toEqual([1, 0, 1])
  })
})

describe('a client that leaves', () => {
  test('is forgotten, with what waits for it', () => {
    const closes: CloseReason[] = []
    const store = storeFor({ onEnd: (_, reason) => closes.push(reason) })
    const stream = openStream(store, 7, 'full')
    openStream(store, 7)
    deliverNow(store, 7, frameOf(10))
    stream.leave()
    expect([store.open, store.connected.users, store.queuedBytes, store.undelivered]).toEqual([
      1, 1, 0, 1,
    ])
    expect([closes, stream.ending, store.closed.client]).toEqual([['client'], 'open', 1])
    expect(deliverNow(store, 7, frameOf(10))).toBe(1)
  })

  test('is forgotten when its connection says that it is gone', () => {
    const store = storeFor()
    const [gone, sibling] = [openStream(store, 7, 'gone'), openStream(store, 7)]
    expect([deliverNow(store, 7, frameOf(1)), store.open, store.closed.client]).toEqual([1, 1, 1])
    expect(sibling.writes.length).toBe(1)
    // The wire tells it a moment later; until then its slot is not used again.
    expect(openStream(store, 8).slot).not.toBe(gone.slot)
    gone.leave()
    expect([openStream(store, 8).slot, store.closed.client]).toEqual([gone.slot, 1])
  })

  test('may do so while what waits for it is sent', () => {
    const store = storeFor()
    const stream = openStream(store, 7, 'full')
    deliverNow(store, 7, frameOf(10))
    stream.answer = 'gone'
    store.onDrain(stream.slot)
    expect([store.open, store.queuedBytes, store.undelivered]).toEqual([0, 0, 1])
  })

  test.each([
    ['first', 0],
    ['middle', 1],
    ['last', 2],
  ])('leaves the others of its user, as the %s of three', (_, at) => {
    const store = storeFor()
    const streams = [7, 7, 7].map((user) => openStream(store, user))
    streams[at]?.leave()
    expect(deliverNow(store, 7, frameOf(1))).toBe(2)
    expect(streams.map(({ writes }) => writes.length)).toEqual([1, 1, 1].with(at, 0))
  })

  test('that closes only its half is ended properly', () => {
    const store = storeFor()
    const stream = openStream(store, 7)
    store.onEnd(stream.slot)
    expect([stream.ending, store.open, store.closed.client]).toEqual(['proper', 0, 1])
  })
})

test('what counts towards a limit is released once, however a stream ends', () => {
  const store = storeFor()
  const released: string[] = []
  const leased = (why: string) =>
    connectStream(store, 7, { lease: { release: () => void released.push(why) } })
  const [left, slow, drained, never] = ['left', 'slow', 'drained', 'never'].map(leased)
  for (const stream of [left, slow, drained]) store.register(stream?.slot ?? 0)
  never?.leave()
  store.forget(never?.slot ?? 0)
  left?.leave()
  if (slow !== undefined) slow.answer = 'full'
  for (const bytes of [100, 1]) deliverNow(store, 7, frameOf(bytes))
  store.drain(1)
  expect(released).toEqual(['never', 'left', 'slow', 'drained'])
})

describe('draining', () => {
  test('ends streams in batches, properly, until none is left', () => {
    const closes: CloseReason[] = []
    const store = storeFor({ onEnd: (_, reason) => closes.push(reason) })
    const streams = Array.from({ length: 7 }, (_, at) => openStream(store, 1 + (at % 3), 'full'))
    deliverNow(store, 1, frameOf(10))
    expect([3, 3, 3, 3].map((count) => store.drain(count))).toEqual([3, 3, 1, 0])
    expect([store.open, store.connected.users, store.queuedBytes]).toEqual([0, 0, 0])
    expect([store.closed.drained, closes.length]).toEqual([7, 7])
    for (const stream of streams) if (stream.ending === 'open') stream.drain()
    expect(new Set(streams.map(({ ending }) => ending))).toEqual(new Set(['proper']))
  })

  test('loses nothing that waits or that this turn has: it is still sent', () => {
    const store = storeFor()
    const stream = openStream(store, 7, 'full')
    deliverNow(store, 7, frameOf(10))
    const counts: number[] = []
    store.begin(frameOf(20), { settle: (count) => counts.push(count), late: () => undefined })
    store.deliver(7)
    expect([store.drain(1), stream.ending]).toEqual([1, 'open'])
    stream.drain()
    expect([stream.text.length, stream.ending, store.undelivered]).toEqual([30, 'proper', 0])
    store.flush()
    expect([counts, store.queuedBytes]).toEqual([[1], 0])
  })

  test('goes on though a client leaves that was to get the rest', () => {
    const store = storeFor()
    const stream = openStream(store, 7, 'full')
    deliverNow(store, 7, frameOf(10))
    store.drain(1)
    stream.leave()
    expect([store.drain(1), store.closed]).toEqual([0, { ...NONE_CLOSED, drained: 1 }])
    expect(openStream(store, 8).slot).toBe(stream.slot)
  })
})

test('a stream is forgotten before its end is told, so that the teller sees it gone', () => {
  const opens: number[] = []
  const store = storeFor({ onEnd: () => opens.push(store.open) })
  openStream(store, 7).leave()
  expect(opens).toEqual([0])
})

describe('presence', () => {
  test('says how many connections a user has and since when', () => {
    const clock = new FakeClock(1_000)
    const store = storeFor({ clock })
    const first = openStream(store, 7)
    clock.advance(500)
    openStream(store, 7)
    clock.advance(500)
    const third = openStream(store, 7)
    expect(store.connected.presence(7)).toEqual({ connections: 3, sinceMs: 1_000 })
    first.leave()
    third.leave()
    expect(store.connected.presence(7)).toEqual({ connections: 1, sinceMs: 1_500 })
  })

  test('of a user who is not connected is none', () => {
    expect(storeFor().connected.presence(7)).toEqual({ connections: 0, sinceMs: null })
  })
})
