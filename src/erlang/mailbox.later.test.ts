// Goal: while streams answer later, each call gets its own reply when its deliveries are known, and
// the number of pending calls and messages is limited. Method: a real router over an outlet that
// answers when the test says so, and packets whose memory is overwritten as soon as they are
// handled.

import { describe, expect, test } from 'bun:test'
import { erlangLimits, messageLimits } from '../core/limits.ts'
import { DeferredOutlet, settled, TestChannel } from './channel.fixture.ts'
import {
  CALLER,
  call,
  cons,
  list,
  message,
  ok,
  packet,
  partial,
  reference,
  reply,
  toName,
} from './packet.fixture.ts'
import { atomOf, binaryOf, integerOf, tupleOf } from './terms.fixture.ts'

const { callsMax, sliceMessages } = erlangLimits
const { pendingMax } = messageLimits

const EXPECTED_MESSAGE = 'A message is {User, Body} or {subject, User, Body}, or a list of these.'

/** The tag of a call by its number, and the reply to it. */
function tagOf(id: number): Uint8Array {
  return cons(atomOf('alias'), reference(id))
}

function replyTo(id: number, value: Uint8Array): string {
  return reply(value, { tag: tagOf(id), alias: reference(id) }).toHex()
}

describe('while streams answer later', () => {
  function deferred() {
    const outlet = new DeferredOutlet()
    return { outlet, test: new TestChannel({ outlet }) }
  }

  test('a call gets its own reply when its message is counted, in any order', async () => {
    const { outlet, test } = deferred()
    for (const id of [1, 2, 3]) await test.takeAll(call(message(123), tagOf(id)))
    await settled()
    expect([test.written(), test.channel.callsPending, outlet.pending]).toEqual([[], 3, 3])
    for (const delivered of [30, 20, 10]) {
      outlet.answer(delivered, outlet.pending - 1)
      await settled()
    }
    const expected = [replyTo(3, ok(30)), replyTo(2, ok(20)), replyTo(1, ok(10))]
    expect([test.written(), test.channel.callsPending]).toEqual([expected, 0])
  })

  test('a call is answered at its process if it has no alias', async () => {
    const { outlet, test } = deferred()
    await test.takeAll(call(message(123), integerOf(9)))
    outlet.answer(1)
    await settled()
    const control = tupleOf(integerOf(2), atomOf(''), CALLER)
    expect(test.written()).toEqual([packet(control, tupleOf(integerOf(9), ok(1))).toHex()])
  })

  test('a batch is answered after its last message, with the invalid ones', async () => {
    const { outlet, test } = deferred()
    await test.takeAll(call(list(message(1), atomOf('bad'), message(2)), tagOf(1)))
    outlet.answer(5)
    await settled()
    expect(test.written()).toEqual([])
    outlet.answer(2)
    await settled()
    const expected = partial(7, [2, 'invalid_message', EXPECTED_MESSAGE])
    expect(test.written()).toEqual([replyTo(1, expected)])
  })

  test('a reply lists the connections that did not take the message, or may not have', async () => {
    const { outlet, test } = deferred()
    await test.takeAll(call(message(1), tagOf(1)), call(list(atomOf('bad'), message(1)), tagOf(2)))
    outlet.answer(5, 0, 2, 1)
    outlet.answer(5, 0, 0, 3)
    await settled()
    const [skipped, unknown] = [atomOf('skipped'), atomOf('unknown')]
    const others = list(tupleOf(skipped, integerOf(2)), tupleOf(unknown, integerOf(1)))
    const refused = tupleOf(
      integerOf(1),
      tupleOf(atomOf('invalid_message'), binaryOf(EXPECTED_MESSAGE)),
    )
    const partial = [atomOf('partial'), integerOf(5), list(refused)]
    expect(test.written()).toEqual([
      replyTo(1, tupleOf(atomOf('ok'), integerOf(5), others)),
      replyTo(2, tupleOf(...partial, list(tupleOf(unknown, integerOf(3))))),
    ])
  })

  test('a batch without valid messages is answered at once', async () => {
    const { test } = deferred()
    await test.takeAll(call(list(), tagOf(1)), call(list(atomOf('bad')), tagOf(2)))
    await settled()
    expect([test.written().length, test.channel.callsPending]).toEqual([2, 0])
  })

  test('each query for connections gets its own reply', async () => {
    const { test } = deferred()
    for (const id of [1, 2]) {
      await test.takeAll(call(tupleOf(atomOf('online'), integerOf(id)), tagOf(id)))
    }
    expect(test.channel.callsPending).toBe(2)
    for (const [user, { resolve }] of test.asked.reverse()) resolve(user * 10)
    await settled()
    const expected = [replyTo(2, integerOf(20)), replyTo(1, integerOf(10))]
    expect([test.written(), test.channel.callsPending]).toEqual([expected, 0])
  })

  test('messages without a caller share one receipt and are not calls', async () => {
    const { outlet, test } = deferred()
    await test.takeAll(toName(message(1)), toName(list(message(2), message(3))))
    const { receipt, callsPending } = test.channel
    expect([receipt.pending, callsPending, outlet.pending]).toEqual([3, 0, 3])
    while (outlet.pending > 0) outlet.answer(2)
    await settled()
    expect([receipt.pending, receipt.delivered, test.written()]).toEqual([0, 6, []])
  })

  test('a long batch waits after each slice for streams that are behind', async () => {
    const { outlet, test } = deferred()
    const batch = list(...Array.from({ length: 3 * sliceMessages }, () => message(1)))
    const waits = [1, 2, 3].map(() => Promise.withResolvers<void>())
    outlet.readies.push(...waits.flatMap(({ promise }) => [promise, null]))
    const taken = test.take(call(batch, tagOf(1)))
    const seen: number[] = []
    for (const { resolve } of waits) {
      await settled()
      seen.push(outlet.pending)
      resolve()
    }
    await taken
    expect(seen).toEqual([1, 2, 3].map((slice) => slice * sliceMessages - 1))
    expect(outlet.pending).toBe(3 * sliceMessages)
  })

  test('a long batch has a limited number of messages pending', async () => {
    const { outlet, test } = deferred()
    const batch = list(...Array.from({ length: 2 * pendingMax }, () => message(1)))
    const taken = test.take(toName(batch))
    await settled()
    expect(outlet.pending).toBeWithin(pendingMax, pendingMax + sliceMessages + 1)
    let isOver = false
    if (taken instanceof Promise) taken.then(() => (isOver = true))
    while (!isOver) {
      while (outlet.pending > 0) outlet.answer(1)
      await settled()
    }
    const { receipt } = test.channel
    expect(receipt.delivered + receipt.pending).toBe(2 * pendingMax)
  })

  test('the channel has room for a limited number of pending calls', async () => {
    const { outlet, test } = deferred()
    const one = call(message(1), tagOf(1))
    for (let at = 0; at < callsMax - 1; at++) test.take(one)
    expect(test.channel.room()).toBeNull()
    test.take(one)
    expect(test.channel.callsPending).toBe(callsMax)
    let hasRoom = false
    test.channel.room()?.then(() => {
      hasRoom = true
    })
    await settled()
    expect(hasRoom).toBe(false)
    outlet.answer(1)
    await settled()
    expect([hasRoom, test.channel.room()]).toEqual([true, null])
  })
})
