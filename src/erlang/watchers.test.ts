// Goal: processes that watch comet are told when it ends, once, unless they have stopped watching; and
// anyone who watches what is not there is told at once. Method: recorded packets and such as are put
// together, given to a conversation, and the exact bytes that it writes.

import { describe, expect, test } from 'bun:test'
import { erlangLimits } from '../core/limits.ts'
import { Talk } from './channel.fixture.ts'
import {
  atom,
  bytesOf,
  CALLER,
  fromHex,
  integer,
  OWN,
  packet,
  pid,
  reference,
  tuple,
  uint32,
} from './packet.fixture.ts'
import { EXCHANGES, NODE_A, NODE_B } from './recorded.fixture.ts'
import { Watchers } from './watchers.ts'

const { watchersMax } = erlangLimits

/** A process of node B as it was recorded. */
function ofB(id: number): Uint8Array {
  return fromHex(`58770b62406c6f63616c686f7374${id.toString(16).padStart(8, '0')}00000000e389ab62`)
}

const { monitor, monitorName, link, unlink, linkToDead, linkAndExit, linkAndExited, callNobody } =
  EXCHANGES

const REFERENCE = reference(5)
const STRANGER = pid(NODE_B, 99)

function monitored(watched: Uint8Array, by = CALLER, ref = REFERENCE): Uint8Array {
  return packet(tuple(integer(19), by, watched, ref))
}

function linked(watched: Uint8Array, by = CALLER): Uint8Array {
  return packet(tuple(integer(1), by, watched))
}

/** What tells a monitor, or a link, that comet is gone. */
function down(watched: Uint8Array, reason: string, by = CALLER, ref = REFERENCE): string {
  return packet(tuple(integer(21), watched, by, ref, atom(reason))).toHex()
}

function exited(watched: Uint8Array, reason: string, by = CALLER): string {
  return packet(tuple(integer(3), watched, by, atom(reason))).toHex()
}

/** What a conversation writes at once, and what when it ends. */
async function ends(own: Uint8Array, ...packets: readonly Uint8Array[]) {
  const talk = await new Talk({ own }).takeAll(...packets)
  const atOnce = talk.writtenHex()
  talk.conversation.end()
  const atEnd = talk.writtenHex()
  talk.conversation.end()
  expect(talk.written()).toEqual([])
  return { atOnce, atEnd }
}

describe('a recorded monitor', () => {
  test('of our process is told of the end as a real node tells it', async () => {
    const { aMonitorP, aExit2, bMonitorPExit } = monitor.packets
    const { atOnce, atEnd } = await ends(ofB(0x5b), fromHex(aMonitorP), fromHex(aExit2))
    expect([atOnce, atEnd]).toEqual([[], [bMonitorPExit]])
  })

  test('of a name is told of the end as a real node tells it', async () => {
    const { aMonitorP, aRegSend, bMonitorPExit } = monitorName.packets
    const { atOnce, atEnd } = await ends(OWN, fromHex(aMonitorP), fromHex(aRegSend))
    expect([atOnce, atEnd]).toEqual([[], [bMonitorPExit]])
  })

  test('of any name is kept, since every name is ours', async () => {
    const { aMonitorP, bMonitorPExit } = callNobody.packets
    const { atOnce, atEnd } = await ends(OWN, fromHex(aMonitorP))
    const shutdown = bMonitorPExit.replace('77066e6f70726f63', '770873687574646f776e')
    expect([atOnce, atEnd]).toEqual([[], [shutdown]])
  })

  test('that is taken back is told nothing', async () => {
    const { aMonitorP, aDemonitorP } = EXCHANGES.call.packets
    const { atOnce, atEnd } = await ends(OWN, fromHex(aMonitorP), fromHex(aDemonitorP))
    expect([atOnce, atEnd]).toEqual([[], []])
  })
})

describe('a recorded link', () => {
  test('to our process is told of the end', async () => {
    const { atOnce, atEnd } = await ends(ofB(0x5b), fromHex(link.packets.aLink))
    const { bExit } = linkToDead.packets
    const shutdown = bExit.replace('77066e6f70726f63', '770873687574646f776e')
    expect([atOnce, atEnd]).toEqual([[], [shutdown]])
  })

  test('to a process that is not ours is told so at once, as a real node tells it', async () => {
    const { atOnce, atEnd } = await ends(OWN, fromHex(linkToDead.packets.aLink))
    expect([atOnce, atEnd]).toEqual([[linkToDead.packets.bExit], []])
  })

  test('that is undone is acknowledged as a real node does, and told nothing', async () => {
    const { aUnlinkId, bUnlinkIdAck } = unlink.packets
    const packets = [link.packets.aLink, aUnlinkId].map(fromHex)
    const { atOnce, atEnd } = await ends(ofB(0x5b), ...packets)
    expect([atOnce, atEnd]).toEqual([[bUnlinkIdAck], []])
  })

  test.each([
    ['by itself', 0x5c, linkAndExit.packets.aLink, linkAndExit.packets.aExit, []],
    [
      'not, since it was us that was to exit',
      0x5d,
      linkAndExited.packets.aLink,
      linkAndExited.packets.aExit2,
      [
        exited(
          ofB(0x5d),
          'shutdown',
          fromHex('58770b61406c6f63616c686f73740000005500000000e389ab61'),
        ),
      ],
    ],
  ])('whose process ends %s is told accordingly', async (_, own, linkHex, exitHex, expected) => {
    const { atOnce, atEnd } = await ends(ofB(own), fromHex(linkHex), fromHex(exitHex))
    expect<string[][]>([atOnce, atEnd]).toEqual([[], expected])
  })
})

