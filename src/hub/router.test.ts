// Goal: a message goes to all its receivers and to no other user, in order, and the count is true.
// Method: the real store over sinks that remember, and a table as the subscription manager.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { figureLimits } from '../core/limits.ts'
import { FollowIndex } from '../subscriptions/follow-index.ts'
import type { Followers } from '../subscriptions/subscriptions.ts'
import type { Message } from './message.ts'
import { LocalOutlet } from './outlet.ts'
import { routerOf } from './router.fixture.ts'
import type { Router } from './router.ts'
import { settingsOf } from './settings.fixture.ts'
import { openStream, storeFor } from './stream.fixture.ts'
import { type StreamKind, UNLIMITED } from './stream.ts'

/** Followers of each subject. */
function subscriptionsOf(followers: Record<number, number[]>): Followers {
  return { subscribersOf: (subject) => Uint32Array.from(followers[subject] ?? []) }
}

/** A router with one stream for each of the users, and what each has got. */
function routerWith(users: readonly number[], followers: Followers = new FollowIndex()) {
  const streams = storeFor()
  const opened = users.map((user) => openStream(streams, user))
  const router = routerOf(new LocalOutlet(streams), followers, settingsOf())
  const got = () => {
    streams.flush()
    return opened.map(({ text }) => text)
  }
  return { router, streams, opened, got }
}

/** How many connections took the message; it is known once the turn of the loop is over. */
async function deliveredOf(router: Router, message: Message): Promise<number> {
  const receipt = router.receipt()
  expect(router.publish(message, receipt).ok).toBe(true)
  expect([receipt.pending, receipt.delivered]).toEqual([1, 0])
  await receipt.pendingBelow(0)
  expect(receipt.pending).toBe(0)
  return receipt.delivered
}

describe('a message about a subject', () => {
  test('goes to the subject and its followers, and to no other user', async () => {
    const { router, got } = routerWith([1, 2, 3, 4], subscriptionsOf({ 1: [2, 4], 3: [1] }))
    expect(await deliveredOf(router, { subject: 1, body: 'a' })).toBe(3)
    expect(got()).toEqual(['a', 'a', '', 'a'])
  })

  test('goes to the subject alone when it has no follower', async () => {
    const { router, got } = routerWith([1, 2])
    expect(await deliveredOf(router, { subject: 2, body: 'a' })).toBe(1)
    expect(got()).toEqual(['', 'a'])
  })

  test('reaches followers whose subject is not connected', async () => {
    const { router, got } = routerWith([2], subscriptionsOf({ 1: [2, 3] }))
    expect(await deliveredOf(router, { subject: 1, body: 'a' })).toBe(1)
    expect(got()).toEqual(['a'])
  })
})

describe('a message to a user', () => {
  test('goes to that user alone, no matter who follows', async () => {
    const { router, got } = routerWith([1, 2], subscriptionsOf({ 1: [2] }))
    expect(await deliveredOf(router, { to: 1, body: 'a' })).toBe(1)
    expect(got()).toEqual(['a', ''])
  })
})

describe('the count', () => {
  test('is of connections: each once, of every user', async () => {
    const { router, got } = routerWith([1, 1, 2, 2, 3], subscriptionsOf({ 1: [2] }))
    expect(await deliveredOf(router, { subject: 1, body: 'a' })).toBe(4)
    expect(got()).toEqual(['a', 'a', 'a', 'a', ''])
  })

  test('leaves out connections that are gone', async () => {
    const { router, opened } = routerWith([1, 1])
    for (const stream of opened.slice(1)) stream.answer = 'gone'
    expect(await deliveredOf(router, { to: 1, body: 'a' })).toBe(1)
  })

  test('adds up to the figures, with the messages without a receiver', () => {
    const { router, streams } = routerWith([1, 1, 2])
    router.publish({ to: 1, body: 'a' }, router.receipt())
    router.publish({ to: 9, body: 'b' }, router.receipt())
    router.publish({ subject: 9, body: 'c' }, router.receipt())
    router.publish({ subject: 2, body: 'd' }, router.receipt())
    streams.flush()
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
  const streams = storeFor()
  const written: Uint8Array[] = []
  const nothing = new Uint8Array(0)
  const kind: StreamKind = {
    wire: {
      write: (_, bytes, length) => {
        if (length > 0) written.push(bytes)
        return length
      },
      end: () => undefined,
      halfClose: () => undefined,
      cut: () => undefined,
      descriptorOf: () => 0,
      onEnding: () => undefined,
    },
    input: null,
    hasCursor: false,
    tellsGaps: false,
    opening: () => nothing,
    encode: ({ bytes }) => bytes,
    heartbeat: nothing,
    ending: () => nothing,
  }
  for (const user of [1, 1, 2]) {
    const slot = streams.reserve(user, UNLIMITED)
    streams.connect(slot, kind)
    streams.register(slot)
  }
  const router = routerOf(new LocalOutlet(streams), subscriptionsOf({ 1: [2] }), settingsOf())
  router.publish({ subject: 1, body: 'é' }, router.receipt())
  streams.flush()
  expect([written.length, new Set(written).size]).toEqual([3, 1])
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

test('the first message is timed, and then one in so many', () => {
  const { router, streams } = routerWith([1])
  const timed = () => {
    streams.flush()
    return router.deliverySeconds.figures().counts.reduce((total, count) => total + count, 0)
  }
  for (let sent = 1; sent <= 3 * figureLimits.timedEvery; sent++) {
    router.publish({ to: 1, body: 'a' }, router.receipt())
    expect(timed()).toBe(Math.ceil(sent / figureLimits.timedEvery))
  }
})
