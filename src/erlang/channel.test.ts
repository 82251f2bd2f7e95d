// Goal: what a real node sends does to streams and watchers what it should, and is answered with the
// very bytes that a real node answered with. Method: every recorded packet of one node, given to a
// conversation that stands where the other node stood, over the real router and store.

import { describe, expect, test } from 'bun:test'
import { Talk } from './channel.fixture.ts'
import {
  answer,
  atom,
  bytesOf,
  CALLER,
  call,
  cons,
  fromHex,
  integer,
  MARK,
  OWN,
  ok,
  packet,
  tuple,
} from './packet.fixture.ts'
import { EXCHANGES, NODE_B } from './recorded.fixture.ts'

/** A process of node B as it was recorded. */
function ofB(id: number): Uint8Array {
  return fromHex(`58770b62406c6f63616c686f7374${id.toString(16).padStart(8, '0')}00000000e389ab62`)
}

/** All packets of an exchange that A has sent, in order. */
function sentByA(packets: Readonly<Record<string, string>>): Uint8Array[] {
  return Object.entries(packets).flatMap(([key, hex]) =>
    key.startsWith('a') ? [fromHex(hex)] : [],
  )
}

const { ping, send, sendIoList, sendMany, sendOdds, call: called, callForPids } = EXCHANGES

describe('what was recorded', () => {
  test.each(Object.entries(EXCHANGES))(
    'as %s is taken without complaint',
    async (_, { packets }) => {
      const talk = await new Talk().connect(123).takeAll(...sentByA(packets))
      expect(talk.flushes > 0).toBe(talk.written().length > 0)
    },
  )

  test('all together, by a conversation that goes on', async () => {
    const talk = new Talk().connect(1, 2, 3, 123)
    for (const { packets } of Object.values(EXCHANGES)) await talk.takeAll(...sentByA(packets))
    expect(talk.got).toEqual({
      ...{ 1: ['abcd', 'x', 'x', 'x'], 2: ['y'], 3: ['z'] },
      123: ['Hello', 'abcd', 'x', 'x'],
    })
    expect([talk.conversation.messages, talk.conversation.calls]).toEqual([10, 0])
  })
})

describe('a recorded message', () => {
  test('to a user reaches the user alone', async () => {
    const talk = await new Talk().connect(1, 123).takeAll(...sentByA(send.packets))
    expect(talk.got).toEqual({ 1: [], 123: ['Hello'] })
    expect([talk.written(), talk.refused, talk.conversation.messages]).toEqual([[], [], 1])
  })

  test('about a user reaches followers too, its iolist put together', async () => {
    const talk = await new Talk().connect(1, 2, 123).takeAll(...sentByA(sendIoList.packets))
    expect(talk.got).toEqual({ 1: ['abcd'], 2: [], 123: ['abcd'] })
  })

  test('that is a list of messages is all of them', async () => {
    const talk = await new Talk().connect(1, 2, 3).takeAll(...sentByA(sendMany.packets))
    expect(talk.got).toEqual({ 1: ['x'], 2: ['y'], 3: ['z'] })
    expect([talk.written(), talk.refused, talk.conversation.messages]).toEqual([[], [], 1])
  })

  test('of eleven things that are no messages is refused as such', async () => {
    const talk = await new Talk().connect(1).takeAll(...sentByA(sendOdds.packets))
    expect([talk.got, talk.written()]).toEqual([{ 1: [] }, []])
    expect(talk.refused).toMatchObject([[11, { code: 'invalid_message' }]])
  })

  test('to our process is taken, and to any other is not', async () => {
    const { aSendSender } = EXCHANGES.sendToPid.packets
    for (const [own, got] of [
      [ofB(0x5b), ['Hello']],
      [ofB(0x5c), []],
    ] as const) {
      const talk = await new Talk({ own }).connect(123).takeAll(fromHex(aSendSender))
      expect(talk.got).toEqual({ 123: [...got] })
      expect(talk.conversation.messages).toBe(got.length)
    }
  })

  test('with a trace token is taken as without', async () => {
    const { aRegSendTt } = EXCHANGES.sendTraced.packets
    const talk = await new Talk().takeAll(fromHex(aRegSendTt))
    // It is the atom `traced`, which is no message of ours.
    expect(talk.refused).toMatchObject([[1, { code: 'invalid_message' }]])
    expect([...talk.nodes]).toEqual(['a@localhost'])
  })
})

