// Goal: what comes from the log goes to those who must get it, of this server or another, and a gap
// to all who can be told. Method: a store whose streams record what they get.

import { expect, test } from 'bun:test'
import { about, to, toEveryone, user } from '../log/log.fixture.ts'
import { BARRIER } from '../log/message-bus.ts'
import { FollowIndex } from '../subscriptions/follow-index.ts'
import { Dispatcher } from './dispatcher.ts'
import { LocalOutlet } from './outlet.ts'
import { openStream, storeFor } from './stream.fixture.ts'

const AT = { epoch: 7, number: 12 }

function dispatcherFor(follows: readonly (readonly [user: number, subject: number])[] = []) {
  const followers = new FollowIndex()
  followers.add(Uint32Array.from(follows.flat()))
  const store = storeFor()
  const dispatcher = new Dispatcher({ followers })
  dispatcher.open(new LocalOutlet(store))
  return { store, dispatcher }
}

test('what another server published reaches users and followers, and counts as from there', () => {
  const { store, dispatcher } = dispatcherFor([[2, 1]])
  const [one, two, three] = [1, 2, 3].map((user) => openStream(store, user))
  dispatcher.onItem(about(1, 'a'), AT, null)
  dispatcher.onItem(to(3, 'b'), AT, null)
  dispatcher.onItem(toEveryone('c'), AT, null)
  store.flush()
  expect([one, two, three].map((stream) => stream?.text)).toEqual(['ac', 'ac', 'bc'])
  const { accepted, deliveries, dropped } = dispatcher.remote
  expect({ accepted, deliveries, dropped }).toEqual({ accepted: 3, deliveries: 6, dropped: 0 })
})

test('lookups are counted, with the followers they found, connected or not', () => {
  const { dispatcher } = dispatcherFor([
    [2, 1],
    [3, 1],
    [1, 4],
  ])
  for (const subject of [1, 4, 5]) dispatcher.onItem(about(subject, 'a'), AT, null)
  dispatcher.onItem(to(1, 'a'), AT, null)
  expect([dispatcher.lookups, dispatcher.followersFound]).toEqual([3, 3])
})

test('what a user follows changes between two messages, as the log says', () => {
  const changes: string[] = []
  const followers = new FollowIndex()
  const dispatcher = new Dispatcher({
    followers,
    onBarrier: () => changes.push('barrier'),
    onFollow: ({ user: { id }, subject, follows }) => {
      changes.push(`${id} ${follows} ${subject.id}`)
      followers.add(Uint32Array.of(id, subject.id))
    },
  })
  const store = storeFor()
  dispatcher.open(new LocalOutlet(store))
  const stream = openStream(store, 2)
  dispatcher.onItem(about(1, 'before'), AT, null)
  dispatcher.onItem({ user: user(2), subject: user(1), follows: true }, AT, null)
  dispatcher.onItem(about(1, 'after'), AT, null)
  dispatcher.onItem(BARRIER, AT, null)
  store.flush()
  expect([stream.text, changes]).toEqual(['after', ['2 true 1', 'barrier']])
})

test('a gap is told to the streams that can be told, others end, and those without a cursor stay', () => {
  const { store, dispatcher } = dispatcherFor()
  const told = openStream(store, 1)
  const ended = openStream(store, 2, 'takes', { tellsGaps: false })
  const stays = openStream(store, 3, 'takes', { tellsGaps: false, hasCursor: false })
  dispatcher.onItem(toEveryone('a'), AT, null)
  dispatcher.onGap({ after: AT, resume: { epoch: 8, number: 40 } })
  dispatcher.onItem(toEveryone('b'), AT, null)
  store.flush()
  expect([told.text, stays.text]).toEqual(['agapb', 'ab'])
  expect([ended.text, ended.ending]).toEqual(['a', 'proper'])
  expect(dispatcher.gapsTold).toBe(1)
})

test('before there are streams, messages are counted and nobody is waited for', () => {
  const dispatcher = new Dispatcher({ followers: new FollowIndex() })
  dispatcher.onItem(about(1, 'a'), AT, null)
  dispatcher.onGap({ after: AT, resume: AT })
  expect([dispatcher.remote.accepted, dispatcher.remote.dropped]).toEqual([1, 1])
})
