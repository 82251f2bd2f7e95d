// Goal: streams that read pass on what their clients send, and are answered in the order of all
// else that they get; their connections end so that a client in the middle of something loses
// nothing. Method: a real store with a clock of the test, over connections that remember.

import { describe, expect, test } from 'bun:test'
import { websocketLimits } from '../core/limits.ts'
import { FakeClock } from '../core/time.fixture.ts'
import type { StreamStore } from './store.ts'
import {
  connectStream,
  deliverNow,
  NONE_CLOSED,
  openStream,
  storeFor,
  textFrame,
} from './stream.fixture.ts'
import { UNLIMITED } from './stream.ts'

function world() {
  const clock = new FakeClock()
  const store = storeFor({ clock })
  const told: string[] = []
  const input = {
    onOpen: () => undefined,
    onData: (slot: number, bytes: Uint8Array) => told.push(`${slot} ${Buffer.from(bytes)}`),
    isEnd: (_: number, bytes: Uint8Array) => String(Buffer.from(bytes)) === 'end',
    onClose: (slot: number) => told.push(`${slot} is closed`),
  }
  const open = (user: number) => openStream(store, user, 'takes', { input })
  return { clock, store, told, input, open }
}

const BYE = Buffer.from('bye')
const ENDED = { reason: 'ended', note: null } as const
const bytesOf = (text: string) => Buffer.from(text)

describe('a stream that reads', () => {
  test('gets what its client sends as long as it is open', () => {
    const { store, told, open } = world()
    const [first, second] = [open(7), open(8)]
    expect([store.reads(first.slot), store.readers]).toEqual([true, 2])
    store.onData(first.slot, bytesOf('a'))
    store.onData(second.slot, bytesOf('b'))
    store.close(first.slot, 'client', bytesOf('bye'))
    store.onData(first.slot, bytesOf('late'))
    expect(told).toEqual(['1 a', '2 b'])
    first.leave()
    expect([told.at(-1), store.readers]).toEqual(['1 is closed', 1])
  })

  test('is cut if its client sends before it is welcomed', () => {
    const { store, told, input } = world()
    const stream = connectStream(store, 7, { input })
    store.onData(stream.slot, bytesOf('early'))
    expect([stream.ending, store.opening, store.isOpening(stream.slot)]).toEqual(['cut', 0, false])
    expect([told, store.readers]).toEqual([['1 is closed'], 0])
    store.forget(stream.slot)
  })

  test('is none of those that do not, of which nothing is asked', () => {
    const { store } = world()
    const stream = openStream(store, 7)
    expect([store.reads(stream.slot), store.readers]).toEqual([false, 0])
    stream.leave()
    expect(store.readers).toBe(0)
  })

  test('whose descriptor cannot be watched is one no more', () => {
    const { store, input } = world()
    const { slot } = connectStream(store, 7, { input })
    store.onClose(slot)
    store.forget(slot)
    expect([store.readers, store.opening, store.reserve(8, UNLIMITED)]).toEqual([0, 0, slot])
  })
})

describe('an answer', () => {
  test('comes behind what was published before, and before what comes later', () => {
    const { store, open } = world()
    const stream = open(7)
    const delivered: number[] = []
    const publish = (text: string) => {
      store.begin(textFrame(text), {
        settle: (count) => delivered.push(count),
        late: () => undefined,
      })
      store.deliver(7)
    }
    publish('before ')
    store.delivery.reply(stream.slot, bytesOf('answer '))
    publish('after')
    store.flush()
    expect([stream.text, delivered]).toEqual(['before answer after', [1, 1]])
  })

  test('waits behind what waits, and is never within it', () => {
    const { store, open } = world()
    const stream = open(7)
    stream.room = 3
    deliverNow(store, 7, textFrame('message '))
    store.delivery.reply(stream.slot, bytesOf('answer '))
    deliverNow(store, 7, textFrame('next'))
    expect([stream.text, store.queuedBytes]).toEqual(['mes', 19])
    stream.room = 100
    stream.drain()
    expect([stream.text, store.queuedBytes]).toEqual(['message answer next', 0])
  })

  test('that is taken in part goes on when there is room, before all else', () => {
    const { store, open } = world()
    const stream = open(7)
    stream.room = 3
    store.delivery.reply(stream.slot, bytesOf('answer '))
    deliverNow(store, 7, textFrame('message'))
    stream.room = 100
    stream.drain()
    expect([stream.text, store.queuedBytes]).toEqual(['answer message', 0])
  })

  test('for which there is no room ends the stream, as a message does', () => {
    const { store, open } = world()
    const stream = open(7)
    stream.answer = 'full'
    for (let at = 0; at < 3; at++) store.delivery.reply(stream.slot, Buffer.alloc(50))
    expect([stream.ending, store.closed, store.queuedBytes]).toEqual([
      'cut',
      { ...NONE_CLOSED, slow: 1 },
      0,
    ])
    // It is gone.
    store.delivery.reply(stream.slot, bytesOf('late'))
  })

  test('to a client that has gone ends the stream', () => {
    const { store, open } = world()
    const stream = open(7)
    stream.answer = 'gone'
    store.delivery.reply(stream.slot, bytesOf('answer'))
    expect([store.open, store.closed.client]).toEqual([0, 1])
  })
})

