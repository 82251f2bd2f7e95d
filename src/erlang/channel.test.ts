// Goal: what a node sends has the effect that it has on a real node, and is answered with the same
// bytes. Method: every recorded packet of one node, given to a channel in place of the other node;
// monitors and links.

import { describe, expect, test } from 'bun:test'
import { erlangLimits } from '../core/limits.ts'
import { TestChannel } from './channel.fixture.ts'
import {
  CALLER,
  fromHex,
  message,
  OWN,
  packet,
  pid,
  recordedPid,
  reference,
} from './packet.fixture.ts'
import { EXCHANGES, NODE_A, NODE_B } from './recorded.fixture.ts'
import { atomOf, binaryOf, bytesOf, integerOf, tupleOf, uint32 } from './terms.fixture.ts'

const { monitorsMax, monitorBytesMax } = erlangLimits

/** The packets of an exchange that node A sent. */
function sentByA(packets: Readonly<Record<string, string>>): Uint8Array[] {
  return Object.entries(packets).flatMap(([key, hex]) =>
    key.startsWith('a') ? [fromHex(hex)] : [],
  )
}

const { ping, send, sendIoList, sendMany, sendOdds, sendTraced, callForPids } = EXCHANGES

describe('the recorded packets', () => {
  test('are all handled by one channel', async () => {
    const test = new TestChannel().connect(1, 2, 3, 123)
    for (const { packets } of Object.values(EXCHANGES)) await test.takeAll(...sentByA(packets))
    expect(test.received).toEqual({
      ...{ 1: ['abcd', 'x', 'x', 'x'], 2: ['y'], 3: ['z'] },
      123: ['Hello', 'abcd', 'x', 'x'],
    })
    expect([test.channel.messages, test.channel.callsPending]).toEqual([10, 0])
    expect(test.flushes).toBeGreaterThan(0)
  })

  test.each([
    ['a message to a user', send, { 1: [], 2: [], 3: [], 123: ['Hello'] }],
    ['a message about a user', sendIoList, { 1: ['abcd'], 2: [], 3: [], 123: ['abcd'] }],
    ['a list of messages', sendMany, { 1: ['x'], 2: ['y'], 3: ['z'], 123: [] }],
  ])('deliver %s', async (_, { packets }, received) => {
    const test = await new TestChannel().connect(1, 2, 3, 123).takeAll(...sentByA(packets))
    expect(test.received).toEqual(received)
    expect([test.written(), test.refused, test.channel.messages]).toEqual([[], [], 1])
  })

  test.each([
    ['eleven terms that are not messages', sendOdds, 11],
    // The message is the atom `traced`.
    ['a message with a trace token', sendTraced, 1],
  ])('have refused: %s', async (_, { packets }, count) => {
    const test = await new TestChannel().connect(1).takeAll(...sentByA(packets))
    expect([test.received, test.written()]).toEqual([{ 1: [] }, []])
    expect(test.refused).toMatchObject([[count, { code: 'invalid_message' }]])
  })

  test('to a process are delivered only if it is that of comet', async () => {
    const { aSendSender } = EXCHANGES.sendToPid.packets
    for (const [id, received] of [
      [0x5b, ['Hello']],
      [0x5c, []],
    ] as const) {
      const test = new TestChannel({ ownPid: recordedPid(id) }).connect(123)
      await test.takeAll(fromHex(aSendSender))
      expect(test.received).toEqual({ 123: [...received] })
      expect(test.channel.messages).toBe(received.length)
    }
  })

  test('of a call are answered byte by byte as by the real node', async () => {
    const { packets } = EXCHANGES.call
    const test = new TestChannel({ ownPid: recordedPid(0x56) }).connect(123)
    await test.takeAll(...sentByA(packets))
    expect(test.received).toEqual({ 123: ['x'] })
    expect(test.written()).toEqual([packets.bAliasSend])
  })

  test('of a ping are answered with yes, at the alias of the tag', async () => {
    const ownPid = recordedPid(0x3d)
    const test = await new TestChannel({ ownPid }).takeAll(...sentByA(ping.packets))
    // The real node answers the process with SEND_SENDER; the message after it is the same.
    const [, message] = ping.packets.bSendSender.split('8368026c')
    const alias = '5a0003770b61406c6f63616c686f7374e389ab61000001adfe7d0001b14807c9'
    const control = `708368036121${ownPid.toHex()}${alias}`
    expect(test.written()).toEqual([`${control}8368026c${message}`])
    expect(test.refused).toEqual([])
  })

  test('of an unknown call are answered with an error', async () => {
    const test = await new TestChannel().takeAll(...sentByA(callForPids.packets))
    expect(test.refused).toMatchObject([[1, { code: 'invalid_message' }]])
    const [written = ''] = test.written()
    expect(Buffer.from(written, 'hex').includes('error')).toBe(true)
  })
})

