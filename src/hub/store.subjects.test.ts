// Goal: a stream that follows subjects for itself gets each message about them once, also when its
// user or other streams follow them, and while streams open and close; and the owner of the store
// is told of each of them. Method: the real store and router beside a model.

import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { deliveryLimits } from '../core/limits.ts'
import { LocalOutlet } from './outlet.ts'
import { routerOf } from './router.fixture.ts'
import { connectStream, openStream, type RecordingStream, storeFor } from './stream.fixture.ts'

function world(followersOf: (subject: number) => readonly number[] = () => []) {
  const told = new Map<number, number>()
  const tell = (subject: number, by: number) => told.set(subject, (told.get(subject) ?? 0) + by)
  const store = storeFor({
    subjects: {
      onFollow: (subject) => tell(subject, 1),
      onUnfollow: (subject) => tell(subject, -1),
    },
  })
  const followers = { subscribersOf: (subject: number) => Uint32Array.from(followersOf(subject)) }
  const router = routerOf(new LocalOutlet(store), followers)
  const open = (user: number, subjects: readonly number[]) =>
    openStream(store, user, 'takes', { subjects })
  const publish = (subject: number, body: string) => {
    const receipt = router.receipt()
    router.sendTo(subject, true, Buffer.from(body), receipt)
    return receipt
  }
  const followed = () => [...told].filter(([, count]) => count !== 0)
  return { store, router, open, publish, followed }
}

test('a stream gets what it follows for itself, beside what its user follows, once each', () => {
  const { store, open, publish } = world((subject) => (subject === 42 ? [7] : []))
  const both = open(7, [42, 43])
  const other = open(7, [])
  const stranger = open(8, [42])
  const own = open(42, [42])
  const receipts = [publish(42, 'a'), publish(43, 'b'), publish(44, 'c')]
  store.flush()
  expect([both, other, stranger, own].map(({ text }) => text)).toEqual(['ab', 'a', 'a', 'a'])
  expect(receipts.map(({ delivered }) => delivered)).toEqual([4, 1, 0])
})

test('what is sent to the subject as a user alone, and to everyone, is no message about it', () => {
  const { store, open, router } = world()
  const stream = open(7, [42])
  const receipt = router.receipt()
  router.sendTo(42, false, Buffer.from('to'), receipt)
  router.sendTo('*', false, Buffer.from('all'), receipt)
  store.flush()
  expect(stream.text).toBe('all')
})

test('a stream that is not open yet gets nothing, and is told of at once', () => {
  const { store, publish, followed } = world()
  const stream = connectStream(store, 7, { subjects: [42] })
  expect(followed()).toEqual([[42, 1]])
  publish(42, 'early')
  store.flush()
  store.register(stream.slot)
  publish(42, 'late')
  store.flush()
  expect(stream.text).toBe('late')
  expect([store.connected.isReached(42), store.connected.isReached(43)]).toEqual([true, false])
})

test('a message for more streams than one turn has room for reaches each once', () => {
  const { store, open, publish } = world((subject) => (subject === 42 ? [7] : []))
  const streams = Array.from({ length: 100 }, () => open(7, [42, 43]))
  const messages = Math.ceil(deliveryLimits.entriesPerTurnMax / streams.length) + 10
  for (let at = 0; at < messages; at++) publish(42, 'x')
  store.flush()
  expect(streams.every(({ text }) => text === 'x'.repeat(messages))).toBe(true)
})

test('each connection gets each message once while streams open and close', () => {
  const subject = fc.integer({ min: 1, max: 5 })
  const come = fc.record({
    user: fc.integer({ min: 1, max: 4 }),
    subjects: fc.uniqueArray(subject, { maxLength: 3 }),
  })
  const step = fc.oneof(
    { weight: 3, arbitrary: come },
    { weight: 2, arbitrary: fc.record({ leave: fc.nat() }) },
    { weight: 5, arbitrary: fc.record({ publish: subject }) },
    { weight: 2, arbitrary: fc.constant('flush' as const) },
  )
  // User 1 follows subjects 2 and 3, user 2 follows 3.
  const subscribers: Readonly<Record<number, readonly number[]>> = { 2: [1], 3: [1, 2] }
  const followersOf = (about: number) => subscribers[about] ?? []
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { store, open, publish, followed } = world(followersOf)
      interface Held {
        readonly stream: RecordingStream
        readonly subjects: readonly number[]
        expected: string
      }
      let held: Held[] = []
      for (const one of steps) {
        if (one === 'flush') store.flush()
        else if ('user' in one) {
          held.push({ stream: open(one.user, one.subjects), subjects: one.subjects, expected: '' })
        } else if ('leave' in one) {
          // What was published to it before is sent.
          store.flush()
          const [gone] = held.splice(one.leave % Math.max(1, held.length), 1)
          if (gone === undefined) continue
          expect(gone.stream.text).toBe(gone.expected)
          gone.stream.leave()
        } else {
          const about = one.publish
          const getters = held.filter(
            ({ stream: { user }, subjects }) =>
              user === about || followersOf(about).includes(user) || subjects.includes(about),
          )
          for (const getter of getters) getter.expected += String(about)
          const receipt = publish(about, String(about))
          store.flush()
          expect(receipt.delivered).toBe(getters.length)
        }
      }
      store.flush()
      for (const { stream, expected } of held) expect(stream.text).toBe(expected)
      const counts = new Map<number, number>()
      for (const { subjects } of held) {
        for (const about of subjects) counts.set(about, (counts.get(about) ?? 0) + 1)
      }
      expect(new Map(followed())).toEqual(counts)
      for (const { stream } of held) stream.leave()
      held = []
      expect(followed()).toEqual([])
    }),
  )
})
