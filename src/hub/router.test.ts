// Goal: a message goes to all its receivers and to no other user, in order, and the count is true.
// Method: the real store over sinks that remember, and a table as the subscription manager.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { figureLimits } from '../core/limits.ts'
import { FollowersIndex } from '../subscriptions/followers.ts'
import type { Followers } from '../subscriptions/subscriptions.ts'
import type { Message } from './message.ts'
import { LocalOutlet } from './outlet.ts'
import { Router } from './router.ts'
import { settingsOf } from './settings.fixture.ts'
import { RecordingStream, storeFor } from './stream.fixture.ts'

/** Followers of each subject. */
function subscriptionsOf(followers: Record<number, number[]>): Followers {
  return { subscribersOf: (subject) => Uint32Array.from(followers[subject] ?? []) }
}

/** A router with one stream for each of the users, and what each has got. */
function routerWith(users: readonly number[], followers: Followers = new FollowersIndex([], 0, 0)) {
  const streams = storeFor()
  const sinks = users.map((user) => {
    const sink = new RecordingStream()
    streams.add(user, sink)
    return sink
  })
  const router = new Router(new LocalOutlet(streams), followers, settingsOf())
  return { router, streams, sinks, got: () => sinks.map(({ texts }) => texts.join('')) }
}

/** How many connections took the message. */
function deliveredOf(router: Router, message: Message): number {
  const receipt = router.receipt()
  expect(router.publish(message, receipt).ok).toBe(true)
  expect(receipt.pending).toBe(0)
  return receipt.delivered
}

describe('a message about a subject', () => {
  test('goes to the subject and its followers, and to no other user', () => {
    const { router, got } = routerWith([1, 2, 3, 4], subscriptionsOf({ 1: [2, 4], 3: [1] }))
    expect(deliveredOf(router, { subject: 1, body: 'a' })).toBe(3)
    expect(got()).toEqual(['a', 'a', '', 'a'])
  })

  test('goes to the subject alone when it has no follower', () => {
    const { router, got } = routerWith([1, 2])
    expect(deliveredOf(router, { subject: 2, body: 'a' })).toBe(1)
    expect(got()).toEqual(['', 'a'])
  })

  test('reaches followers whose subject is not connected', () => {
    const { router, got } = routerWith([2], subscriptionsOf({ 1: [2, 3] }))
    expect(deliveredOf(router, { subject: 1, body: 'a' })).toBe(1)
    expect(got()).toEqual(['a'])
  })
})

describe('a message to a user', () => {
  test('goes to that user alone, no matter who follows', () => {
    const { router, got } = routerWith([1, 2], subscriptionsOf({ 1: [2] }))
    expect(deliveredOf(router, { to: 1, body: 'a' })).toBe(1)
    expect(got()).toEqual(['a', ''])
  })
})

describe('the count', () => {
  test('is of connections: each once, of every user', () => {
    const { router, got } = routerWith([1, 1, 2, 2, 3], subscriptionsOf({ 1: [2] }))
    expect(deliveredOf(router, { subject: 1, body: 'a' })).toBe(4)
    expect(got()).toEqual(['a', 'a', 'a', 'a', ''])
  })

  test('leaves out connections that are gone', () => {
    const { router, sinks } = routerWith([1, 1])
    for (const sink of sinks.slice(1)) sink.answer = 'gone'
    expect(deliveredOf(router, { to: 1, body: 'a' })).toBe(1)
  })

  test('adds up to the figures, with the messages without a receiver', () => {
    const { router } = routerWith([1, 1, 2])
    router.publish({ to: 1, body: 'a' }, router.receipt())
    router.publish({ to: 9, body: 'b' }, router.receipt())
    router.publish({ subject: 9, body: 'c' }, router.receipt())
    router.publish({ subject: 2, body: 'd' }, router.receipt())
    const { accepted, dropped, deliveries } = router
    expect({ accepted, dropped, deliveries }).toEqual({ accepted: 4, dropped: 2, deliveries: 3 })
  })

  test('has no part of a message that is too large, and no user gets it', () => {
    const { router, got } = routerWith([1])
    expect(router.publish({ to: 1, body: 'a'.repeat(65_537) }, router.receipt())).toMatchObject({
      ok: false,
      why: { code: 'message_too_large' },
    })
    const { accepted, dropped, deliveries } = router
    expect([got(), accepted, dropped, deliveries]).toEqual([[''], 0, 0, 0])
  })
})

test('a frame is encoded once and shared by all who get it', () => {
  const { router, sinks } = routerWith([1, 1, 2], subscriptionsOf({ 1: [2] }))
  router.publish({ subject: 1, body: 'é' }, router.receipt())
  expect(new Set(sinks.map(({ frames }) => frames[0]?.bytes)).size).toBe(1)
})

test('every receiver gets messages in the order in which they were published', () => {
  const followers = { 1: [2, 3], 2: [3], 3: [1] }
  const messages = fc.array(
    fc.record({ subject: fc.integer({ min: 1, max: 3 }), body: fc.constantFrom('a', 'b', 'c') }),
  )
  fc.assert(
    fc.property(messages, (sent) => {
      const { router, got } = routerWith([1, 2, 3], subscriptionsOf(followers))
      for (const message of sent) router.publish(message, router.receipt())
      const wanted = (user: number, ...of: number[]) =>
        sent.filter(({ subject }) => subject === user || of.includes(subject))
      const bodies = [wanted(1, 3), wanted(2, 1), wanted(3, 1, 2)].map((mine) =>
        mine.map(({ body }) => body).join(''),
      )
      expect(got()).toEqual(bodies)
    }),
  )
})

test('lookups are counted, with the followers they found, connected or not', () => {
  const { router } = routerWith([1], subscriptionsOf({ 1: [2, 3], 4: [1] }))
  for (const subject of [1, 4, 5]) router.publish({ subject, body: 'a' }, router.receipt())
  router.publish({ to: 1, body: 'a' }, router.receipt())
  expect([router.lookups, router.followersFound]).toEqual([3, 3])
})

test('the first message is timed, and then one in so many', () => {
  const { router } = routerWith([1])
  const timed = () =>
    router.deliverySeconds.figures().counts.reduce((total, count) => total + count, 0)
  for (let sent = 1; sent <= 3 * figureLimits.timedEvery; sent++) {
    router.publish({ to: 1, body: 'a' }, router.receipt())
    expect(timed()).toBe(Math.ceil(sent / figureLimits.timedEvery))
  }
})