describe('a recorded call', () => {
  test('is answered byte by byte as a real server has', async () => {
    const talk = new Talk({ own: ofB(0x56) }).connect(123)
    await talk.takeAll(...sentByA(called.packets))
    expect(talk.got).toEqual({ 123: ['x'] })
    expect(talk.writtenHex()).toEqual([called.packets.bAliasSend])
  })

  test('that pings is answered with yes, by the alias of its mark', async () => {
    const talk = await new Talk({ own: ofB(0x3d) }).takeAll(...sentByA(ping.packets))
    // The real one answers the process, by SEND_SENDER; behind that the two are the same.
    const [, message] = ping.packets.bSendSender.split('8368026c')
    const alias = '5a0003770b61406c6f63616c686f7374e389ab61000001adfe7d0001b14807c9'
    const control = `708368036121${ofB(0x3d).toHex()}${alias}`
    expect(talk.writtenHex()).toEqual([`${control}8368026c${message}`])
    expect(talk.refused).toEqual([])
  })

  test('of what comet does not know is answered with why', async () => {
    const talk = await new Talk().takeAll(...sentByA(callForPids.packets))
    expect(talk.refused).toMatchObject([[1, { code: 'invalid_message' }]])
    const [written = new Uint8Array()] = talk.written()
    const text = 'A message is {User, Body} or {subject, User, Body}, or a list of these.'
    expect(Buffer.from(written).includes('error')).toBe(true)
    expect(Buffer.from(written).includes(text)).toBe(true)
  })
})

describe('a caller', () => {
  const request = tuple(integer(123), bytesOf(107, 0, 1, 'x'))

  /** What is written to a caller with such a mark. */
  async function answered(mark: Uint8Array): Promise<string[]> {
    const talk = await new Talk().connect(123).takeAll(call(request, mark))
    expect(talk.got).toEqual({ 123: ['x'] })
    return talk.writtenHex()
  }

  /** The same answer to the process instead of an alias. */
  function toProcess(mark: Uint8Array): string {
    return packet(tuple(integer(2), atom(''), CALLER), tuple(mark, ok(1))).toHex()
  }

  test('with an alias in its mark is answered there', async () => {
    expect(await answered(MARK)).toEqual([answer(ok(1)).toHex()])
  })

  test('with the mark of a multiple call is answered by the alias in it, and by that mark', async () => {
    const mark = cons(MARK, integer(7))
    expect(await answered(mark)).toEqual([answer(ok(1), { mark }).toHex()])
  })

  const plain = bytesOf(114, 0, 1, atom('a@localhost'), 1, 0, 0, 0, 9)

  test.each([
    ['a reference', bytesOf(90, 0, 1, atom('a@localhost'), 0, 0, 0, 1, 0, 0, 0, 9)],
    ['an old reference', plain],
    ['no reference at all', tuple()],
    ['an alias that is none', cons(atom('alias'), integer(1))],
    ['an alias that is an old reference', cons(atom('alias'), plain)],
    ['another word', cons(atom('alia'), MARK.slice(12))],
    ['two words', bytesOf(108, 0, 0, 0, 2, atom('alias'), atom('alias'), MARK.slice(12))],
    ['lists within lists', cons(cons(MARK, integer(1)), integer(1))],
  ])('with %s for a mark is answered by its process', async (_, mark) => {
    expect(await answered(mark)).toEqual([toProcess(mark)])
  })

  test.each([
    ['nobody', integer(1)],
    ['a process alone', CALLER],
    ['a process and no mark', tuple(CALLER)],
    ['a name', tuple(atom('caller'), MARK)],
    ['too much', tuple(CALLER, MARK, MARK)],
  ])('that is %s is answered by nobody, and noted', async (_, from) => {
    const message = tuple(atom('$gen_call'), from, request)
    const talk = new Talk().connect(123)
    const control = tuple(integer(6), CALLER, atom(''), atom('comet'))
    await talk.takeAll(packet(control, message))
    expect([talk.got, talk.written()]).toEqual([{ 123: [] }, []])
    const why = { code: 'invalid_message', message: 'The call does not say who makes it.' } as const
    expect(talk.refused).toEqual([[1, why]])
  })

  test('with a process of the old kind is answered too', async () => {
    const process = bytesOf(103, atom('a@localhost'), 0, 0, 0, 1, 0, 0, 0, 0, 1)
    const message = tuple(atom('$gen_call'), tuple(process, integer(1)), request)
    const control = tuple(integer(6), CALLER, atom(''), atom('comet'))
    const talk = await new Talk().connect(123).takeAll(packet(control, message))
    expect(talk.writtenHex()).toEqual([
      packet(tuple(integer(2), atom(''), process), tuple(integer(1), ok(1))).toHex(),
    ])
  })

  test('is told where comet is', async () => {
    const talk = await new Talk().takeAll(call(atom('whereis')))
    expect(talk.writtenHex()).toEqual([answer(OWN).toHex()])
    expect(Buffer.from(OWN).includes(NODE_B)).toBe(true)
  })
})
