// Goal: whatever parts its packets come in, a node's messages are taken in order and answered, and a
// connection that is dead, damaged or over is closed with the reason. Method: connections over real sockets
// with a real router behind them, and tick times of a fraction of a second.

import { describe, expect, spyOn, test } from 'bun:test'
import { erlangLimits } from '../core/limits.ts'
import { until } from '../core/time.fixture.ts'
import { LaterOutlet, turns } from './channel.fixture.ts'
import { Linked } from './connection.fixture.ts'
import {
  answer,
  atom,
  bytesOf,
  CALLER,
  call,
  framed,
  fromHex,
  integer,
  list,
  message,
  OWN,
  ok,
  packet,
  reference,
  TICK,
  toName,
  tuple,
  uint32,
} from './packet.fixture.ts'
import { EXCHANGES } from './recorded.fixture.ts'

const { packetBytesMax, looksPerTickTime } = erlangLimits

/** A stream of every sort, and what it does. */
const STREAM = bytesOf(
  framed(toName(message(1, 'a'))),
  TICK,
  framed(call(message(1, 'b')), toName(list(message(1, 'c'), message(1, 'd')))),
  framed(call(list(message(1, 'e')))),
  TICK,
  framed(toName(message(1, 'f'))),
)
const TEXTS = ['a', 'b', 'c', 'd', 'e', 'f']
const ANSWERS = [answer(ok(1)), answer(ok(1))].map((bytes) => bytes.toHex())

describe('packets', () => {
  test('are taken in order in whatever two parts they come', async () => {
    using linked = await Linked.open()
    linked.talk.connect(1)
    const { owner } = linked.pair.near.data
    for (let cut = 0; cut <= STREAM.length; cut++) {
      const before = linked.talk.got[1]?.length ?? 0
      for (const part of [STREAM.slice(0, cut), STREAM.slice(cut)]) owner.data(part)
      while ((linked.talk.got[1]?.length ?? 0) < before + TEXTS.length) await turns()
      expect([cut, linked.talk.got[1]?.slice(before)]).toEqual([cut, TEXTS])
    }
    const answers = ANSWERS.length * (STREAM.length + 1)
    await until('all are answered', () => linked.came.packets.length === answers)
    expect([new Set(linked.cameHex), linked.closed]).toEqual([new Set(ANSWERS), []])
  })

  test('are taken byte by byte, whether they are waited for or not', async () => {
    for (const waits of [false, true]) {
      using linked = await Linked.open()
      linked.talk.connect(1)
      for (const byte of STREAM) {
        linked.pair.near.data.owner.data(Uint8Array.of(byte))
        if (waits) await Promise.resolve()
      }
      await until('all are answered', () => linked.cameHex.length === ANSWERS.length)
      expect([linked.talk.got, linked.cameHex]).toEqual([{ 1: TEXTS }, ANSWERS])
    }
  })

  test('that came with the handshake are taken first', async () => {
    using linked = await Linked.open()
    linked.talk.connect(1)
    linked.connection.begin(STREAM.slice(0, 100))
    linked.sendBytes(STREAM.slice(100))
    await until('all are answered', () => linked.cameHex.length === ANSWERS.length)
    expect([linked.talk.got, linked.closed]).toEqual([{ 1: TEXTS }, []])
  })

  test('wait for streams that were welcomed before they came', async () => {
    const outlet = new LaterOutlet()
    const waits = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    outlet.catchingUp.push(...waits.map(({ promise }) => promise))
    using linked = await Linked.open({ outlet })
    const { owner } = linked.pair.near.data
    const seen: number[] = []
    for (const { resolve } of waits) {
      owner.data(framed(toName(message(1))))
      await turns()
      seen.push(outlet.waiting)
      resolve()
      await turns()
    }
    expect([seen, outlet.waiting]).toEqual([[0, 1], 2])
  })

  test('of a batch of many slices may have others behind them', async () => {
    using linked = await Linked.open()
    linked.talk.connect(1)
    const texts = Array.from({ length: 20_000 }, (_, at) => `${at}`)
    const many = (from: number) =>
      toName(list(...texts.slice(from, from + 5_000).map((text) => message(1, text))))
    linked.send(many(0), many(5_000), many(10_000), many(15_000), toName(message(1, 'end')))
    await until('all have come', () => linked.talk.got[1]?.length === texts.length + 1)
    expect(linked.talk.got[1]).toEqual([...texts, 'end'])
    expect(linked.talk.conversation.messages).toBe(5)
  })
})

