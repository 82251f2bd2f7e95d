// Goal: a node's packets are handled in order whatever parts they arrive in, and a connection that
// is dead, invalid or ended is closed with the reason. Method: connections over real sockets with a
// real router behind them, and tick times of a fraction of a second.

import { describe, expect, spyOn, test } from 'bun:test'
import { erlangLimits } from '../core/limits.ts'
import { until } from '../core/time.fixture.ts'
import { DeferredOutlet, settled } from './channel.fixture.ts'
import { TestConnection } from './connection.fixture.ts'
import {
  CALLER,
  call,
  framed,
  list,
  message,
  OWN,
  ok,
  packet,
  reference,
  reply,
  TICK,
  toName,
} from './packet.fixture.ts'
import { atomOf, bytesOf, integerOf, tupleOf, uint32 } from './terms.fixture.ts'

const { packetBytesMax, checksPerTickTime } = erlangLimits

/** Messages, calls, batches and ticks. */
const STREAM = bytesOf(
  framed(toName(message(1, 'a'))),
  TICK,
  framed(call(message(1, 'b')), toName(list(message(1, 'c'), message(1, 'd')))),
  framed(call(list(message(1, 'e')))),
  TICK,
  framed(toName(message(1, 'f'))),
)
const TEXTS = ['a', 'b', 'c', 'd', 'e', 'f']
const REPLIES = [reply(ok(1)).toHex(), reply(ok(1)).toHex()]

describe('packets', () => {
  test('are handled in order in any two parts', async () => {
    using open = await TestConnection.open()
    open.test.connect(1)
    const { owner } = open.pair.near.data
    const received = () => open.test.received[1] ?? []
    for (let place = 0; place <= STREAM.length; place++) {
      const { length } = received()
      for (const part of [STREAM.slice(0, place), STREAM.slice(place)]) owner.data(part)
      while (received().length < length + TEXTS.length) await settled()
      expect([place, received().slice(length)]).toEqual([place, TEXTS])
    }
    const replies = REPLIES.length * (STREAM.length + 1)
    await until('all are answered', () => open.packets.length === replies)
    expect([new Set(open.packets), open.closed]).toEqual([new Set(REPLIES), []])
  })

  test('are handled byte by byte, in one task and in many', async () => {
    for (const waits of [false, true]) {
      using open = await TestConnection.open()
      open.test.connect(1)
      for (const byte of STREAM) {
        open.connection.receive(Uint8Array.of(byte))
        if (waits) await Promise.resolve()
      }
      await until('all are answered', () => open.packets.length === REPLIES.length)
      expect([open.test.received, open.packets]).toEqual([{ 1: TEXTS }, REPLIES])
    }
  })

  test('wait for the streams welcomed before they arrived', async () => {
    const outlet = new DeferredOutlet()
    const syncs = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    outlet.syncs.push(...syncs.map(({ promise }) => promise))
    using open = await TestConnection.open({ outlet })
    const seen: number[] = []
    for (const { resolve } of syncs) {
      open.connection.receive(framed(toName(message(1))))
      await settled()
      seen.push(outlet.pending)
      resolve()
      await settled()
    }
    expect([seen, outlet.pending]).toEqual([[0, 1], 2])
  })

  test('that are batches of many slices are handled before those after them', async () => {
    using open = await TestConnection.open()
    open.test.connect(1)
    const texts = Array.from({ length: 20_000 }, (_, at) => `${at}`)
    const batch = (from: number) =>
      toName(list(...texts.slice(from, from + 5_000).map((text) => message(1, text))))
    open.send(batch(0), batch(5_000), batch(10_000), batch(15_000), toName(message(1, 'end')))
    await until('all are delivered', () => open.test.received[1]?.length === texts.length + 1)
    expect(open.test.received[1]).toEqual([...texts, 'end'])
    expect(open.channel.messages).toBe(5)
  })
})

