// Goal: a caller whose receivers are counted later is answered then, as the one who called, and comet
// does not take calls without end meanwhile. Method: a real router over an outlet that answers when the
// test says so, and packets whose bytes are overwritten as soon as they were taken.

import { describe, expect, test } from 'bun:test'
import { erlangLimits, messageLimits } from '../core/limits.ts'
import { LaterOutlet, Talk, turns } from './channel.fixture.ts'
import {
  about,
  answer,
  atom,
  CALLER,
  call,
  cons,
  integer,
  list,
  message,
  ok,
  packet,
  partial,
  reference,
  toName,
  tuple,
} from './packet.fixture.ts'

const { callsMax, sliceMessages } = erlangLimits
const { pendingMax } = messageLimits

function later() {
  const outlet = new LaterOutlet()
  return { outlet, talk: new Talk({ outlet }) }
}

/** The mark of a call by its number, and what it is answered with. */
function markOf(id: number): Uint8Array {
  return cons(atom('alias'), reference(id))
}

function answerTo(id: number, value: Uint8Array): string {
  return answer(value, { mark: markOf(id), alias: reference(id) }).toHex()
}

describe('a call that is answered later', () => {
  test('is answered with the count when all has been counted, not before', async () => {
    const { outlet, talk } = later()
    await talk.takeAll(call(about(123, 'x'), markOf(1)))
    await turns()
    expect([talk.written(), talk.conversation.calls, outlet.waiting]).toEqual([[], 1, 1])
    outlet.answer(3)
    await turns()
    expect([talk.writtenHex(), talk.conversation.calls]).toEqual([[answerTo(1, ok(3))], 0])
    expect(talk.flushes).toBe(1)
  })

  test('is answered as the one that it was, in whatever order', async () => {
    const { outlet, talk } = later()
    for (const id of [1, 2, 3]) await talk.takeAll(call(message(123), markOf(id)))
    for (const delivered of [30, 20, 10]) {
      outlet.answer(delivered, outlet.waiting - 1)
      await turns()
    }
    const expected = [answerTo(3, ok(30)), answerTo(2, ok(20)), answerTo(1, ok(10))]
    expect(talk.writtenHex()).toEqual(expected)
  })

  test('by its process is answered there', async () => {
    const { outlet, talk } = later()
    await talk.takeAll(call(message(123), integer(9)))
    outlet.answer(1)
    await turns()
    const control = tuple(integer(2), atom(''), CALLER)
    expect(talk.writtenHex()).toEqual([packet(control, tuple(integer(9), ok(1))).toHex()])
  })

  test('waits for every message of a batch, and tells of the bad ones', async () => {
    const { outlet, talk } = later()
    await talk.takeAll(call(list(message(1), atom('bad'), message(2)), markOf(1)))
    outlet.answer(5)
    await turns()
    expect(talk.written()).toEqual([])
    outlet.answer(2)
    await turns()
    const text = 'A message is {User, Body} or {subject, User, Body}, or a list of these.'
    const expected = partial(7, [2, 'invalid_message', text])
    expect(talk.writtenHex()).toEqual([answerTo(1, expected)])
  })

  test('waits for nothing where there is nothing to be counted', async () => {
    const { talk } = later()
    await talk.takeAll(call(list(), markOf(1)), call(list(atom('bad')), markOf(2)))
    await turns()
    expect([talk.written().length, talk.conversation.calls]).toEqual([2, 0])
  })

  test('about connections is answered as the one that it was', async () => {
    const { talk } = later()
    for (const id of [1, 2]) {
      await talk.takeAll(call(tuple(atom('online'), integer(id)), markOf(id)))
    }
    expect([talk.conversation.calls, talk.asked.map(([user]) => user)]).toEqual([2, [1, 2]])
    for (const [user, { resolve }] of talk.asked.reverse()) resolve(user * 10)
    await turns()
    const expected = [answerTo(2, integer(20)), answerTo(1, integer(10))]
    expect([talk.writtenHex(), talk.conversation.calls]).toEqual([expected, 0])
  })
})

test('messages that nobody calls with are counted in one receipt, and are no calls', async () => {
  const { outlet, talk } = later()
  await talk.takeAll(toName(message(1)), toName(list(message(2), message(3))))
  const { receipt, calls } = talk.conversation
  expect([receipt.pending, calls, outlet.waiting]).toEqual([3, 0, 3])
  while (outlet.waiting > 0) outlet.answer(2)
  await turns()
  expect([receipt.pending, receipt.delivered, talk.written()]).toEqual([0, 6, []])
})

describe('a long batch', () => {
  const slices = 3
  const batch = list(...Array.from({ length: slices * sliceMessages }, () => message(1)))

  test('waits for streams that are behind, after each slice', async () => {
    const { outlet, talk } = later()
    const waits = Array.from({ length: slices }, () => Promise.withResolvers<void>())
    outlet.rooms.push(...waits.flatMap(({ promise }) => [promise, null]))
    const taken = talk.take(call(batch, markOf(1)))
    const seen: number[] = []
    for (const { resolve } of waits) {
      await turns()
      seen.push(outlet.waiting)
      resolve()
    }
    await taken
    expect(seen).toEqual([1, 2, 3].map((slice) => slice * sliceMessages - 1))
    expect(outlet.waiting).toBe(slices * sliceMessages)
  })

  test('runs ahead of the streams only so far', async () => {
    const { outlet, talk } = later()
    const endless = list(...Array.from({ length: 2 * pendingMax }, () => message(1)))
    const taken = talk.take(toName(endless))
    await turns()
    expect(outlet.waiting).toBeWithin(pendingMax, pendingMax + sliceMessages + 1)
    let isOver = false
    if (taken instanceof Promise) taken.then(() => (isOver = true))
    while (!isOver) {
      while (outlet.waiting > 0) outlet.answer(1)
      await turns()
    }
    expect(talk.conversation.receipt.delivered + talk.conversation.receipt.pending).toBe(
      2 * pendingMax,
    )
  })
})

describe('room', () => {
  test('is there while few calls are unanswered', async () => {
    const { talk } = later()
    expect(talk.conversation.room()).toBeNull()
    await talk.takeAll(call(message(1), markOf(1)))
    expect(talk.conversation.room()).toBeNull()
  })

  test('is none when too many are, until one is answered', async () => {
    const { outlet, talk } = later()
    const calling = call(message(1), markOf(1))
    for (let at = 0; at < callsMax - 1; at++) talk.take(calling)
    expect(talk.conversation.room()).toBeNull()
    talk.take(calling)
    expect(talk.conversation.calls).toBe(callsMax)
    let isThere = false
    talk.conversation.room()?.then(() => {
      isThere = true
    })
    await turns()
    expect(isThere).toBe(false)
    outlet.answer(1)
    await turns()
    expect([isThere, talk.conversation.room()]).toEqual([true, null])
  })
})