test.each([
  ['a sender', tupleOf(integerOf(22), CALLER, OWN)],
  ['no sender', tupleOf(integerOf(2), atomOf(''), OWN)],
  ['no sender and a token', tupleOf(integerOf(12), atomOf(''), OWN, tupleOf())],
  ['a sender and a token', tupleOf(integerOf(23), CALLER, OWN, tupleOf())],
  ['a name and a token', tupleOf(integerOf(16), CALLER, atomOf(''), atomOf('x'), tupleOf())],
])('a message is delivered with %s in its control message', async (_, control) => {
  const test = await new TestChannel().connect(123).takeAll(packet(control, message(123)))
  expect(test.received).toEqual({ 123: ['x'] })
})

const REFERENCE = reference(5)
/** A process that comet does not have. */
const UNKNOWN = pid(NODE_B, 99)

function monitor(to: Uint8Array, from = CALLER, ref = REFERENCE): Uint8Array {
  return packet(tupleOf(integerOf(19), from, to, ref))
}

function link(to: Uint8Array, from = CALLER): Uint8Array {
  return packet(tupleOf(integerOf(1), from, to))
}

/** The packet that ends a monitor. */
function down(to: Uint8Array, reason: string, from = CALLER, ref = REFERENCE): string {
  return packet(tupleOf(integerOf(21), to, from, ref, atomOf(reason))).toHex()
}

/** The packet that ends a link. */
function exit(to: Uint8Array, reason: string, from = CALLER): string {
  return packet(tupleOf(integerOf(3), to, from, atomOf(reason))).toHex()
}

/** What is written at once, and at the shutdown. */
async function written(ownPid: Uint8Array, ...packets: readonly Uint8Array[]) {
  const test = await new TestChannel({ ownPid }).takeAll(...packets)
  const atOnce = test.written()
  test.channel.shutdown()
  const atShutdown = test.written()
  test.channel.shutdown()
  expect(test.written()).toEqual([])
  return { atOnce, atShutdown }
}

/** The same packet with `shutdown` instead of `noproc`. */
function shutdown(hex: string): string {
  return hex.replace('77066e6f70726f63', '770873687574646f776e')
}

describe('a recorded', () => {
  const { callNobody, linkAndExit, linkAndExited, linkToDead, monitorName, unlink } = EXCHANGES
  const [own5b, own5c, own5d] = [recordedPid(0x5b), recordedPid(0x5c), recordedPid(0x5d)]
  const linkOf5b = EXCHANGES.link.packets.aLink
  const exitOf5d = exit(own5d, 'shutdown', pid(NODE_A, 0x55))
  const { packets: monitored } = EXCHANGES.monitor
  const { aMonitorP, aDemonitorP } = EXCHANGES.call.packets
  const { aMonitorP: monitorNobody, bMonitorPExit: downNobody } = callNobody.packets
  const { aLink: linkUnknown, bExit: exitUnknown } = linkToDead.packets

  test.each<[string, Uint8Array, string[], string[], string[]]>([
    [
      'monitor of comet',
      own5b,
      [monitored.aMonitorP, monitored.aExit2],
      [],
      [monitored.bMonitorPExit],
    ],
    [
      'monitor of a name',
      OWN,
      [monitorName.packets.aMonitorP, monitorName.packets.aRegSend],
      [],
      [monitorName.packets.bMonitorPExit],
    ],
    ['monitor of any other name', OWN, [monitorNobody], [], [shutdown(downNobody)]],
    ['monitor and demonitor', OWN, [aMonitorP, aDemonitorP], [], []],
    ['link to comet', own5b, [linkOf5b], [], [shutdown(exitUnknown)]],
    ['link to another process', OWN, [linkUnknown], [exitUnknown], []],
    [
      'link and unlink',
      own5b,
      [linkOf5b, unlink.packets.aUnlinkId],
      [unlink.packets.bUnlinkIdAck],
      [],
    ],
    [
      'link and exit of its process',
      own5c,
      [linkAndExit.packets.aLink, linkAndExit.packets.aExit],
      [],
      [],
    ],
    [
      'link and exit signal to comet, which is ignored',
      own5d,
      [linkAndExited.packets.aLink, linkAndExited.packets.aExit2],
      [],
      [exitOf5d],
    ],
  ])('%s is answered as by a real node', async (_, ownPid, packets, atOnce, atShutdown) => {
    expect(await written(ownPid, ...packets.map(fromHex))).toEqual({ atOnce, atShutdown })
  })
})