describe('the end of a stream that reads', () => {
  test('half-closes its connection, and closes it when the client has done so, too', () => {
    const { store, told, open } = world()
    const stream = open(7)
    store.close(stream.slot, 'protocol', bytesOf('bye'))
    expect([stream.text, stream.ending, store.open]).toEqual(['bye', 'halfClosed', 0])
    expect(store.closed).toEqual({ ...NONE_CLOSED, protocol: 1 })
    store.onEnd(stream.slot)
    expect([stream.ending, told]).toEqual(['proper', ['1 is closed']])
    expect(store.endExpired()).toBe('never')
  })

  test('of which the client has to know, waits until it says so', () => {
    const { store, open } = world()
    const stream = open(7)
    store.endUser(7, ENDED)
    store.onData(stream.slot, bytesOf('something'))
    expect([store.open, stream.ending]).toEqual([0, 'open'])
    store.onData(stream.slot, bytesOf('end'))
    expect([stream.ending, store.endExpired()]).toEqual(['proper', 'never'])
  })

  test('comes behind what waits, also when the client has ended it at the same time', () => {
    const { store, open } = world()
    const stream = open(7)
    stream.room = 3
    deliverNow(store, 7, textFrame('message'))
    store.endUser(7, ENDED)
    store.onData(stream.slot, bytesOf('end'))
    expect([stream.text, stream.ending]).toEqual(['mes', 'open'])
    stream.room = 100
    stream.drain()
    expect([stream.text, stream.ending]).toEqual(['message', 'halfClosed'])
  })

  test.each([
    ['that it is to know of', 'open', (store: StreamStore) => store.endUser(7, ENDED)],
    ['that it has asked for', 'halfClosed', (store: StreamStore) => store.close(1, 'client', BYE)],
  ] as const)('%s closes the connection after a while if the client does not', (_, before, end) => {
    const { clock, store, open } = world()
    const stream = open(7)
    end(store)
    clock.advance(websocketLimits.closeMsMax - 1_000)
    expect([store.endExpired(), stream.ending]).toEqual(['later', before])
    clock.advance(1_000)
    expect([store.endExpired(), stream.ending]).toEqual(['never', 'proper'])
  })

  test('comes behind what waits, which is cut if it is not taken for long', () => {
    const { clock, store, open } = world()
    const [reader, sleeper] = [open(7), open(8)]
    for (const stream of [reader, sleeper]) {
      stream.room = 3
      deliverNow(store, stream.user, textFrame('message'))
      store.close(stream.slot, 'client', bytesOf(' bye'))
      // Its client has sent its last byte, and may still read.
      store.onEnd(stream.slot)
      expect([stream.text, stream.ending]).toEqual(['mes', 'open'])
    }
    reader.room = 100
    reader.drain()
    expect([reader.text, reader.ending]).toEqual(['message bye', 'halfClosed'])
    clock.advance(60_000)
    store.endExpired()
    expect([reader.ending, sleeper.ending, store.undelivered]).toEqual(['proper', 'cut', 0])
  })

  test('comes once, if the client or the server ends it', () => {
    const { store, open } = world()
    const stream = open(7)
    expect(store.drain(1)).toBe(1)
    store.close(stream.slot, 'client', bytesOf('bye'))
    expect([stream.text, store.closed]).toEqual(['', { ...NONE_CLOSED, drained: 1 }])
  })
})

describe('what an open stream follows for itself', () => {
  test('changes one by one', () => {
    const { store, open } = world()
    const [stream, other] = [open(7), open(8)]
    const sorted = (slot: number) => store.subjectsOf(slot).toSorted((a, b) => a - b)
    store.follow(stream.slot, [1, 2, 3])
    store.follow(other.slot, [2, 3])
    store.unfollow(stream.slot, [2, 9])
    store.follow(stream.slot, [4])
    store.unfollow(stream.slot, [1])
    expect([sorted(stream.slot), sorted(other.slot)]).toEqual([
      [3, 4],
      [2, 3],
    ])
    store.unfollow(stream.slot, [3, 4])
    expect([store.subjectsOf(stream.slot), store.connected.isReached(3)]).toEqual([[], true])
    other.leave()
    expect([2, 3].map((subject) => store.connected.isReached(subject))).toEqual([false, false])
  })
})
