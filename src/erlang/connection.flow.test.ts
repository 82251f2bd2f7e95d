// Goal: a node that sends faster than streams take messages, or does not read its replies, has to
// wait; comet buffers no more than its limits. Method: floods over a real socket whose far end
// reads, or streams that answer, when the test says so.

import { describe, expect, test } from 'bun:test'
import { erlangLimits, messageLimits } from '../core/limits.ts'
import { until } from '../core/time.fixture.ts'
import { DeferredOutlet, settled } from './channel.fixture.ts'
import { TestConnection } from './connection.fixture.ts'
import { call, framed, list, message, ok, reply, toName } from './packet.fixture.ts'
import { atomOf, integerOf, NIL, tupleOf } from './terms.fixture.ts'

const { outBytesMax, callsMax, sliceBytes } = erlangLimits
const { pendingMax } = messageLimits
const MIB = 1024 * 1024

/** A framed packet repeated until there are so many bytes. */
function flood(packet: Uint8Array, bytes: number): { sent: Uint8Array; packets: number } {
  const one = framed(packet)
  const packets = Math.ceil(bytes / one.length)
  const sent = new Uint8Array(packets * one.length)
  for (let at = 0; at < packets; at++) sent.set(one, at * one.length)
  return { sent, packets }
}

/** Waits until the value has not changed for a while. */
async function stable(what: string, value: () => number): Promise<void> {
  let [last, checks] = [value(), 0]
  await until(`${what} is stable`, () => {
    const now = value()
    checks = now === last ? checks + 1 : 0
    last = now
    return checks > 20
  })
}

/** Tracks the maximum of a value. */
function tracked(value: () => number) {
  const state = { max: 0, isOver: false }
  const check = () => {
    state.max = Math.max(state.max, value())
    if (!state.isOver) setImmediate(check)
  }
  check()
  return state
}

/** An upper bound of the replies to a slice of small packets. */
const SLICE_REPLY_BYTES = 64 * sliceBytes

describe('a node that does not read its replies', () => {
  const bad = list(...Array.from({ length: 100 }, () => NIL))

  test.each([
    ['calls', call(message(1)), 12 * MIB],
    ['calls with long replies', call(atomOf('unknown')), 12 * MIB],
    ['batches', call(list(message(1))), 12 * MIB],
    ['batches with long replies', call(bad), MIB],
  ])('is not read after many %s, and gets all replies when it reads', async (_, packet, bytes) => {
    using open = await TestConnection.open()
    const { sent, packets } = flood(packet, bytes)
    open.pair.far.pause()
    const pending = tracked(() => open.outgoing.writer.length)
    open.sendBytes(sent)
    await stable('the number of messages', () => open.channel.messages)
    expect(open.channel.messages).toBeLessThan(packets)
    expect(open.taken).toBeLessThan(sent.length)
    expect(open.closed).toEqual([])
    open.pair.far.resume()
    await until('all are handled', () => open.channel.messages === packets)
    await stable('the number of bytes', () => open.pair.received.length)
    pending.isOver = true
    // Calls that were read before have their replies still to come.
    const replyBytes = open.pair.received.length / packets
    expect(pending.max).toBeLessThan(outBytesMax + SLICE_REPLY_BYTES + callsMax * replyBytes)
    expect([open.outgoing.writer.length, open.packets.length]).toEqual([0, packets])
  })
})

describe('while streams answer later', () => {
  test.each([
    ['calls', call(message(1))],
    ['batches of one', call(list(message(1)))],
  ])('the number of pending %s is limited', async (_, packet) => {
    const outlet = new DeferredOutlet()
    using open = await TestConnection.open({ outlet })
    const { channel } = open
    const { sent, packets } = flood(packet, 3 * callsMax * framed(packet).length)
    const limit = callsMax + sliceBytes / packet.length + 1
    open.sendBytes(sent)
    await until('many are pending', () => channel.callsPending >= callsMax)
    await stable('the number of messages', () => channel.messages)
    expect(channel.callsPending).toBeWithin(callsMax, limit)
    let max = 0
    while (channel.messages < packets || channel.callsPending > 0) {
      for (let at = 0; at < 500; at++) outlet.answer(1)
      await settled()
      max = Math.max(max, channel.callsPending)
    }
    expect(max).toBeLessThan(limit)
    await until('all are answered', () => open.packets.length === packets)
    expect(new Set(open.packets)).toEqual(new Set([reply(ok(1)).toHex()]))
  })

  test('queries for connections count as calls', async () => {
    using open = await TestConnection.open()
    const packet = call(tupleOf(atomOf('online'), integerOf(1)))
    const { sent, packets } = flood(packet, 2 * callsMax * framed(packet).length)
    open.sendBytes(sent)
    const { asked } = open.test
    await until('many are pending', () => open.channel.callsPending >= callsMax)
    await stable('the number of messages', () => open.channel.messages)
    expect(asked.length).toBeWithin(callsMax, callsMax + sliceBytes / packet.length + 1)
    await until('all are answered', () => {
      for (const [, { resolve }] of asked) resolve(3)
      return open.packets.length === packets
    })
    expect(new Set(open.packets)).toEqual(new Set([reply(integerOf(3)).toHex()]))
  })

  test('the number of pending messages is limited', async () => {
    const outlet = new DeferredOutlet()
    using open = await TestConnection.open({ outlet })
    const packet = toName(message(1))
    const { sent, packets } = flood(packet, 3 * pendingMax * framed(packet).length)
    const limit = pendingMax + sliceBytes / packet.length + 1
    open.sendBytes(sent)
    await until('many are pending', () => outlet.pending > pendingMax)
    await stable('the number of pending messages', () => outlet.pending)
    expect(outlet.pending).toBeWithin(pendingMax, limit)
    let max = 0
    while (open.channel.messages < packets) {
      for (let at = 0; at < 1_000; at++) outlet.answer(1)
      await settled()
      max = Math.max(max, outlet.pending)
    }
    expect(max).toBeLessThan(limit)
    while (outlet.pending > 0) outlet.answer(1)
    expect(open.channel.receipt.delivered).toBe(packets)
  })

  test('unread data stays at the node', async () => {
    const outlet = new DeferredOutlet()
    const wait = Promise.withResolvers<void>()
    outlet.readies.push(wait.promise)
    using open = await TestConnection.open({ outlet })
    const { sent, packets } = flood(toName(message(1, 'x'.repeat(10_000))), 32 * MIB)
    open.sendBytes(sent)
    await stable('the number of bytes that are read', () => open.taken)
    expect(open.taken).toBeWithin(1, 2 * MIB)
    expect(outlet.pending).toBeLessThan(10)
    wait.resolve()
    await until('all are handled', () => {
      while (outlet.pending > 0) outlet.answer(1)
      return open.channel.messages === packets
    })
  })
})

test('other tasks run during the flood of one node', async () => {
  using open = await TestConnection.open()
  const { sent, packets } = flood(toName(message(1, 'x'.repeat(100))), 16 * MIB)
  open.sendBytes(sent)
  const seen = new Set<number>()
  await until('all are handled', () => {
    seen.add(open.channel.messages)
    return open.channel.messages === packets
  })
  seen.delete(0)
  seen.delete(packets)
  expect(seen.size).toBeGreaterThan(1)
  expect(open.closed).toEqual([])
})