describe('monitors and links', () => {
  test.each([
    ['that does not exist', UNKNOWN],
    ['of an earlier start of this node', bytesOf(OWN.slice(0, -1), 0)],
    ['of another node', pid('c@localhost', 1)],
    ['with an old identifier', bytesOf(103, atomOf(NODE_B), uint32(1), uint32(0), 1)],
  ])('on a process %s end at once with noproc', async (_, to) => {
    const { atOnce, atShutdown } = await written(OWN, monitor(to), link(to))
    expect([atOnce, atShutdown]).toEqual([[down(to, 'noproc'), exit(to, 'noproc')], []])
  })

  test('on comet all end with shutdown, in their order, and a repeated link once', async () => {
    const other = pid(NODE_A, 7)
    const { atOnce, atShutdown } = await written(
      OWN,
      ...[monitor(OWN), link(OWN), link(OWN), monitor(atomOf('any'), CALLER, reference(6))],
      ...[link(OWN, other), monitor(OWN, other, reference(7))],
    )
    expect([atOnce, atShutdown]).toEqual([
      [],
      [
        ...[down(OWN, 'shutdown'), exit(OWN, 'shutdown')],
        ...[down(atomOf('any'), 'shutdown', CALLER, reference(6)), exit(OWN, 'shutdown', other)],
        down(OWN, 'shutdown', other, reference(7)),
      ],
    ])
  })

  test.each([
    ['a demonitor', monitor(OWN), tupleOf(integerOf(20), CALLER, OWN, REFERENCE)],
    ['an unlink', link(OWN), tupleOf(integerOf(4), CALLER, OWN)],
    ['an exit', link(OWN), tupleOf(integerOf(3), CALLER, OWN, atomOf('bye'))],
    [
      'an exit with a token',
      link(OWN),
      tupleOf(integerOf(13), CALLER, OWN, tupleOf(), atomOf('bye')),
    ],
  ])('are removed by %s, which leaves those of others', async (_, added, removing) => {
    const others = [link(OWN, UNKNOWN), monitor(OWN, UNKNOWN, reference(8))]
    const { atOnce, atShutdown } = await written(OWN, added, ...others, packet(removing))
    const expected = [exit(OWN, 'shutdown', UNKNOWN), down(OWN, 'shutdown', UNKNOWN, reference(8))]
    expect([atOnce, atShutdown]).toEqual([[], expected])
  })

  test('that do not exist are unlinked with an acknowledgement', async () => {
    const id = bytesOf(110, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8)
    const { atOnce } = await written(OWN, packet(tupleOf(integerOf(35), id, CALLER, UNKNOWN)))
    expect(atOnce).toEqual([packet(tupleOf(integerOf(36), id, UNKNOWN, CALLER)).toHex()])
  })

  test('are limited in number: more end with system_limit, until one is removed', () => {
    const test = new TestChannel()
    const added = monitor(OWN, CALLER, reference(0))
    for (let id = 0; id < monitorsMax; id++) {
      // The last word of the packet is that of the reference.
      added.set(uint32(id), added.length - 4)
      test.take(added)
    }
    expect(test.written()).toEqual([])
    test.take(monitor(OWN, CALLER, reference(monitorsMax)))
    test.take(link(OWN))
    expect(test.written()).toEqual([
      down(OWN, 'system_limit', CALLER, reference(monitorsMax)),
      exit(OWN, 'system_limit'),
    ])
    test.take(packet(tupleOf(integerOf(20), CALLER, OWN, reference(0))))
    test.take(link(OWN))
    expect(test.written()).toEqual([])
    test.channel.shutdown()
    const all = test.written()
    expect([all.length, all[0], all.at(-1)]).toEqual([
      ...[monitorsMax, down(OWN, 'shutdown', CALLER, reference(1)), exit(OWN, 'shutdown')],
    ])
  })

  test('are limited in size', async () => {
    const large = binaryOf('x'.repeat(monitorBytesMax))
    const { atOnce, atShutdown } = await written(OWN, monitor(large))
    expect([atOnce, atShutdown]).toEqual([[down(large, 'system_limit')], []])
  })
})
