// Goal: packets come out as they were sent, however the stream is cut and whenever they are taken, and
// stay as they are while more comes. Method: a property against the packets that were sent, cut and
// taken at any time; each cut of one stream; cases around the limit.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { erlangLimits } from '../core/limits.ts'
import { Packets } from './packets.ts'
import { bytesOf, uint32 } from './terms.fixture.ts'

const MAX = erlangLimits.packetBytesMax
const TICK = uint32(0)

function packetOf(content: string | Uint8Array): Uint8Array {
  return bytesOf(uint32(Buffer.byteLength(content)), content)
}

/** A packet that was found, as a view, and what was in it then. */
interface Found {
  readonly view: Uint8Array
  readonly copy: Buffer
}

function take(packets: Packets, most = Number.POSITIVE_INFINITY): Found[] {
  const found: Found[] = []
  while (found.length < most && packets.next()) {
    const { bytes, at, end } = packets
    expect(uint32(end - at)).toEqual(bytes.slice(at - 4, at))
    const view = bytes.subarray(at, end)
    found.push({ view, copy: Buffer.from(view) })
  }
  return found
}

function textsOf(found: readonly Found[]): string[] {
  return found.map(({ copy }) => copy.toString('latin1'))
}

function cutAt(wire: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [0, ...cuts.map((cut) => cut % (wire.length + 1)).sort((a, b) => a - b)]
  return places.map((from, at) => wire.subarray(from, places[at + 1] ?? wire.length))
}

/** All packets of parts, each taken as soon as it is there. */
function read([first = new Uint8Array(0), ...parts]: readonly Uint8Array[]): string[] {
  const packets = new Packets(first)
  const texts = textsOf(take(packets))
  for (const part of parts) {
    packets.push(part)
    texts.push(...textsOf(take(packets)))
  }
  expect(packets.failure).toBeNull()
  return texts
}

describe('packets', () => {
  const sent = ['first', 'x'.repeat(300), 'third', 'y']
  const wire = bytesOf(
    ...[TICK, packetOf('first'), packetOf('x'.repeat(300)), TICK, TICK],
    ...[packetOf('third'), packetOf('y'), TICK],
  )

  test('come out of one part, without the ticks between them', () => {
    expect(read([wire])).toEqual(sent)
    expect(read([new Uint8Array(0), wire])).toEqual(sent)
  })

  test('come out of two parts, cut at any byte', () => {
    for (let cut = 0; cut <= wire.length; cut++) expect(read(cutAt(wire, [cut]))).toEqual(sent)
  })

  test('come out of three parts, cut at any two bytes', () => {
    for (let one = 0; one <= wire.length; one += 3) {
      for (let two = one; two <= wire.length; two += 3) {
        expect(read(cutAt(wire, [one, two]))).toEqual(sent)
      }
    }
  })

  test('come out of single bytes', () => {
    expect(read(cutAt(wire, [...wire.keys()]))).toEqual(sent)
  })

  test('that are not there whole do not come out', () => {
    for (let length = 0; length < 12; length++) {
      const packets = new Packets(packetOf('whole one').subarray(0, length))
      expect([packets.next(), packets.next(), packets.failure]).toEqual([false, false, null])
    }
  })

  test('that are not taken yet come out after more has come', () => {
    const packets = new Packets(bytesOf(packetOf('a'), packetOf('b'), packetOf('c')))
    expect(textsOf(take(packets, 1))).toEqual(['a'])
    packets.push(bytesOf(packetOf('d'), packetOf('e').subarray(0, 3)))
    packets.push(packetOf('e').subarray(3))
    expect(textsOf(take(packets, 2))).toEqual(['b', 'c'])
    packets.push(packetOf('f'))
    expect(textsOf(take(packets))).toEqual(['d', 'e', 'f'])
  })

  test('are those that were sent, whenever they are taken, and stay as they are', () => {
    const content = fc.oneof(
      fc.constant(new Uint8Array(0)),
      fc.uint8Array({ maxLength: 20 }),
      fc.uint8Array({ minLength: 200, maxLength: 2_000 }),
    )
    const steps = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 4 })), { maxLength: 30 })
    fc.assert(
      fc.property(fc.array(content, { maxLength: 12 }), steps, (contents, all) => {
        const stream = bytesOf(...contents.map(packetOf))
        const parts = cutAt(
          stream,
          all.map(([cut]) => cut),
        )
        const packets = new Packets(parts[0] ?? stream)
        const found = take(packets, 1)
        for (const [at, part] of parts.slice(1).entries()) {
          packets.push(part)
          found.push(...take(packets, all[at]?.[1]))
        }
        found.push(...take(packets))
        const expected = contents.filter((one) => one.length > 0)
        expect(found.map(({ copy }) => copy)).toEqual(expected.map((one) => Buffer.from(one)))
        // Anyone who is not done with one may go on while more comes.
        for (const { view, copy } of found) expect(Buffer.compare(view, copy)).toBe(0)
        expect(packets.failure).toBeNull()
      }),
      { numRuns: 300 },
    )
  })
})