describe('a connection is closed', () => {
  test.each([
    ['of no kind', framed(bytesOf(1)), 'a packet is of no kind known'],
    [
      'that is no term',
      framed(bytesOf(112, 131, 0)),
      'a term has the tag 0, which was not offered',
    ],
    [
      'that is too long, before it is there',
      bytesOf(uint32(packetBytesMax + 1), 112),
      `a message has ${packetBytesMax + 1} bytes, and ${packetBytesMax} are the most`,
    ],
  ])('by a packet %s, and what came before it is done', async (_, bytes, why) => {
    using linked = await Linked.open()
    linked.talk.connect(1)
    linked.sendBytes(bytesOf(framed(toName(message(1))), bytes, framed(toName(message(1)))))
    await until('it is closed', () => linked.pair.isClosed)
    expect([linked.closed, linked.talk.got, linked.bugs]).toEqual([[why], { 1: ['x'] }, []])
  })

  test('by the other end, once', async () => {
    using linked = await Linked.open()
    linked.pair.far.end()
    await until('it is known', () => linked.closed.length > 0)
    linked.connection.close('later')
    expect(linked.closed).toEqual(['it has closed the connection'])
  })

  test('in order, when comet ends: those who watch are told, then it is over', async () => {
    using linked = await Linked.open()
    const watched = packet(tuple(integer(19), CALLER, OWN, reference(5)))
    linked.send(call(message(1)), watched)
    await until('it is answered', () => linked.came.packets.length === 1)
    linked.connection.end()
    await until('it is closed', () => linked.pair.isClosed)
    const down = packet(tuple(integer(21), OWN, CALLER, reference(5), atom('shutdown')))
    expect(linked.cameHex).toEqual([answer(ok(0)).toHex(), down.toHex()])
    expect(linked.closed).toEqual(['the server has stopped'])
  })

  test.each([
    ['a message', toName(message(1))],
    ['a batch', toName(list(message(1)))],
  ])('by a bug that %s meets, which is told', async (_, bytes) => {
    const error = new Error('a bug')
    const outlet = new LaterOutlet()
    outlet.deliver = () => {
      throw error
    }
    using linked = await Linked.open({ outlet })
    linked.send(bytes)
    await until('it is closed', () => linked.pair.isClosed)
    expect([linked.bugs, linked.closed]).toEqual([[error], ['a message met a bug']])
  })

  test('and its timer with it', async () => {
    using setting = spyOn(globalThis, 'setInterval')
    using clearing = spyOn(globalThis, 'clearInterval')
    using linked = await Linked.open()
    linked.pair.far.end()
    await until('it is known', () => linked.closed.length > 0)
    const [timer, ...others] = setting.mock.results.map(({ value }) => value)
    expect([timer === undefined, others]).toEqual([false, []])
    expect(clearing.mock.calls.some(([cleared]) => cleared === timer)).toBe(true)
  })

  test('and answers that come later harm nobody', async () => {
    const outlet = new LaterOutlet()
    using linked = await Linked.open({ outlet })
    linked.send(call(message(1)), call(message(1)))
    await until('both are under way', () => outlet.waiting === 2)
    linked.pair.far.end()
    await until('it is known', () => linked.closed.length > 0)
    outlet.answer(1)
    outlet.answer(1)
    await turns()
    expect([linked.talk.conversation.calls, linked.bugs]).toEqual([0, []])
  })
})

describe('ticks', () => {
  const tickTimeMs = 100

  test('are sent while there is nothing else to send, until a silent node is given up', async () => {
    const beganMs = performance.now()
    using linked = await Linked.open({ tickTimeMs })
    await until('it is closed', () => linked.closed.length > 0)
    expect(performance.now() - beganMs).toBeGreaterThan(tickTimeMs)
    expect(linked.closed).toEqual(['nothing was heard of it for 0.1 s'])
    await until('it is known', () => linked.pair.isClosed)
    expect(linked.came.ticks).toBe(looksPerTickTime + 1)
  })

  test('of the node keep the connection, also when it says nothing else', async () => {
    using linked = await Linked.open({ tickTimeMs })
    for (let ticks = 1; ticks <= 2 * looksPerTickTime; ticks++) {
      await until('comet ticks', () => linked.came.ticks >= ticks)
      linked.sendBytes(TICK)
    }
    expect(linked.closed).toEqual([])
  })

  test('are not sent while answers are', async () => {
    using linked = await Linked.open({ tickTimeMs })
    const beganMs = performance.now()
    let answers = 0
    while (performance.now() - beganMs < 3 * tickTimeMs) {
      linked.send(call(message(1)))
      answers++
      await until('it is answered', () => linked.came.packets.length === answers)
    }
    // One or two where the machine took its time between two answers.
    expect(linked.came.ticks).toBeLessThan(3)
    expect(linked.closed).toEqual([])
  })

  test.each([
    ['streams are known', 'catchingUp'],
    ['streams are behind', 'rooms'],
  ] as const)('go on, and a node is not given up, while it waits until %s', async (_, what) => {
    const outlet = new LaterOutlet()
    const wait = Promise.withResolvers<void>()
    outlet[what].push(wait.promise)
    using linked = await Linked.open({ outlet, tickTimeMs })
    // What comes meanwhile is not read, so that it is no sign of life.
    linked.send(toName(message(1)))
    await until('comet has ticked', () => linked.came.ticks > 2 * looksPerTickTime)
    expect(linked.closed).toEqual([])
    wait.resolve()
    await until('it is taken', () => outlet.waiting === 1)
  })

  test('are counted from what was heard last', async () => {
    using linked = await Linked.open({ tickTimeMs })
    const { aRegSend } = EXCHANGES.send.packets
    for (const ticks of [3, 6, 9]) {
      await until('comet ticks', () => linked.came.ticks >= ticks)
      linked.send(fromHex(aRegSend))
    }
    expect(linked.closed).toEqual([])
    await until('it is given up', () => linked.closed.length > 0)
    expect(linked.came.ticks).toBeGreaterThanOrEqual(9 + looksPerTickTime - 1)
  })
})
