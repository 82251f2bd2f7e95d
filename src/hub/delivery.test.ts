// Goal: streams that have to come back are cut, and no others. Method: the real store, and
// connections that take what the test says.

import { expect, test } from 'bun:test'
import { streamLimits } from '../core/limits.ts'
import { FakeClock } from '../core/time.fixture.ts'
import type { StreamStore } from './store.ts'
import {
  connectStream,
  deliverNow,
  openStream,
  type RecordingStream,
  storeFor,
  textFrame,
} from './stream.fixture.ts'

/** A stream that has missed a message, of which its connection takes nothing. */
function resumed(store: StreamStore, user: number): RecordingStream {
  const stream = connectStream(store, user)
  stream.openingAnswer = 'full'
  const cursor = { epoch: 1, number: 1 }
  const beginning = { start: { cursor, gap: null }, missed: [textFrame('missed')] }
  store.register(stream.slot, { ...beginning, upTo: { epoch: 1, number: 2 }, isAll: true })
  return stream
}

test('a stream that takes nothing of what it begins with is cut, and one that takes some is not', () => {
  const store = storeFor()
  const [stalled, slow] = [resumed(store, 1), resumed(store, 2)]
  // It is full of messages, for which there is another limit.
  const full = openStream(store, 3, 'full')
  deliverNow(store, 3, textFrame('waits', 3))
  for (let look = 0; look < 2; look++) {
    slow.openingAnswer = 'takes'
    slow.room = 2
    slow.drain()
    store.delivery.cutStalled()
    expect(stalled.ending).toBe(look === 0 ? 'open' : 'cut')
  }
  expect([slow.ending, full.ending]).toEqual(['open', 'open'])
  expect([store.closed.slow, store.beginningBytes]).toEqual([1, 'missed'.length])
})

test('the streams of whom messages were left out end, behind what they have had', () => {
  const store = storeFor()
  const [one, other] = [openStream(store, 1), openStream(store, 2)]
  const follower = openStream(store, 3, 'takes', { subjects: [9] })
  store.begin(textFrame('before', 1), { settle: () => undefined, late: () => undefined })
  store.deliver(1)
  store.delivery.endSkipped([1, 9, 4])
  expect([one.ending, other.ending, follower.ending]).toEqual(['proper', 'open', 'proper'])
  expect([one.text, store.closed.drained]).toEqual(['before', 2])
  store.delivery.endSkipped([])
  expect([other.ending, store.open]).toEqual(['proper', 0])
})

test('one of them whose client takes nothing is cut after a while', () => {
  const clock = new FakeClock()
  const store = storeFor({ clock })
  const stream = openStream(store, 1, 'full')
  deliverNow(store, 1, textFrame('waits', 1))
  store.delivery.endSkipped([])
  expect([stream.ending, store.open]).toEqual(['open', 0])
  clock.advance(streamLimits.drainMsMax + 1_000)
  store.endExpired()
  expect(stream.ending).toBe('cut')
})

test('a stream that cannot come back behind its last message goes on', () => {
  const store = storeFor()
  const stream = openStream(store, 1, 'takes', { hasCursor: false })
  store.delivery.endSkipped([1])
  store.delivery.endSkipped([])
  expect([stream.ending, deliverNow(store, 1, textFrame('later', 1))]).toEqual(['open', 1])
})
