// Goal: unknown control messages have no effect, and malformed packets are rejected with a reason,
// whatever a node sends. Method: control messages of every number and arity and of random terms;
// damaged packets; packets truncated at every byte.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { erlangLimits } from '../core/limits.ts'
import { OK, refused } from '../core/result.ts'
import { TestChannel } from './channel.fixture.ts'
import { CALLER, call, fromHex, list, message, OWN, packet, toName } from './packet.fixture.ts'
import { EXCHANGES } from './recorded.fixture.ts'
import {
  atomOf,
  binaryOf,
  bytesOf,
  deepOf,
  integerOf,
  NIL,
  tupleOf,
  uint32,
} from './terms.fixture.ts'

const { termDepthMax, atomsMax } = erlangLimits

/** The arities of the control messages that comet handles, by their numbers. */
const HANDLED: Readonly<Record<number, number>> = {
  ...{ 1: 3, 2: 3, 3: 4, 4: 3, 6: 4, 12: 4, 13: 5, 16: 5, 19: 4, 20: 4, 22: 3, 23: 4, 35: 4 },
}

/** Everything that a packet may change. */
function stateOf(test: TestChannel) {
  const { channel, refused, received } = test
  const { messages, callsPending } = channel
  const replies = test.written()
  channel.shutdown()
  return { messages, callsPending, refused, received, replies, monitors: test.written() }
}

const UNCHANGED = stateOf(new TestChannel().connect(1))

describe('a control message', () => {
  test('of any other number or arity is ignored, with a message and without', () => {
    const numbers = Array.from({ length: 64 }, (_, at) => at)
    for (const number of [...numbers, 255, 256, 2 ** 31 - 1]) {
      for (let arity = 1; arity <= 7; arity++) {
        if (HANDLED[number] === arity) continue
        // Comet's process in every place, so that an effect would show.
        const rest = Array.from({ length: arity - 1 }, () => OWN)
        const control = tupleOf(integerOf(number), ...rest)
        const test = new TestChannel().connect(1)
        expect(test.take(packet(control, message(1)))).toEqual(OK)
        expect(test.take(packet(control))).toEqual(OK)
        expect(stateOf(test)).toEqual(UNCHANGED)
      }
    }
  })

  test.each([
    ['is an atom', atomOf('send')],
    ['is a list', list(integerOf(6), CALLER, atomOf(''), atomOf('x'))],
    ['is an empty tuple', tupleOf()],
    ['begins with an atom', tupleOf(atomOf('6'), CALLER, atomOf(''), atomOf('x'))],
    ['begins with a tuple', tupleOf(tupleOf(integerOf(6)), CALLER, atomOf(''), atomOf('x'))],
    ['begins with a float', tupleOf(bytesOf(70, new Uint8Array(8)), CALLER, NIL, NIL)],
    ['begins with a negative number', tupleOf(integerOf(-6), CALLER, NIL, NIL)],
    ['begins with a huge number', tupleOf(integerOf(6 * 2 ** 40), CALLER, NIL, NIL)],
  ])('that %s is ignored', (_, control) => {
    const test = new TestChannel().connect(1)
    expect(test.take(packet(control, message(1)))).toEqual(OK)
    expect(test.take(packet(control))).toEqual(OK)
    expect(stateOf(test)).toEqual(UNCHANGED)
  })

  test('that sends is ignored without a message', () => {
    for (const control of [
      tupleOf(integerOf(6), CALLER, atomOf(''), atomOf('x')),
      tupleOf(integerOf(22), CALLER, OWN),
      tupleOf(integerOf(2), atomOf(''), OWN),
    ]) {
      const test = new TestChannel().connect(1)
      expect(test.take(packet(control))).toEqual(OK)
      expect(stateOf(test)).toEqual(UNCHANGED)
    }
  })

  test('may be a large tuple, and its number in any encoding', async () => {
    for (const number of [integerOf(6), bytesOf(98, uint32(6)), bytesOf(110, 1, 0, 6)]) {
      const control = bytesOf(105, uint32(4), number, CALLER, atomOf(''), atomOf('x'))
      const test = await new TestChannel().connect(1).takeAll(packet(control, message(1)))
      expect(test.received).toEqual({ 1: ['x'] })
    }
  })

  test('of random terms causes no exception and no invalid packet', async () => {
    const atoms = ['x', '$gen_call', '$gen_cast'].map((name) => atomOf(name))
    const leaf = fc.oneof(
      fc.integer({ min: 0, max: 40 }).map(integerOf),
      fc.constantFrom(OWN, CALLER, NIL, binaryOf('x'), ...atoms),
    )
    const { term } = fc.letrec<{ term: Uint8Array }>((tie) => ({
      term: fc.oneof(
        { depthSize: 'small' },
        leaf,
        fc.array(tie('term'), { maxLength: 5 }).map((terms) => tupleOf(...terms)),
        fc.array(tie('term'), { maxLength: 5 }).map((terms) => list(...terms)),
      ),
    }))
    const control = fc
      .tuple(fc.constantFrom(...Object.keys(HANDLED)), fc.array(term))
      .map(([number, terms]) => tupleOf(integerOf(Number(number)), ...terms))
    await fc.assert(
      fc.asyncProperty(fc.oneof(control, term), fc.option(term), async (control, sent) => {
        const test = new TestChannel().connect(1)
        const taken = test.take(packet(control, sent ?? undefined))
        expect((await taken)?.ok).not.toBe(false)
        test.channel.shutdown()
        expect(test.written().every((written) => written.startsWith('70'))).toBe(true)
      }),
      { numRuns: 300 },
    )
  })
})