describe('a connection is closed', () => {
  test.each([
    ['of unknown type', framed(bytesOf(1)), 'unknown packet type'],
    ['with an invalid term', framed(bytesOf(112, 131, 0)), 'a term has the unsupported tag 0'],
    [
      'that is too long, before it arrives',
      bytesOf(uint32(packetBytesMax + 1), 112),
      `a packet has ${packetBytesMax + 1} bytes; at most ${packetBytesMax} are allowed`,
    ],
  ])('by a packet %s, after those before it', async (_, bytes, why) => {
    using open = await TestConnection.open()
    open.test.connect(1)
    open.sendBytes(bytesOf(framed(toName(message(1))), bytes, framed(toName(message(1)))))
    await until('it is closed', () => open.pair.isClosed)
    expect([open.closed, open.test.received, open.bugs]).toEqual([[why], { 1: ['x'] }, []])
  })

  test('by the node, once, with its timer', async () => {
    using setting = spyOn(globalThis, 'setInterval')
    using clearing = spyOn(globalThis, 'clearInterval')
    using open = await TestConnection.open()
    open.pair.far.end()
    await until('it is closed', () => open.closed.length > 0)
    open.connection.close('later')
    expect(open.closed).toEqual(['the node closed the connection'])
    const timers = setting.mock.results.map(({ value }) => value)
    const cleared = clearing.mock.calls.map(([timer]) => timer as unknown)
    expect([timers.length, cleared.includes(timers[0])]).toEqual([1, true])
  })

  test('when the server stops, after replies and the end of monitors', async () => {
    using open = await TestConnection.open()
    const monitor = packet(tupleOf(integerOf(19), CALLER, OWN, reference(5)))
    open.send(call(message(1)), monitor)
    await until('the call is answered', () => open.packets.length === 1)
    open.connection.shutdown()
    open.send(call(message(1)))
    await until('it is closed', () => open.pair.isClosed)
    expect(open.channel.messages).toBe(1)
    const down = packet(tupleOf(integerOf(21), OWN, CALLER, reference(5), atomOf('shutdown')))
    expect(open.packets).toEqual([reply(ok(0)).toHex(), down.toHex()])
    expect(open.closed).toEqual(['the server stopped'])
  })

  test('when the server stops, and all arrives though the node reads late and sends meanwhile', async () => {
    using open = await TestConnection.open()
    const count = 50_000
    for (let number = 0; number < count; number++) {
      open.test.take(packet(tupleOf(integerOf(19), CALLER, OWN, reference(number))))
    }
    open.pair.far.pause()
    const stopped = open.connection.shutdown()
    open.send(call(message(1)))
    await Bun.sleep(50)
    open.pair.far.resume()
    // The process may end now.
    await stopped
    expect([open.packets.length, open.closed]).toEqual([count, ['the server stopped']])
  })

  test.each([
    ['a message', toName(message(1))],
    ['a batch', toName(list(message(1)))],
  ])('by an exception that %s causes, which is reported', async (_, bytes) => {
    const error = new Error('a bug')
    const outlet = new DeferredOutlet()
    outlet.deliver = () => {
      throw error
    }
    using open = await TestConnection.open({ outlet })
    open.send(bytes)
    await until('it is closed', () => open.pair.isClosed)
    expect([open.bugs, open.closed]).toEqual([[error], ['internal error']])
  })

  test('and later replies have no effect', async () => {
    const outlet = new DeferredOutlet()
    using open = await TestConnection.open({ outlet })
    open.send(call(message(1)), call(message(1)))
    await until('both calls are pending', () => outlet.pending === 2)
    open.pair.far.end()
    await until('it is closed', () => open.closed.length > 0)
    outlet.answer(1)
    outlet.answer(1)
    await settled()
    expect([open.channel.callsPending, open.bugs]).toEqual([0, []])
  })
})

describe('ticks', () => {
  const tickTimeMs = 100

  test('are sent while nothing else is, until a silent node is disconnected', async () => {
    const beganMs = performance.now()
    using open = await TestConnection.open({ tickTimeMs })
    await until('it is closed', () => open.closed.length > 0)
    expect(performance.now() - beganMs).toBeGreaterThan(tickTimeMs)
    expect(open.closed).toEqual(['no data received for 0.1 s'])
    await until('the far end is closed', () => open.pair.isClosed)
    expect(open.ticks).toBe(checksPerTickTime + 1)
  })

  test('of the node keep the connection open, counted from the last data', async () => {
    using open = await TestConnection.open({ tickTimeMs })
    for (let ticks = 3; ticks <= 3 * checksPerTickTime; ticks += 3) {
      await until('comet ticks', () => open.ticks >= ticks)
      open.sendBytes(TICK)
    }
    expect(open.closed).toEqual([])
    await until('it is closed', () => open.closed.length > 0)
    expect(open.ticks).toBeGreaterThanOrEqual(4 * checksPerTickTime - 1)
  })

  test('are not sent while replies are', async () => {
    using open = await TestConnection.open({ tickTimeMs })
    const beganMs = performance.now()
    let replies = 0
    while (performance.now() - beganMs < 3 * tickTimeMs) {
      open.send(call(message(1)))
      replies++
      await until('the call is answered', () => open.packets.length === replies)
    }
    // A slow machine may leave gaps between replies.
    expect(open.ticks).toBeLessThan(3)
    expect(open.closed).toEqual([])
  })

  test.each([
    ['streams are synchronized', 'syncs'],
    ['streams take more', 'readies'],
  ] as const)(
    'go on, and the node stays connected, while comet waits until %s',
    async (_, what) => {
      const outlet = new DeferredOutlet()
      const wait = Promise.withResolvers<void>()
      outlet[what].push(wait.promise)
      using open = await TestConnection.open({ outlet, tickTimeMs })
      // Unread data is no sign of life.
      open.send(toName(message(1)))
      await until('comet has ticked', () => open.ticks > 2 * checksPerTickTime)
      expect(open.closed).toEqual([])
      wait.resolve()
      await until('the message is delivered', () => outlet.pending === 1)
    },
  )
})
