// Goal: whatever a connected node sends, comet does not fail: it ignores what it has no part in, and gives
// a reason for what is no packet. Method: control messages of every number and arity and of random terms,
// damaged packets, and fine ones cut at every byte.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { erlangLimits } from '../core/limits.ts'
import { Talk } from './channel.fixture.ts'
import {
  atom,
  binary,
  bytesOf,
  CALLER,
  call,
  fromHex,
  integer,
  list,
  message,
  NIL,
  OWN,
  packet,
  toName,
  tuple,
  uint32,
} from './packet.fixture.ts'
import { EXCHANGES } from './recorded.fixture.ts'

const { termDepthMax, atomsMax } = erlangLimits

const NO_KIND = 'a packet is of no kind known'
const CUT_OFF = 'a term is cut off, or a length in it is not true'

/** Numbers of control messages, with how many terms each has, that comet acts upon. */
const KNOWN: Readonly<Record<number, number>> = {
  ...{ 1: 3, 2: 3, 3: 4, 4: 3, 6: 4, 12: 4, 13: 5, 16: 5, 19: 4, 20: 4, 22: 3, 23: 4, 35: 4 },
}

/** Everything that a conversation may change, so that a test sees that nothing did. */
function stateOf(talk: Talk) {
  const { conversation, refused, got } = talk
  const { messages, calls } = conversation
  const written = talk.writtenHex()
  conversation.end()
  return { messages, calls, refused, got, written, watching: talk.writtenHex() }
}

const NOTHING = stateOf(new Talk().connect(1))

describe('a control message', () => {
  test('of any other number or arity is ignored, with a message and without', () => {
    const numbers = Array.from({ length: 64 }, (_, at) => at)
    for (const number of [...numbers, 255, 256, 2 ** 31 - 1]) {
      for (let terms = 1; terms <= 7; terms++) {
        if (KNOWN[number] === terms) continue
        // Ours wherever a process may be named, so that a slip would be seen.
        const rest = Array.from({ length: terms - 1 }, () => OWN)
        const control = tuple(integer(number), ...rest)
        const talk = new Talk().connect(1)
        expect(talk.take(packet(control, message(1)))).toBeNull()
        expect(talk.take(packet(control))).toBeNull()
        expect(stateOf(talk)).toEqual(NOTHING)
      }
    }
  })

  test.each([
    ['is no tuple', atom('send')],
    ['is a list', list(integer(6), CALLER, atom(''), atom('x'))],
    ['is an empty tuple', tuple()],
    ['begins with an atom', tuple(atom('6'), CALLER, atom(''), atom('x'))],
    ['begins with a tuple', tuple(tuple(integer(6)), CALLER, atom(''), atom('x'))],
    ['begins with a float', tuple(bytesOf(70, new Uint8Array(8)), CALLER, atom(''), atom('x'))],
    ['begins with what is below zero', tuple(bytesOf(98, uint32(-6)), CALLER, atom(''), atom('x'))],
    [
      'begins with a huge number',
      tuple(bytesOf(110, 9, 0, new Uint8Array(8), 6), CALLER, NIL, NIL),
    ],
  ])('that %s is ignored', (_, control) => {
    const talk = new Talk().connect(1)
    expect(talk.take(packet(control, message(1)))).toBeNull()
    expect(talk.take(packet(control))).toBeNull()
    expect(stateOf(talk)).toEqual(NOTHING)
  })

  test('that sends, without a message, is ignored', () => {
    for (const control of [
      tuple(integer(6), CALLER, atom(''), atom('x')),
      tuple(integer(22), CALLER, OWN),
      tuple(integer(2), atom(''), OWN),
    ]) {
      const talk = new Talk().connect(1)
      expect(talk.take(packet(control))).toBeNull()
      expect(stateOf(talk)).toEqual(NOTHING)
    }
  })

  test('may have its number in any form, and its tuple too', async () => {
    for (const number of [integer(6), bytesOf(98, uint32(6)), bytesOf(110, 1, 0, 6)]) {
      const control = bytesOf(105, uint32(4), number, CALLER, atom(''), atom('x'))
      const talk = await new Talk().connect(1).takeAll(packet(control, message(1)))
      expect(talk.got).toEqual({ 1: ['x'] })
    }
  })

  test('of any terms does no harm', async () => {
    const leaf = fc.oneof(
      fc.integer({ min: 0, max: 40 }).map(integer),
      fc.constantFrom(
        OWN,
        CALLER,
        NIL,
        atom('x'),
        atom('$gen_call'),
        atom('$gen_cast'),
        binary('x'),
      ),
    )
    const { term } = fc.letrec<{ term: Uint8Array }>((tie) => ({
      term: fc.oneof(
        { depthSize: 'small' },
        leaf,
        fc.array(tie('term'), { maxLength: 5 }).map((terms) => tuple(...terms)),
        fc.array(tie('term'), { maxLength: 5 }).map((terms) => list(...terms)),
      ),
    }))
    const control = fc
      .tuple(fc.constantFrom(...Object.keys(KNOWN)), fc.array(term))
      .map(([number, terms]) => tuple(integer(Number(number)), ...terms))
    await fc.assert(
      fc.asyncProperty(fc.oneof(control, term), fc.option(term), async (control, sent) => {
        const talk = new Talk().connect(1)
        const taken = talk.take(packet(control, sent ?? undefined))
        expect(taken).not.toBeString()
        await taken
        talk.conversation.end()
        expect(talk.written().every(([kind]) => kind === 112)).toBe(true)
      }),
      { numRuns: 300 },
    )
  })
})

