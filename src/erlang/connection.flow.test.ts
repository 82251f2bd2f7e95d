// Goal: a node that sends faster than streams take, or does not read what it is answered, waits itself;
// comet keeps no more of it than it may. Method: floods over a real socket whose far end reads, or streams
// that answer, when the test says so.

import { describe, expect, test } from 'bun:test'
import { erlangLimits, messageLimits } from '../core/limits.ts'
import { until } from '../core/time.fixture.ts'
import { LaterOutlet, turns } from './channel.fixture.ts'
import { Linked } from './connection.fixture.ts'
import {
  answer,
  atom,
  bytesOf,
  call,
  framed,
  integer,
  list,
  message,
  NIL,
  ok,
  toName,
  tuple,
} from './packet.fixture.ts'

const { outBytesMax, callsMax, sliceBytes } = erlangLimits
const { pendingMax } = messageLimits
const MIB = 1024 * 1024

/** Repeats a packet until there are so many bytes, framed. */
function flood(packet: Uint8Array, bytes: number): { sent: Uint8Array; packets: number } {
  const one = framed(packet)
  const packets = Math.ceil(bytes / one.length)
  const sent = new Uint8Array(packets * one.length)
  for (let at = 0; at < packets; at++) sent.set(one, at * one.length)
  return { sent, packets }
}

/** Settles when the value is the same for long. */
async function still(what: string, value: () => number): Promise<void> {
  let [last, looks] = [value(), 0]
  await until(`${what} stands still`, () => {
    const now = value()
    looks = now === last ? looks + 1 : 0
    last = now
    return looks > 50
  })
}

/** The most that the value has been, looked at whenever anybody has a turn. */
function watched(value: () => number) {
  const state = { most: 0, isOver: false }
  const look = () => {
    state.most = Math.max(state.most, value())
    if (!state.isOver) setImmediate(look)
  }
  look()
  return state
}

/** What a slice of small packets may be answered with at most. */
const ANSWERS_OF_A_SLICE = 64 * sliceBytes

describe('a node that does not read its answers', () => {
  const bad = list(...Array.from({ length: 100 }, () => NIL))
  const unknown = atom('what')

  test.each([
    ['calls', call(message(1)), 16 * MIB],
    ['calls that are answered at length', call(unknown), 12 * MIB],
    ['batches', call(list(message(1))), 16 * MIB],
    ['batches that are answered at length', call(bad), MIB],
  ])('is read no more, after many %s, and answered all when it reads', async (_, packet, bytes) => {
    using linked = await Linked.open()
    const { sent, packets } = flood(packet, bytes)
    linked.pair.far.pause()
    const waiting = watched(() => linked.outbound.writer.length)
    linked.sendBytes(sent)
    await still('what is taken', () => linked.talk.conversation.messages)
    const { messages } = linked.talk.conversation
    expect(messages).toBeLessThan(packets)
    // The few bytes of the last ones fit into what the kernel keeps.
    expect(linked.unsent > 0).toBe(bytes > MIB)
    expect(linked.closed).toEqual([])
    linked.pair.far.resume()
    await until('all are taken', () => linked.talk.conversation.messages === packets)
    await still('what comes', () => linked.pair.got.length)
    waiting.isOver = true
    expect(waiting.most).toBeLessThan(outBytesMax + ANSWERS_OF_A_SLICE)
    expect([linked.talk.writer.length, linked.came.packets.length]).toEqual([0, packets])
  })
})

describe('while streams answer later', () => {
  test.each([
    ['calls', call(message(1))],
    ['batches of one', call(list(message(1)))],
  ])('no more %s are open than there may be', async (_, packet) => {
    const outlet = new LaterOutlet()
    using linked = await Linked.open({ outlet })
    const { sent, packets } = flood(packet, 3 * callsMax * framed(packet).length)
    linked.sendBytes(sent)
    const { conversation } = linked.talk
    await until('there are many', () => conversation.calls >= callsMax)
    await still('what is taken', () => conversation.messages)
    expect(conversation.calls).toBeWithin(callsMax, callsMax + sliceBytes / packet.length + 1)
    let most = 0
    while (conversation.messages < packets || conversation.calls > 0) {
      for (let at = 0; at < 500; at++) outlet.answer(1)
      await turns()
      most = Math.max(most, conversation.calls)
    }
    expect(most).toBeLessThan(callsMax + sliceBytes / packet.length + 1)
    await until('all are answered', () => linked.came.packets.length === packets)
    expect(new Set(linked.cameHex)).toEqual(new Set([answer(ok(1)).toHex()]))
  })

  test('questions about users count as calls', async () => {
    using linked = await Linked.open()
    const packet = call(tuple(atom('online'), integer(1)))
    const { sent, packets } = flood(packet, 2 * callsMax * framed(packet).length)
    linked.sendBytes(sent)
    const { conversation, asked } = linked.talk
    await until('there are many', () => conversation.calls >= callsMax)
    await still('what is taken', () => conversation.messages)
    expect(asked.length).toBeWithin(callsMax, callsMax + sliceBytes / packet.length + 1)
    await until('all are answered', () => {
      for (const [, { resolve }] of asked) resolve(3)
      return linked.came.packets.length === packets
    })
    expect(new Set(linked.cameHex)).toEqual(new Set([answer(integer(3)).toHex()]))
  })

  test('no more messages are under way than may be', async () => {
    const outlet = new LaterOutlet()
    using linked = await Linked.open({ outlet })
    const packet = toName(message(1))
    const { sent, packets } = flood(packet, 3 * pendingMax * framed(packet).length)
    linked.sendBytes(sent)
    await until('there are many', () => outlet.waiting > pendingMax)
    await still('what is taken', () => outlet.waiting)
    const aSlice = sliceBytes / packet.length + 1
    expect(outlet.waiting).toBeWithin(pendingMax, pendingMax + aSlice)
    let most = 0
    while (linked.talk.conversation.messages < packets) {
      for (let at = 0; at < 1_000; at++) outlet.answer(1)
      await turns()
      most = Math.max(most, outlet.waiting)
    }
    expect(most).toBeLessThan(pendingMax + aSlice)
    while (outlet.waiting > 0) outlet.answer(1)
    expect(linked.talk.conversation.receipt.delivered).toBe(packets)
  })

  test('what a node sends waits at the node', async () => {
    const outlet = new LaterOutlet()
    const wait = Promise.withResolvers<void>()
    outlet.rooms.push(wait.promise)
    using linked = await Linked.open({ outlet })
    const { sent, packets } = flood(toName(message(1, 'x'.repeat(10_000))), 32 * MIB)
    linked.sendBytes(sent)
    await still('what is sent', () => linked.unsent)
    expect(linked.unsent).toBeGreaterThan(MIB)
    expect(outlet.waiting).toBeLessThan(10)
    wait.resolve()
    await until('all have come', () => {
      while (outlet.waiting > 0) outlet.answer(1)
      return linked.talk.conversation.messages === packets
    })
  })
})

test('one node’s flood leaves the loop to others', async () => {
  using linked = await Linked.open()
  const { sent, packets } = flood(toName(message(1, 'x'.repeat(100))), 16 * MIB)
  linked.sendBytes(sent)
  const seen: number[] = []
  await until('all are taken', () => {
    seen.push(linked.talk.conversation.messages)
    return linked.talk.conversation.messages === packets
  })
  const between = seen.filter((count) => count > 0 && count < packets)
  expect(new Set(between).size).toBeGreaterThan(1)
  expect(linked.closed).toEqual([])
  expect(bytesOf(sent).length).toBeGreaterThan(16 * MIB - 1)
})
