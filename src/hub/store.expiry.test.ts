// Goal: streams whose tokens expire end in their proper way, and no other stream does. Method: a
// real store with a clock of the test, over connections that remember.

import { describe, expect, test } from 'bun:test'
import { FakeClock } from '../core/time.fixture.ts'
import type { CloseReason } from './refusals.ts'
import { connectStream, deliverNow, frameOf, openStream, storeFor } from './stream.fixture.ts'

describe('a stream whose token expires', () => {
  const clock = new FakeClock()
  const nowSeconds = Math.floor(clock.nowMs() / 1_000)

  test('ends properly within five seconds, with what waits for it', () => {
    const closes: CloseReason[] = []
    const store = storeFor({ clock, onEnd: (_, reason) => closes.push(reason) })
    const streams = [10, 10, 20, 0].map((seconds) => {
      const expiresAtSeconds = seconds === 0 ? 0 : nowSeconds + seconds
      const stream = connectStream(store, 7, { expiresAtSeconds })
      store.register(stream.slot)
      return stream
    })
    const [waiting] = streams
    if (waiting !== undefined) waiting.answer = 'full'
    deliverNow(store, 7, frameOf(3))
    store.endExpired()
    expect(store.open).toBe(4)
    clock.advance(15_000)
    store.endExpired()
    expect([store.open, store.closed.expired, store.undelivered]).toEqual([2, 2, 0])
    expect(streams.map(({ ending }) => ending)).toEqual(['open', 'proper', 'open', 'open'])
    waiting?.drain()
    expect([waiting?.text, waiting?.ending, closes]).toEqual([
      'xxx',
      'proper',
      ['expired', 'expired'],
    ])
  })

  test('leaves time to all else, with very many others', () => {
    const store = storeFor({ clock })
    const streams = Array.from({ length: 2_500 }, (_, at) => {
      const stream = connectStream(store, at + 1, { expiresAtSeconds: at === 0 ? 0 : 1 })
      store.register(stream.slot)
      return stream
    })
    const looks = [1, 2, 3].map(() => [store.endExpired(), store.open])
    expect(looks).toEqual([
      ['now', 1_500],
      ['now', 500],
      ['never', 1],
    ])
    expect(streams[0]?.ending).toBe('open')
  })

  test('gets what was published in the same turn of the loop', () => {
    const store = storeFor({ clock })
    const stream = connectStream(store, 7, { expiresAtSeconds: 1 })
    store.register(stream.slot)
    store.begin(frameOf(2), { settle: () => undefined, late: () => undefined })
    store.deliver(7)
    store.endExpired()
    expect([stream.text, stream.ending]).toEqual(['xx', 'proper'])
  })

  test('and is not registered yet ends once it is', () => {
    const store = storeFor({ clock })
    const stream = connectStream(store, 7, { expiresAtSeconds: 1 })
    store.endExpired()
    expect([stream.ending, store.opening]).toEqual(['open', 1])
    store.register(stream.slot)
    store.endExpired()
    expect([stream.ending, store.open]).toEqual(['proper', 0])
  })

  test('leaves its time to no other stream in its slot', () => {
    const store = storeFor({ clock })
    const stream = connectStream(store, 7, { expiresAtSeconds: 1 })
    store.register(stream.slot)
    stream.leave()
    const next = openStream(store, 8)
    expect(next.slot).toBe(stream.slot)
    store.endExpired()
    expect(next.ending).toBe('open')
  })
})

describe('all streams of a user', () => {
  const end = { reason: 'ended', note: 'bye' } as const

  test('end properly, with what waits for them, and those of others stay', () => {
    const store = storeFor()
    const [one, two, other] = [
      openStream(store, 7),
      openStream(store, 7, 'full'),
      openStream(store, 8),
    ]
    deliverNow(store, 7, frameOf(3))
    expect([store.endUser(7, end), store.open, store.closed.ended]).toEqual([2, 1, 2])
    two.drain()
    expect([one.ending, two.ending, other.ending]).toEqual(['proper', 'proper', 'open'])
    expect([two.text, store.undelivered]).toEqual(['xxx', 0])
    expect([store.endUser(7, end), store.endUser(9, end)]).toEqual([0, 0])
  })

  test('end once they are registered, if they are not yet', () => {
    const store = storeFor()
    const [opening, other] = [connectStream(store, 7), connectStream(store, 8)]
    expect([store.endUser(7, end), store.endUser(7, end)]).toEqual([1, 0])
    for (const { slot } of [opening, other]) store.register(slot)
    store.endExpired()
    expect([opening.ending, other.ending]).toEqual(['proper', 'open'])
    expect([store.closed.ended, store.closed.expired]).toEqual([1, 0])
  })
})

test('a client that does not take its last bytes is cut ten seconds later', () => {
  const clock = new FakeClock()
  const store = storeFor({ clock })
  const stream = connectStream(store, 7, { expiresAtSeconds: 1 })
  store.register(stream.slot)
  stream.answer = 'full'
  deliverNow(store, 7, frameOf(3))
  expect([store.endExpired(), stream.ending]).toEqual(['later', 'open'])
  clock.advance(8_900)
  expect([store.endExpired(), stream.ending]).toEqual(['later', 'open'])
  clock.advance(1_200)
  expect([store.endExpired(), stream.ending]).toEqual(['never', 'cut'])
})