describe('a part', () => {
  test('without a rest is looked at where it is, and copied only to be held', () => {
    const part = bytesOf(packetOf('a'), packetOf('b'))
    const packets = new Packets(part)
    expect([take(packets).length, packets.bytes]).toEqual([2, part])
    packets.push(part)
    expect(packets.bytes).toBe(part)
    expect(take(packets).length).toBe(2)
    packets.push(part.subarray(0, 3))
    packets.push(part.subarray(3))
    expect(packets.bytes).not.toBe(part)
    expect(take(packets).length).toBe(2)
    packets.push(part)
    expect(packets.bytes).toBe(part)
  })

  test('that is held may be used again by the one that it came from', () => {
    const part = packetOf('held').slice(0, 6)
    const packets = new Packets(part)
    expect(packets.next()).toBe(false)
    packets.push(bytesOf('l'))
    part.fill(0x21)
    packets.push(bytesOf('d'))
    expect(textsOf(take(packets))).toEqual(['held'])
  })
})

describe('a long packet', () => {
  const long = packetOf(Uint8Array.from({ length: MAX }, (_, at) => at % 251))

  test('may be as long as the limit, in many parts, and is not copied for each', () => {
    const packets = new Packets(bytesOf(packetOf('before'), long.subarray(0, 1)))
    expect(textsOf(take(packets))).toEqual(['before'])
    const buffers = new Set<ArrayBufferLike>()
    for (let at = 1; at < long.length; at += 1_000) {
      packets.push(long.subarray(at, at + 1_000))
      buffers.add(packets.bytes.buffer)
      const isLast = at + 1_000 >= long.length
      expect(packets.next()).toBe(isLast)
    }
    expect(Buffer.compare(packets.bytes.subarray(packets.at, packets.end), long.subarray(4))).toBe(
      0,
    )
    // A buffer that is doubled has a megabyte soon; a thousand parts came.
    expect(buffers.size).toBeLessThan(15)
  })

  test('leaves no memory behind when it is over', () => {
    const packets = new Packets(long.subarray(0, 9))
    packets.push(long.subarray(9))
    expect(take(packets).length).toBe(1)
    packets.push(packetOf('short'))
    expect(packets.bytes.buffer.byteLength).toBeLessThan(100)
    expect(textsOf(take(packets))).toEqual(['short'])
  })

  test.each([MAX + 1, 2 ** 31, 2 ** 32 - 1])('of %p bytes fails before they come', (length) => {
    const head = bytesOf(packetOf('a'), TICK, uint32(length))
    for (let cut = 0; cut <= head.length; cut++) {
      const packets = new Packets(head.slice(0, cut))
      const texts = textsOf(take(packets))
      packets.push(head.slice(cut))
      texts.push(...textsOf(take(packets)))
      expect([texts, packets.next()]).toEqual([['a'], false])
      expect(packets.failure).toBe(`a message has ${length} bytes, and ${MAX} are the most`)
    }
  })
})