describe('a packet', () => {
  const valid = toName(message(1))
  const control = packet(tupleOf(integerOf(6), CALLER, atomOf(''), atomOf('x')))
  const [NO_TYPE, TRUNCATED] = ['unknown packet type', 'a term is truncated or has a wrong length']
  const NO_VERSION = 'unknown version of the term format'

  test.each([
    ['of another type', bytesOf(113, valid.slice(1)), NO_TYPE],
    ['with an atom cache', bytesOf(131, 68, 0, valid.slice(1)), NO_TYPE],
    ['of another version', bytesOf(112, 130, valid.slice(2)), NO_TYPE],
    ['without a version', bytesOf(112, valid.slice(2)), NO_TYPE],
    // The bytes after its end look like a version.
    ['of one byte', bytesOf(112), TRUNCATED],
    ['without a control message', bytesOf(112, 131), TRUNCATED],
    ['with a message of another version', bytesOf(control, 130, message(1)), NO_VERSION],
    ['with a message without version', bytesOf(control, message(1)), NO_VERSION],
    ['with a version without message', bytesOf(control, 131), TRUNCATED],
    ['with bytes after the message', bytesOf(valid, 106), 'unexpected bytes after a message'],
    ['with a third term', bytesOf(valid, 131, NIL), 'unexpected bytes after a message'],
    [
      'with a compressed term',
      bytesOf(112, 131, 80, new Uint8Array(20)),
      'a term has the unsupported tag 80',
    ],
    ['with a wrong length', bytesOf(112, 131, 109, 255, 255, 255, 255, 1), TRUNCATED],
  ])('%s is rejected with a reason', (_, bytes, why) => {
    const test = new TestChannel().connect(1)
    expect(test.take(bytes)).toEqual(refused(why))
    expect(stateOf(test)).toEqual(UNCHANGED)
  })

  test('that is truncated is rejected', () => {
    const packets = Object.values(EXCHANGES).flatMap(({ packets }) => Object.values(packets))
    for (const bytes of [...packets.map(fromHex), call(message(1))]) {
      const controlEnd = controlEndOf(bytes)
      for (let length = 0; length < bytes.length; length++) {
        // Truncated between its two terms, it is a packet without a message.
        if (length === controlEnd) continue
        expect(new TestChannel().take(bytes.slice(0, length))).toMatchObject({ ok: false })
      }
    }
  })

  test.each([
    ['message', (deep: Uint8Array) => toName(deep)],
    ['control message', (deep: Uint8Array) => packet(deep)],
  ])('with a %s that is nested too deep is rejected', (_, packetOf) => {
    const nested = (depth: number) => deepOf(depth, bytesOf(104, 1), bytesOf())
    expect(new TestChannel().take(packetOf(nested(termDepthMax)))).toEqual(OK)
    expect(new TestChannel().take(packetOf(nested(termDepthMax + 1)))).toEqual(
      refused(`a term is nested more than ${termDepthMax} deep`),
    )
  })

  test('with too many new atoms on one connection is rejected', () => {
    const test = new TestChannel()
    const thousand = (from: number) =>
      list(...Array.from({ length: 1_000 }, (_, at) => atomOf(`name ${from + at}`)))
    let taken: unknown = OK
    let names = 0
    for (; names < 2 * atomsMax && taken === OK; names += 1_000) {
      taken = test.take(packet(tupleOf(integerOf(99), thousand(names))))
    }
    expect(taken).toEqual(refused(`more than ${atomsMax} different atoms received`))
    // A few names have the same hash.
    expect(names).toBeWithin(atomsMax - 1_000, atomsMax + 4_000)
  })
})

/** Where the control message of a valid packet ends. */
function controlEndOf(bytes: Uint8Array): number {
  for (let at = bytes.length - 1; at > 2; at--) {
    if (bytes[at] === 131 && new TestChannel().take(bytes.slice(0, at)) === OK) return at
  }
  return bytes.length
}