describe('who watches', () => {
  test('a process that is not ours is told at once that there is none', async () => {
    const { atOnce, atEnd } = await ends(OWN, monitored(STRANGER), linked(STRANGER))
    expect(atOnce).toEqual([down(STRANGER, 'noproc'), exited(STRANGER, 'noproc')])
    expect(atEnd).toEqual([])
  })

  test.each([
    ['an earlier life of this node', bytesOf(OWN.slice(0, -1), 0)],
    ['another node', pid('c@localhost', 1)],
    ['the old kind', bytesOf(103, atom(NODE_B), uint32(1), uint32(0), 1)],
  ])('a process of %s is told so too', async (_, process) => {
    const { atOnce } = await ends(OWN, monitored(process))
    expect(atOnce).toEqual([down(process, 'noproc')])
  })

  test('comet in several ways is told of each, in their order', async () => {
    const other = pid(NODE_A, 7)
    const { atOnce, atEnd } = await ends(
      OWN,
      ...[monitored(OWN), linked(OWN), monitored(atom('any'), CALLER, reference(6))],
      ...[linked(OWN, other), monitored(OWN, other, reference(7))],
    )
    expect([atOnce, atEnd]).toEqual([
      [],
      [
        ...[down(OWN, 'shutdown'), exited(OWN, 'shutdown')],
        ...[down(atom('any'), 'shutdown', CALLER, reference(6)), exited(OWN, 'shutdown', other)],
        down(OWN, 'shutdown', other, reference(7)),
      ],
    ])
  })

  test('twice by the same link is told once', async () => {
    const { atEnd } = await ends(OWN, linked(OWN), linked(OWN))
    expect(atEnd).toEqual([exited(OWN, 'shutdown')])
  })

  test.each([
    ['a demonitor', monitored(OWN), tuple(integer(20), CALLER, OWN, REFERENCE)],
    ['an unlink', linked(OWN), tuple(integer(4), CALLER, OWN)],
    ['its exit', linked(OWN), tuple(integer(3), CALLER, OWN, atom('bye'))],
    ['its exit with a token', linked(OWN), tuple(integer(13), CALLER, OWN, tuple(), atom('bye'))],
  ])('is forgotten by %s, and what others watch is not', async (_, watch, forget) => {
    const others = [linked(OWN, STRANGER), monitored(OWN, STRANGER, reference(8))]
    const { atOnce, atEnd } = await ends(OWN, watch, ...others, packet(forget))
    expect(atOnce).toEqual([])
    const expected = [
      exited(OWN, 'shutdown', STRANGER),
      down(OWN, 'shutdown', STRANGER, reference(8)),
    ]
    expect(atEnd).toEqual(expected)
  })

  test('and unlinks what was never linked is acknowledged all the same', async () => {
    const id = bytesOf(110, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8)
    const { atOnce } = await ends(OWN, packet(tuple(integer(35), id, CALLER, STRANGER)))
    expect(atOnce).toEqual([packet(tuple(integer(36), id, STRANGER, CALLER)).toHex()])
  })

  test('is kept as what it was, when the bytes of its packet are gone', async () => {
    const own = OWN.slice()
    const talk = await new Talk({ own }).takeAll(monitored(own), linked(own))
    talk.conversation.end()
    expect(talk.writtenHex()).toEqual([down(OWN, 'shutdown'), exited(OWN, 'shutdown')])
  })
})

describe('as many as there may be', () => {
  test('are kept, one more is told why not, and there is room again when one leaves', async () => {
    const talk = new Talk()
    const watch = monitored(OWN, CALLER, reference(0))
    for (let id = 0; id < watchersMax; id++) {
      // The last word of the reference is the last of all.
      watch.set(uint32(id), watch.length - 4)
      talk.take(watch)
    }
    expect(talk.written()).toEqual([])
    talk.take(monitored(OWN, CALLER, reference(watchersMax)))
    talk.take(linked(OWN))
    expect(talk.writtenHex()).toEqual([
      down(OWN, 'system_limit', CALLER, reference(watchersMax)),
      exited(OWN, 'system_limit'),
    ])
    talk.take(packet(tuple(integer(20), CALLER, OWN, reference(0))))
    talk.take(linked(OWN))
    expect(talk.written()).toEqual([])
    talk.conversation.end()
    const told = talk.writtenHex()
    expect([told.length, told[0], told.at(-1)]).toEqual([
      ...[watchersMax, down(OWN, 'shutdown', CALLER, reference(1)), exited(OWN, 'shutdown')],
    ])
  })

  test('are counted, a repeated one once', () => {
    const watchers = new Watchers()
    const watcher = { watched: OWN, by: CALLER, reference: REFERENCE }
    expect([watchers.add(watcher), watchers.add(watcher), watchers.count]).toEqual([true, true, 1])
    expect([watchers.takeAll(), watchers.count]).toEqual([[watcher], 0])
  })
})