describe('no packet', () => {
  const fine = toName(message(1))

  test.each([
    ['of another kind', bytesOf(113, fine.slice(1)), NO_KIND],
    ['with an atom cache', bytesOf(131, 68, 0, fine.slice(1)), NO_KIND],
    ['of another version', bytesOf(112, 130, fine.slice(2)), NO_KIND],
    ['without a version', bytesOf(112, fine.slice(2)), NO_KIND],
    // What lies behind it is no part of it, whatever it is.
    ['of one byte', bytesOf(112), CUT_OFF],
    ['without a control message', bytesOf(112, 131), CUT_OFF],
    [
      'with a message of another version',
      bytesOf(packet(tuple(integer(6), CALLER, atom(''), atom('x'))), 130, message(1)),
      'a message is of no version known',
    ],
    [
      'with a message and no version',
      bytesOf(packet(tuple(integer(6), CALLER, atom(''), atom('x'))), message(1)),
      'a message is of no version known',
    ],
    [
      'with a version and no message',
      bytesOf(packet(tuple(integer(6), CALLER, atom(''), atom('x'))), 131),
      CUT_OFF,
    ],
    ['with bytes behind its end', bytesOf(fine, 106), 'a message goes on behind its end'],
    ['with a third term', bytesOf(fine, 131, NIL), 'a message goes on behind its end'],
    [
      'with a compressed term',
      bytesOf(112, 131, 80, new Uint8Array(20)),
      'a term has the tag 80, which was not offered',
    ],
    ['with a length that is not true', bytesOf(112, 131, 109, 255, 255, 255, 255, 1), CUT_OFF],
  ])('%s is taken, and why is told', (_, bytes, why) => {
    const talk = new Talk().connect(1)
    expect(talk.take(bytes)).toBe(why)
    expect(stateOf(talk)).toEqual(NOTHING)
  })

  test('that is a fine one cut off is taken for one', () => {
    const packets = Object.values(EXCHANGES).flatMap(({ packets }) => Object.values(packets))
    for (const bytes of [...packets.map(fromHex), call(message(1))]) {
      const controlEnd = controlEndOf(bytes)
      for (let length = 0; length < bytes.length; length++) {
        // Cut between the two terms, it is one without a message.
        if (length === controlEnd) continue
        expect(new Talk().take(bytes.slice(0, length))).toBeString()
      }
    }
  })

  test.each([
    ['deep terms', (deep: Uint8Array) => toName(deep)],
    ['deep control messages', (deep: Uint8Array) => packet(deep)],
  ])('with %s is taken, up to the bound and not beyond', (_, packetOf) => {
    const nested = (depth: number) =>
      bytesOf(...Array.from({ length: depth }, () => bytesOf(104, 1)), NIL)
    expect(new Talk().take(packetOf(nested(termDepthMax)))).toBeNull()
    expect(new Talk().take(packetOf(nested(termDepthMax + 1)))).toBe(
      `a term is more than ${termDepthMax} deep`,
    )
  })

  test('with ever new atoms is taken, on one connection', () => {
    const talk = new Talk()
    const thousand = (from: number) =>
      list(...Array.from({ length: 1_000 }, (_, at) => atom(`name ${from + at}`)))
    let why: unknown = null
    let names = 0
    for (; names < 2 * atomsMax && typeof why !== 'string'; names += 1_000) {
      why = talk.take(packet(tuple(integer(99), thousand(names))))
    }
    expect(why).toBe(`more than ${atomsMax} different atoms came`)
    // A few names may have the same mark.
    expect(names).toBeWithin(atomsMax - 1_000, atomsMax + 4_000)
  })
})

/** Where a fine packet's control message ends: at the version before its message, or at its own end. */
function controlEndOf(bytes: Uint8Array): number {
  for (let at = bytes.length - 1; at > 2; at--) {
    if (bytes[at] === 131 && new Talk().take(bytes.slice(0, at)) === null) return at
  }
  return bytes.length
}
