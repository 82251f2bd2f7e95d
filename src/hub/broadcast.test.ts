// Goal: a message for everyone reaches each stream once, before what is published later and behind
// what was published before, and leaves turns of the loop to others. Method: a real outlet and
// store over connections that remember.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { deliveryLimits } from '../core/limits.ts'
import { until } from '../core/time.fixture.ts'
import { EVERYONE, newFrame } from './frame.ts'
import { LocalOutlet } from './outlet.ts'
import type { DeliveryAck } from './receipt.ts'
import { openStream, storeFor, textFrame } from './stream.fixture.ts'

const NO_FOLLOWERS = new Uint32Array(0)

function forAll(text: string) {
  return newFrame(new TextEncoder().encode(text), false, EVERYONE)
}

function outletOf(streams: number) {
  const store = storeFor()
  const opened = Array.from({ length: streams }, (_, at) => openStream(store, 1 + at))
  const counts: number[] = []
  const ack: DeliveryAck = { settle: (count) => counts.push(count), late: () => undefined }
  return { store, opened, counts, ack, outlet: new LocalOutlet(store) }
}

describe('a message for everyone', () => {
  test('reaches each stream once, and is answered with how many they are', async () => {
    const { outlet, opened, counts, ack } = outletOf(3)
    outlet.broadcast(forAll('a'), ack)
    await until('it is answered', () => counts.length > 0)
    expect([counts, opened.map(({ text }) => text)]).toEqual([[3], ['a', 'a', 'a']])
  })

  test('reaches nobody where nobody is', async () => {
    const { outlet, counts, ack } = outletOf(0)
    outlet.broadcast(forAll('a'), ack)
    await until('it is answered', () => counts.length > 0)
    expect([counts, outlet.ready()]).toEqual([[0], null])
  })

  test('is waited for by what comes behind it, and a checkpoint says until when', async () => {
    const { outlet, counts, ack } = outletOf(deliveryLimits.broadcastPerTurn + 1)
    const isOverBefore = outlet.checkpoint()
    outlet.broadcast(forAll('a'), ack)
    outlet.deliver(1, NO_FOLLOWERS, textFrame('b'), ack)
    const isOver = outlet.checkpoint()
    expect([isOverBefore(), isOver()]).toEqual([true, false])
    await until('both are answered', () => counts.length > 1)
    expect([isOver(), outlet.checkpoint()()]).toEqual([true, true])
  })

  test('leaves turns to others, and publishers wait until it is over', async () => {
    const { outlet, opened, counts, ack } = outletOf(3 * deliveryLimits.broadcastPerTurn + 1)
    let turns = 0
    const count = () => {
      turns++
      if (counts.length === 0) setImmediate(count)
    }
    outlet.broadcast(forAll('a'), ack)
    const ready = outlet.ready()
    expect(ready).not.toBeNull()
    setImmediate(count)
    await ready
    await until('it is answered', () => counts.length > 0)
    expect(counts).toEqual([opened.length])
    expect(opened.every(({ text }) => text === 'a')).toBe(true)
    expect(turns).toBeGreaterThanOrEqual(3)
  })

  test('does not reach a stream that leaves meanwhile, nor the next one in its slot twice', async () => {
    const { store, outlet, opened, counts, ack } = outletOf(2 * deliveryLimits.broadcastPerTurn)
    outlet.broadcast(forAll('a'), ack)
    opened[0]?.leave()
    opened.at(-1)?.leave()
    await until('it is answered', () => counts.length > 0)
    expect(counts[0]).toBe(opened.length - 2)
    expect(store.open).toBe(opened.length - 2)
  })
})

test('the order of all messages is that in which they were published, for every stream', async () => {
  const step = fc.oneof(fc.constant(EVERYONE), fc.integer({ min: 1, max: 700 }))
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (receivers) => {
      const { outlet, opened, counts, ack } = outletOf(700)
      for (const [at, user] of receivers.entries()) {
        if (user === EVERYONE) outlet.broadcast(forAll(`${at},`), ack)
        else outlet.deliver(user, NO_FOLLOWERS, textFrame(`${at},`, user), ack)
      }
      await until('all are answered', () => counts.length === receivers.length)
      for (const { user, text } of opened) {
        const wanted = receivers.flatMap((to, at) =>
          to === EVERYONE || to === user ? [`${at},`] : [],
        )
        if (text !== wanted.join('')) throw new Error(`${user} got ${text}, not ${wanted.join('')}`)
      }
      expect(counts).toEqual(receivers.map((to) => (to === EVERYONE ? 700 : 1)))
    }),
    { numRuns: 40 },
  )
})
